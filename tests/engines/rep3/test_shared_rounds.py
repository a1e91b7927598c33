"""Comparisons and shifts that do not need each other share their rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.primitives import comparison, shift
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

START = "x = sint([3, -4, 5])\ny = sint([1000, -1000, 7])\n"
SHOW = "print_ln('%s %s', negative.reveal(), shifted.reveal())\n"
RIGHT = "[0, 1, 0] [250, -250, 1]"
APART = "negative = x < 0\nnegative * negative\nshifted = y.right_shift(2, 64)\n"
TOGETHER = "negative = x < 0\nshifted = y.right_shift(2, 64)\n"

Run = Callable[..., tuple[str, int, int]]


@pytest.fixture(params=[False, True], ids=["passive", "active"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """What a program prints, and its rounds and bytes but for opening and proving."""

    def compute(
        text: str, plan: AdditiveErrorPlan | None = None, record_bytes: int | None = None
    ) -> tuple[str, int, int]:
        path = tmp_path / "program.mpc"
        path.write_text("S = 1\nT = 2\n" + START + text + SHOW)
        program = load_program(path)
        printed: list[str] = []

        def party(party: Party) -> tuple[int, int]:
            machine = Rep3Machine(
                party, OwnerInput(party.party_id, None), tmp_path, printed.append if party.party_id == 0 else str
            )
            before: list[tuple[int, int]] = []
            prove, keys = party.recorder.prove, (party.channel.rounds, party.channel.bytes_sent)

            def at_first_opening() -> None:
                before.append((party.channel.rounds - keys[0], party.channel.bytes_sent - keys[1]))
                prove()

            party.recorder.prove = at_first_opening  # type: ignore[method-assign]
            run_program(program, (), machine)
            return before[0]

        corruption = None if plan is None else Corruption(1, plan)
        costs = run_in_threads(
            party,
            sites=dict(program.sites),
            corruption=corruption,
            active=request.param,
            record_bytes=record_bytes if request.param else None,
        )
        return "".join(printed).strip(), *costs[0]

    return compute


def test_two_that_are_independent_take_the_rounds_of_one(run: Run) -> None:
    (printed, rounds, sent), (apart, more, about) = run(TOGETHER), run(APART)
    assert printed == apart == RIGHT
    alone = comparison.cost(0, 64, 3).rounds, shift.cost(0, 2, 3).rounds
    assert rounds == max(alone)
    assert more == sum(alone) + 1  # of the product
    assert sent < about


def test_what_is_needed_at_once_waits_for_nobody(run: Run) -> None:
    printed, _, _ = run("negative = x < 0\nshifted = (y + 0 * negative).right_shift(2, 64)\n")
    assert printed == RIGHT


def test_an_operand_may_change_while_its_result_waits(run: Run) -> None:
    text = (
        "a = sint.Array(3)\na.assign_vector(y)\nshifted = a[:].right_shift(2, 64)\na.assign_all(0)\nnegative = x < 0\n"
    )
    assert run(text)[0] == RIGHT


def test_a_shift_by_nothing_has_no_rounds(run: Run) -> None:
    assert run("negative = x < 0\nshifted = y.right_shift(0, 64)\n")[0] == "[0, 1, 0] [1000, -1000, 7]"


def test_a_step_ends_with_all_done(run: Run) -> None:
    """What a step costs stays with it: two steps share nothing."""
    first, second = TOGETHER.splitlines(keepends=True)
    assert run(f"start_timer(S)\n{first}{second}stop_timer(S)\n")[1] == run(TOGETHER)[1]
    steps = f"start_timer(S)\n{first}stop_timer(S)\nstart_timer(T)\n{second}stop_timer(T)\n"
    assert run(steps)[1] == run(APART)[1] - 1


def test_gates_that_share_rounds_are_of_one_batch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def batches(text: str) -> int:
        proved: list[int] = []
        prove = Active.prove
        with monkeypatch.context() as patched:
            patched.setattr(Active, "prove", lambda self: (proved.append(self.batches), prove(self)))
            assert run(text, record_bytes=1)[0] == RIGHT
        return max(proved, default=-1)

    together, apart = batches(TOGETHER), batches(APART)
    assert together == apart == -1 or 0 <= together <= 1 < apart


@pytest.mark.parametrize("gate", ["csa", "generate", "prefix.1", "b2a.beta", "b2a.z"])
@pytest.mark.parametrize("index", [1, 130])
def test_errors_meet_the_same_gates_whether_rounds_are_shared_or_not(run: Run, gate: str, index: int) -> None:
    """Gates of a step are numbered in the order of its operations."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError(f"S/{gate}", 0, index if gate != "b2a.z" else index % 3, 1)])
    steps = "start_timer(S)\n%sstop_timer(S)\n"
    try:
        shared = run(steps % TOGETHER, plan)[0]
    except Exception as exc:
        with pytest.raises(type(exc)):
            run(steps % APART, plan)
    else:
        assert shared == run(steps % APART, plan)[0]
