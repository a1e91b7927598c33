"""Errors at gates of a comparison: where they have an effect, and what a verdict tells through them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.datasets import Task, load_task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.rep3.gate_flips import ComparisonFlips
from mpc_tamper.engines.rep3.primitives import carry_tree, comparison
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.studies.leaks import probing, selective_failure
from mpc_tamper.studies.leaks.selective_failure import Leak, LeakMethod, measure_leak, query_plan
from tests.support.in_memory import InMemoryRep3
from tests.support.scenario_runs import CLEAR, weights_of

WIDTH, REPEATS = 16, 30


@cache
def tasks() -> tuple[Task, Task]:
    whole = load_task("mnist_0_1")

    def part(first: int) -> Task:
        x, y = (a[first : first + 300] for a in (whole.x_train, whole.y_train))
        return replace(whole, x_train=x, y_train=y, x_test=whole.x_test[:100], y_test=whole.y_test[:100])

    return part(0), part(300)


@cache
def changes(gate: str, corrupt_party: int) -> np.ndarray:
    planes = comparison.gates(WIDTH + 1)[gate]
    rng = np.random.default_rng(1)
    return (
        np.array(probing.count_changes(ComparisonFlips(), gate, planes, WIDTH, REPEATS, rng, corrupt_party)) / REPEATS
    )


def test_gates_of_a_comparison() -> None:
    """Carry-save up to the sign's; then the tree's products, round by round."""
    assert comparison.gates(2) == {"csa": 1}
    assert comparison.gates(3) == {"csa": 2, "generate": 1}
    assert comparison.gates(6) == {"csa": 5, "generate": 3, "prefix.0": 1, "prefix.1": 2}


@pytest.mark.parametrize("corrupt_party", range(3))
def test_a_flipped_majority_has_an_effect_near_the_boundary_half_of_the_time(corrupt_party: int) -> None:
    rates = changes("csa", corrupt_party)
    for plane, size in np.ndindex(rates.shape):
        if plane == WIDTH - 1:  # it enters the sign itself
            assert rates[plane, size] == 1
        elif plane + 1 < size < WIDTH - 1:  # more than 2^(plane + 1), what the flip moves the sum by, from any sign
            assert rates[plane, size] == 0
    assert np.mean([rates[plane, :plane].mean() for plane in range(2, WIDTH - 2)]) == pytest.approx(0.5, abs=0.1)


def generated(width: int) -> dict[int, int]:
    """Bits j by planes of `generate`, of those that make the carry out of one bit, from j into j + 1 of the tree's sum;
    the others multiply two p."""
    count = width - 1  # of leaves, in a comparison of width + 1 bits
    first = carry_tree.plan(carry_tree.Leaves(count, count, 1)).rounds[0]
    factors = enumerate(zip(first.left.tolist(), first.right.tolist(), strict=True))
    return {plane: a for plane, (a, b) in factors if a < count and b == count + a}


@pytest.mark.parametrize("corrupt_party", range(3))
def test_a_flipped_generate_bit_has_an_effect_near_the_boundary_for_certain(corrupt_party: int) -> None:
    """Of bit j: the carry into bit j + 2."""
    rates = changes("generate", corrupt_party)
    bits = generated(WIDTH)
    assert len(bits) >= WIDTH // 2 - 1
    sizes = [(rates[plane, size], bit, size) for plane, bit in bits.items() for size in range(WIDTH)]
    assert max(rate for rate, bit, size in sizes if bit + 2 < size < WIDTH - 2) == 0
    assert np.mean([rate for rate, bit, size in sizes if size < bit - 5]) > 0.97


def test_the_leak_flips_the_carry_out_of_a_bit_well_above_the_hinge() -> None:
    """Bit 27 of 1 - margin, which is at scale 2^24: values well below 32."""
    gate, plane = selective_failure._GATES[LeakMethod.GENERATE]
    width = Scenario.plain(load_task("mnist_0_1"), selective_failure.PARAMETERS).constants.width
    assert (gate, generated(width)[plane]) == ("generate", 27)


@pytest.mark.parametrize("method", LeakMethod)
def test_a_verdict_tells_a_rows_label(method: LeakMethod) -> None:
    task, surrogate = tasks()
    rows = np.array([np.flatnonzero(task.y_train == label)[3] for label in (0, 1)])
    leak = measure_leak(method, task, surrogate, rows, InMemoryRep3(), corrupt_party=2)
    assert leak.asked == (1, 1)
    assert leak.failed[1] == 0
    if method is not LeakMethod.CARRY:  # once, it is up to the shares
        assert leak.failed[0] == 1
        assert leak.bits == 1


def test_the_model_is_the_attackers_unless_the_row_counts() -> None:
    task, _ = tasks()
    scenario = Scenario.plain(task, selective_failure.PARAMETERS)
    own = np.random.default_rng(1).integers(-30, 30, 785)
    for label, same in ((1, True), (0, False)):
        row = int(np.flatnonzero(task.y_train == label)[0])
        plan: AdditiveErrorPlan = query_plan(LeakMethod.THRESHOLD, scenario, row, own)
        weights = weights_of(scenario, Attempt.in_training(plan, Trigger((0,)), task), CLEAR)
        assert (np.abs(weights - own).max() <= 2) == same


@pytest.mark.parametrize(
    ("failed", "bits"), [((4, 0), 1.0), ((0, 4), 1.0), ((0, 0), 0.0), ((2, 2), 0.0), ((2, 0), 0.31)]
)
def test_bits_of_a_verdict(failed: tuple[int, int], bits: float) -> None:
    assert Leak(LeakMethod.CARRY, failed, (4, 4)).bits == bits


def test_the_record_and_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "measure_leak", lambda method, *_: Leak(method, (1, 0), (1, 1)))
    record = probing.probe(InMemoryRep3(), tmp_path, repeats=1, questions=1)
    assert json.loads((tmp_path / probing.PROBING_JSON).read_text()) == record
    assert [len(g["changed"]) for g in record["gates"]] == list(comparison.gates(record["width"] + 1).values())
    text = (tmp_path / probing.PROBING_MARKDOWN).read_text()
    assert "| one flipped carry, `csa`, in one step | 1 of 1 | 0 of 1 | 1.00 |" in text
    assert "by about 0.36 bit for 2." in text
    assert "`generate`, " in text
