"""Programs under the active protocol: training, the record of the run, share files, an attack that ends in abort."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected, ProtocolAbort
from mpc_tamper.engines import share_files
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.workflows.training import train_and_open
from tests.support.in_memory import InMemoryRep3

ACTIVE = ProtocolName.MAL_REP_RING
PROGRAM = """
WORK = 1
x = sint.Array(4)
x.input_from(0)
start_timer(WORK)
y = x[:] * x[:]
stop_timer(WORK)
bits = y.greater_than(20, 10)
x.write_to_file()
print_ln('%s', y.reveal()[3])
print_ln('%s', (bits * y).reveal()[3])
z = bits * bits
"""


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    program, text = tmp_path / "program.mpc", tmp_path / "input.txt"
    program.write_text(PROGRAM)
    text.write_text("1 -2 3 7")
    return RunSpec(program, protocol=ACTIVE, inputs={0: InputFiles(text=text)}, run_dir=tmp_path / "run")


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_active_training_gives_the_weights_of_passive_and_clear_training(tiny_task, loss):
    parameters = SvmParameters(iterations=4, loss=Loss(loss), learning_rate=0.05)
    runs = [
        train_and_open(tiny_task, parameters, engine=engine, protocol=protocol)
        for engine, protocol in (
            (ClearEngine(), ProtocolName.RING),
            (InMemoryRep3(), ProtocolName.RING),
            (InMemoryRep3(), ACTIVE),
        )
    ]
    assert all(np.array_equal(run.weights, runs[0].weights) for run in runs)


def test_three_processes_and_the_record_of_the_run(spec):
    result = Rep3Engine().run(spec)
    assert result.lines == ("49", "49")
    assert result.soundness_error is not None
    assert 0 < result.soundness_error < 2.0**-40
    for party in result.parties:
        assert party.batches == 3  # before the shares are written, the second opening, and the end
        report = json.loads((spec.run_dir / f"party{party.party_id}.json").read_text())
        assert report["soundness_error"] == party.soundness_error
    assert all(p.soundness_error is None for p in Rep3Engine().run(_passive(spec)).parties)


def _passive(spec: RunSpec) -> RunSpec:
    return RunSpec(spec.program, inputs=spec.inputs, run_dir=spec.run_dir.parent / "passive")


@pytest.mark.parametrize("corrupt_party", range(3))
def test_an_attack_ends_in_an_abort_before_shares_are_written(spec, corrupt_party):
    plan = AdditiveErrorPlan.from_errors([AdditiveError("WORK", 0, 2, 1)])
    attacked = RunSpec(
        spec.program,
        protocol=ACTIVE,
        inputs=spec.inputs,
        run_dir=spec.run_dir,
        corruption=Corruption(corrupt_party, plan),
    )
    with pytest.raises(ProofRejected, match="check 'inner product' of batch 0 failed") as caught:
        Rep3Engine().run(attacked)
    assert f"rejects the proof of party {corrupt_party}" in str(caught.value)
    assert not (spec.run_dir / "Persistence").exists()


LONG = """
WORK = 1
x = sint.Array(200000)
x.assign_all(3)
for _ in range(20):
    start_timer(WORK)
    x.assign_vector(x[:] * x[:])
    stop_timer(WORK)
print_ln('%s', x[7].reveal())
"""


@pytest.fixture
def long(tmp_path: Path) -> RunSpec:
    """Of several batches."""
    program = tmp_path / "long.mpc"
    program.write_text(LONG)
    return RunSpec(program, protocol=ACTIVE, run_dir=tmp_path / "run", threads=2)


def test_processes_of_two_threads_prove_beside_the_program(long: RunSpec) -> None:
    beside = Rep3Engine().run(long)
    in_turn = Rep3Engine().run(replace(long, threads=1, run_dir=long.run_dir.parent / "in turn"))
    number = pow(3, 1 << 20, 1 << 64)
    assert beside.lines == in_turn.lines == (str(number - (number >> 63 << 64)),)
    for one, other in zip(beside.parties, in_turn.parties, strict=True):
        assert one.batches is not None
        assert one.batches > 2
        assert (one.batches, one.soundness_error) == (other.batches, other.soundness_error)
        assert (one.cost.bytes_sent, one.cost.rounds) == (other.cost.bytes_sent, other.cost.rounds)


@pytest.mark.parametrize("step", [0, 19])
def test_an_attack_on_processes_that_prove_beside_the_program(long: RunSpec, step: int) -> None:
    plan = AdditiveErrorPlan.from_errors([AdditiveError("WORK", step, 2, 1)])
    with pytest.raises(ProofRejected, match=f"of batch {0 if step == 0 else 3} failed: party . rejects .* party 1"):
        Rep3Engine().run(replace(long, corruption=Corruption(1, plan)))


def test_shares_of_passive_training_are_taken_over_unless_they_were_edited(tmp_path):
    write, read = tmp_path / "write.mpc", tmp_path / "read.mpc"
    write.write_text("x = sint.Array(3)\nx.assign([5, 6, 7])\nx.write_to_file()\n")
    read.write_text("x = sint.Array(3)\nx.read_from_file(0)\nprint_ln('%s', sum(x[:] * x[:]).reveal())\n")
    InMemoryRep3().run(RunSpec(write, run_dir=tmp_path / "written"))

    def verify(name: str) -> tuple[str, ...]:
        spec = RunSpec(read, protocol=ACTIVE, run_dir=tmp_path / name, shares_from=tmp_path / "written")
        return InMemoryRep3().run(spec).lines

    assert verify("clean") == ("110",)
    for party in range(3):
        path = share_files.share_file(tmp_path / "written", party)
        shares = share_files.read(path, 0, 3)
        for part in range(2):  # x_i, and x_{i-1}
            edited = [shares[0].copy(), shares[1].copy()]
            edited[part][1] += np.uint64(1)
            share_files.write(path, *edited, 0)
            with pytest.raises(ProtocolAbort):
                verify(f"edited{party}{part}")
        share_files.write(path, *shares, 0)
    assert verify("again") == ("110",)
