"""Products of length 0 are 0, and their messages have to be sharings of 0: a proof that took "no terms" for "nothing to
prove" would let any error in them pass. Operations without outputs, whose messages are empty, disturb no proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.primitives.shift import right_shift
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerStatement
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.active_runs import Program, run, shared
from tests.support.in_memory import InMemoryRep3

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
Operation = Callable[[Party, RepShare], RepShare]


def matmul(party: Party, x: RepShare) -> RepShare:
    return passive.matmul(party, x[:0].reshape(3, 0), x[:0].reshape(0, 2))


def trans_matmul(party: Party, x: RepShare) -> RepShare:
    return passive.trans_matmul(party, x[:0].reshape(0, 3), x[:0].reshape(0, 2))


def dot(party: Party, x: RepShare) -> RepShare:
    return passive.dot(party, x[:0].reshape(3, 0), x[:0].reshape(3, 0))


def of(*operations: Operation, private_input: bool = True) -> Program:
    """A program that opens what these operations give. Their x is a private input of party 0, or a product of one."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(6, dtype=np.uint64))
        if not private_input:
            x = passive.mul(party, x, x)
            party.recorder.prove()
        party.steps.start(4)
        results = [operation(party, x) for operation in operations]
        party.steps.stop(4)
        opened += [open_to_all(party, result) for result in results]

    return program


def honest_ends(program: Program, corrupt_party: int, error: AdditiveError) -> list[BaseException | None]:
    plan = AdditiveErrorPlan.from_errors([error])
    ends = run(program, corrupt_party=corrupt_party, plan=plan)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert all(end.error is None or end.opened == [] for end in honest)
    return [end.error for end in honest]


@corrupt
@pytest.mark.parametrize("private_input", [True, False], ids=["private input", "shared"])
@pytest.mark.parametrize("operation", [matmul, trans_matmul, dot])
def test_an_error_in_products_of_length_0(corrupt_party, operation, private_input):
    """Alone in its batch: there is not a word in u and v."""
    program = of(operation, private_input=private_input)
    for index, value in ((0, 777), (2, 2**63)):
        errors = honest_ends(program, corrupt_party, AdditiveError("STEP", 0, index, value))
        assert any(isinstance(error, ProofRejected) for error in errors)
        assert None not in errors


@corrupt
def test_it_would_pass_if_sizes_said_whether_there_are_matrices(corrupt_party, monkeypatch):
    statement_of = IntegerStatement.of

    def from_sizes(record):
        statement = statement_of(record)
        return replace(statement, matrices=any(statement.tails))

    monkeypatch.setattr(IntegerStatement, "of", from_sizes)
    assert honest_ends(of(matmul), corrupt_party, AdditiveError("STEP", 0, 1, 777)) == [None, None]


@corrupt
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_an_error_in_products_of_length_0_beside_others(corrupt_party, first):
    """In one batch with products and matrices that have words."""

    def others(party: Party, x: RepShare) -> RepShare:
        passive.dot(party, x.reshape(2, 3), x.reshape(2, 3))
        return passive.matmul(party, x.reshape(2, 3), x.reshape(3, 2))

    for operation in (matmul, dot):
        program = of(operation, others) if first else of(others, operation)
        index = 0 if first else 6
        errors = honest_ends(program, corrupt_party, AdditiveError("STEP", 0, index, 1))
        assert any(isinstance(error, ProofRejected) for error in errors)


PROGRAM = """
WORK = 1
x = sint([])
start_timer(WORK)
z = sint.dot_product(x, x)
stop_timer(WORK)
print_ln('%s', z.reveal())
"""


def test_a_dot_product_of_empty_vectors_in_a_program(tmp_path: Path):
    path = tmp_path / "program.mpc"
    path.write_text(PROGRAM)

    def lines(name: str, corruption: Corruption | None) -> tuple[str, ...]:
        spec = RunSpec(path, protocol=ProtocolName.MAL_REP_RING, run_dir=tmp_path / name, corruption=corruption)
        return InMemoryRep3().run(spec).lines

    assert lines("honest", None) == ("0",)
    for party in range(3):
        plan = AdditiveErrorPlan.from_errors([AdditiveError("WORK", 0, 0, 777)])
        with pytest.raises(ProofRejected):
            lines(f"party {party}", Corruption(party, plan))


def no_outputs() -> list[Operation]:
    """Every kind of operation, for the input x and its planes."""

    def empty(x: RepShare, *shape: int) -> RepShare:
        return x[:0].reshape(*shape)

    def planes(x: RepShare) -> RepShare:
        return x[:1].reshape(1, 1)[:, :0]

    first = np.zeros(1, np.intp)
    return [
        lambda party, x: passive.mul(party, x[:0], x[:0]),
        lambda party, x: passive.dot(party, empty(x, 0, 3), empty(x, 0, 3)),
        lambda party, x: passive.dot(party, empty(x, 0, 0), empty(x, 0, 0)),
        lambda party, x: passive.matmul(party, empty(x, 0, 3), x[:3].reshape(3, 1)),
        lambda party, x: passive.matmul(party, x[:3].reshape(1, 3), empty(x, 3, 0)),
        lambda party, x: passive.trans_matmul(party, empty(x, 3, 0), x[:3].reshape(3, 1)),
        lambda party, x: alone(party, passive.and_planes(party, planes(x), first, first, 0, "and")),
        lambda party, x: alone(party, passive.majority_planes(party, planes(x), 0, "majority")),
        lambda party, x: alone(party, less_than_zero(party, x[:0], 6)),
        lambda party, x: alone(party, right_shift(party, x[:0], 3)),
    ]


def test_operations_without_outputs():
    """Each in a batch of its own, all in one, and all beside products."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(6, dtype=np.uint64))
        for operation in no_outputs():
            opened.append(open_to_all(party, operation(party, x)))
        for others in ([], [lambda party, x: passive.mul(party, x, x)]):
            results = [operation(party, x) for operation in no_outputs() + others]
            opened += [open_to_all(party, result) for result in results]

    for end in run(program):
        assert end.error is None
        assert all(values.size == 0 for values in end.opened[:-1])
        assert end.opened[-1].tolist() == [0, 1, 4, 9, 16, 25]
