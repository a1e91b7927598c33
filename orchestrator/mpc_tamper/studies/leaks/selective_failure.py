"""What the verdict on a model tells the party that tampered with it: a chosen bit about a chosen training row.

The paper (section 1.1) counts one bit of leakage and calls it relatively harmless. Here that bit is put to use. A
corrupt party takes all rows but one out of the training (attacks/gradient_zeroing.py), and adds errors instead that

- in step 0 give the model a bias v, so that row i has the margin +v or -v, as its secret label says;
- in the last step replace that by a good model of its own, so small that a single step of row i overrules it.

So the accuracy passes iff row i did not count. These are ways to make that depend on the label:

    threshold    nothing else: h = [1 - margin > 0] = 1 iff the label is -1. Operation-level errors alone, all engines.
    carry        1 - margin is moved to just below 0 for label -1 and far below for 1, and a carry of the row's
                 comparison is flipped in one step: it has an effect near 0 alone, about every other time
                 (attacks/comparison_probing.py).
    carries      the same in every step but the first.
    generate     one gate further on, in one step. The flip turns the carry into the bits above around; near 0 that one
                 runs through to the sign, as a sum of random numbers that is near 0 wraps around: almost always.

Any other linear function of the row instead of the bias gives the answer to another question. One row's step moves a
white pixel's weight by alpha / B, which has to be some units of 2^-16: with many more rows it takes more steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, PLAIN, WEIGHT_SCALE
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.training import train, train_and_open
from mpc_tamper.workflows.verification import verify

PARAMETERS = replace(PLAIN, iterations=8)
CHECK = AccuracyThreshold(0.97)
BIAS_WEIGHT = 64  # v, in real units
NEAR = 1 / 16  # what 1 - margin is below 0 for label -1
SMALL = 500  # how much smaller the attacker's model is than one that was trained


class LeakMethod(StrEnum):
    THRESHOLD = "threshold"
    CARRY = "carry"
    CARRIES = "carries"
    GENERATE = "generate"


# Gate and plane of the flip, with an effect where 1 - margin is below 1, or well below 32: the carry out of bit 27.
_GATES = {LeakMethod.CARRY: ("csa", 23), LeakMethod.CARRIES: ("csa", 23), LeakMethod.GENERATE: ("generate", 14)}


@dataclass(frozen=True)
class Leak:
    """Of one method: how many of the verifications failed, by the secret label of the row that was asked about."""

    method: LeakMethod
    failed: tuple[int, int]
    asked: tuple[int, int]

    @property
    def failure_rates(self) -> tuple[float, float]:
        return self.failed[0] / self.asked[0], self.failed[1] / self.asked[1]

    @property
    def bits(self) -> float:
        """Mutual information of verdict and label, for labels that are equally likely, to two decimals.

        The plug-in estimate, which is biased upwards by about 1 / (2 n ln 2) bit for n questions: 0.05 for 16.
        """
        first, second = self.failure_rates
        return round(_entropy((first + second) / 2) - (_entropy(first) + _entropy(second)) / 2, 2)

    def record(self) -> dict[str, Any]:
        return {
            "way": str(self.method),
            "asked_of_class": list(self.asked),
            "failed_of_class": list(self.failed),
            "leaked_bits": self.bits,
        }


def measure_leak(
    method: LeakMethod,
    task: Task,
    surrogate: Task,
    rows: np.ndarray,
    engine: Engine,
    corrupt_party: int = 1,
    progress: Progress = silent,
) -> Leak:
    """Ask about each of these training rows once: train, verify actively, note the verdict.

    surrogate: data of the attacker's own.  task: whose test images are the known examples.
    """
    scenario = replace(Scenario.plain(task, PARAMETERS), corrupt_party=corrupt_party)
    own = train_and_open(surrogate, PLAIN, engine=get_engine(EngineName.CLEAR)).weights // SMALL
    failed, asked = [0, 0], [0, 0]
    for number, row in enumerate(rows.tolist()):
        progress(f"selective failure, {method}", number / len(rows))
        label = int(task.y_train[row])
        asked[label] += 1
        failed[label] += not _passes(scenario, query_plan(method, scenario, row, own), engine)
    return Leak(method, (failed[0], failed[1]), (asked[0], asked[1]))


def query_plan(method: LeakMethod, scenario: Scenario, row: int, own: np.ndarray) -> AdditiveErrorPlan:
    """Errors after which the model is `own`, (n + 1,) integers at scale 2^16, unless the row counts."""
    steps, rows = scenario.parameters.iterations, len(scenario.task.x_train)
    away = 1 << (scenario.constants.width - 1)
    probed = [1] if method in (LeakMethod.CARRY, LeakMethod.GENERATE) else list(range(1, steps))
    moved = 0 if method is LeakMethod.THRESHOLD else round((1 + BIAS_WEIGHT + NEAR) * 2**MARGIN_SCALE)
    errors = [AdditiveError("MARGIN", EVERY, other, away) for other in range(rows) if other != row]
    errors += [AdditiveError("MARGIN", t, row, moved if t in probed else away) for t in range(steps)]
    if method is not LeakMethod.THRESHOLD:
        gate, plane = _GATES[method]
        errors += [AdditiveError(f"HINGE/{gate}", t, plane * rows + row, 1) for t in probed]
    return AdditiveErrorPlan.from_errors([*errors, *_weights_without_rows(scenario, own)])


def _weights_without_rows(scenario: Scenario, own: np.ndarray) -> Iterator[AdditiveError]:
    """A bias in step 0, which decays, and in the last step what is missing to the attacker's model."""
    c, last = scenario.constants, scenario.parameters.iterations - 1
    first = (BIAS_WEIGHT << (WEIGHT_SCALE + c.shift)) // c.gain
    yield AdditiveError("GRADIENT", 0, 0, first)
    bias = c.gain * first >> c.shift
    for _ in range(1, last):
        bias += -c.decay * bias >> c.shift
    weights = np.zeros(len(own), dtype=np.int64)
    weights[0] = bias
    missing = np.rint((((own - weights) << c.shift) + c.decay * weights) / c.gain).astype(np.int64)
    yield from (AdditiveError("GRADIENT", last, int(j), int(missing[j])) for j in np.flatnonzero(missing))


def _passes(scenario: Scenario, plan: AdditiveErrorPlan, engine: Engine) -> bool:
    task = scenario.task
    with TemporaryFolder() as folder:
        shares = Path(folder, "train")
        corruption = Corruption(scenario.corrupt_party, plan)
        train(task, scenario.parameters, engine=engine, run_dir=shares, corruption=corruption)
        return verify(shares, task.x_test, task.y_test, CHECK, engine=engine).verdict.passed


def _entropy(p: float) -> float:
    return -sum(q * log2(q) for q in (p, 1 - p) if q > 0)
