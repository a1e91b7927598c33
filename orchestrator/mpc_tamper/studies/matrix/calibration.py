"""Thresholds of checks for data that nobody has studied: what honest models reach on known examples, less some room.

N models are trained honestly, each on a sample of its own (split.py), on the clear engine, which gives the weights that
three-party computation gives. For a check with the share t of the known examples as its threshold let p_1 ... p_N be
the largest t that each of them passes. Then

    bound     = mean - k(N) * standard deviation
    threshold = Wilson's lower bound of a share `bound` of m examples, at 95%, one-sided

k(N) is the one-sided tolerance factor of the normal distribution: with 95% confidence 99% of honest models are above
the bound (Natrella 1963; NIST/SEMATECH e-Handbook 7.2.6.3). Wilson's bound then leaves room for other examples than
these m, and for models that are all alike. For a check whose threshold a model has to stay below, such as the patch
scan, all of this is mirrored.

A threshold that a model of one class alone would pass is of no use: such a check is refused, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.rows import tests_of_each_class
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.base import Change, Defence
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import Model
from mpc_tamper.models.checks import Check
from mpc_tamper.report.intervals import CONFIDENCE, wilson_one_sided
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.scenarios.runner import Outcome, ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.studies.matrix.split import Purpose, Split
from mpc_tamper.workflows.oracle import Asked, oracle

MODELS, FEWEST = 20, 5
CONTENT = 0.99  # of honest models, above the bound
RULE = (
    "Wilson's lower bound of (mean - k * standard deviation), k the one-sided normal tolerance factor; mirrored for a "
    "threshold to stay below"
)
_DIGITS = 10**9  # a share in so many parts: rounded down, it asks for the count that it came from
_PARTS = 10_000  # what thresholds are rounded to


@dataclass(frozen=True, eq=False)
class Calibration:
    """defences: with thresholds of their own.  refused: why others have none that is of use.  record: JSON types."""

    defences: Mapping[str, Defence]
    refused: Mapping[str, str]
    record: Mapping[str, Any]


def calibrate(
    split: Split,
    model: Model,
    parameters: Any,
    defences: Mapping[str, Defence],
    *,
    models: int = MODELS,
    progress: Progress = silent,
) -> Calibration:
    """Thresholds for the checks among these defences.

    models: N.  Those that ask for what the model lacks, and checks without a threshold, are left as they are.
    """
    if models < FEWEST:
        raise ParameterError(f"calibration: expected at least {FEWEST} honest models, got {models}; train more")
    classes = len(split.training.classes)
    judged = {
        name: defence
        for name, defence in defences.items()
        if defence.check is not None
        and hasattr(defence.check, "threshold")
        and not model.lacking(defence.needs, classes)
    }
    reached = _reached(split, model, parameters, judged, models, progress)
    found: dict[str, Defence] = dict(defences)
    refused: dict[str, str] = {}
    record: dict[str, Any] = {}
    for name, shares in reached.items():
        defence, examples = judged[name], _examples(split.training, judged[name])
        threshold, facts = _threshold(shares, len(examples.y_test), ceiling=is_ceiling(defence.check))
        record[name] = facts
        reason = _useless(threshold, defence, examples.y_test, shares)
        if reason is None:
            found[name] = replace(defence, check=with_threshold(defence.check, threshold))
        else:
            del found[name]
            refused[name] = reason
    how = {
        "rule": RULE,
        "models": models,
        "content": CONTENT,
        "confidence": CONFIDENCE,
        "tolerance_factor": round(tolerance_factor(models), 6),
        "checks": record,
    }
    return Calibration(found, refused, how)


def tolerance_factor(models: int, content: float = CONTENT, confidence: float = CONFIDENCE) -> float:
    """k: `content` of a normal distribution is above mean - k * standard deviation of so many draws.

    Natrella's formula, within 1% of the exact factor from 15 draws on.
    """
    of_content, of_confidence = NormalDist().inv_cdf(content), NormalDist().inv_cdf(confidence)
    a = 1 - of_confidence**2 / (2 * (models - 1))
    b = of_content**2 - of_confidence**2 / models
    return (of_content + math.sqrt(of_content**2 - a * b)) / a


def is_ceiling(check: Check | None) -> bool:
    """Whether a model has to stay below the threshold."""
    return bool(getattr(check, "ceiling", False))


def with_threshold(check: Check | None, threshold: float) -> Check:
    """check: a frozen dataclass with a threshold."""
    changed: Check = replace(check, threshold=threshold)  # type: ignore[type-var,assignment]
    return changed


def best_count(passes: Callable[[int], bool], most: int, guess: int) -> int:
    """The largest count from 0 to `most` that passes; smaller ones pass as well, and 0 does without being asked.

    Gallops from the guess, so that a good one takes few questions.
    """
    low, high, step = 0, most + 1, 1  # low passes, high does not
    probe = min(max(guess, 1), most)
    while high - low > 1:
        if passes(probe):
            low = probe
            probe = low + step if high > most else (low + high) // 2
        else:
            high = probe
            probe = high - step if low == 0 else (low + high) // 2
        step *= 2
        probe = min(max(probe, low + 1), high - 1)
    return low


def _reached(
    split: Split, model: Model, parameters: Any, judged: Mapping[str, Defence], models: int, progress: Progress
) -> dict[str, list[float]]:
    """For each check the share at which each honest model just passes; those that train alike are trained once."""
    shares: dict[str, list[float]] = {name: [] for name in judged}
    groups: dict[Change, list[str]] = {}
    for name, defence in judged.items():
        groups.setdefault(defence.change, []).append(name)
    for number in range(models):
        progress(f"calibrating {split.training.name}: honest model {number + 1} of {models}", number / models)
        task = split.sample(Purpose.CALIBRATION, number)
        for change, names in groups.items():
            plain = Scenario.plain(task, drawn_parameters(model, parameters, number), model)
            with TemporaryFolder() as folder:
                runner = ScenarioRunner(get_engine(EngineName.CLEAR), Path(folder))
                outcome = runner.run(change(plain), Attempt(Trigger((0,)), task))
                for name in names:
                    guess = shares[name][-1] if shares[name] else 1.0
                    shares[name].append(_reached_by(outcome, judged[name], guess))
    return shares


def drawn_parameters(model: Model, parameters: Any, number: int) -> Any:
    """With a seed of its own for a training that draws something."""
    if not hasattr(parameters, "random_state"):
        return parameters
    return model.with_random_state(parameters, parameters.random_state + number)


def ask(outcome: Outcome, defence: Defence) -> Asked:
    """The oracle of a model of a scenario, about the scenario's test rows: the known examples."""
    examples = _examples(outcome.scenario.task, defence)
    rows = outcome.features.features(examples.x_test)
    return oracle(outcome.shares, rows, examples.y_test, channels=examples.channels)


def _reached_by(outcome: Outcome, defence: Defence, guess: float) -> float:
    examples, asked = len(_examples(outcome.scenario.task, defence).y_test), ask(outcome, defence)
    check = defence.check
    if is_ceiling(check):  # the least that it stays below: counted from above
        left = best_count(
            lambda count: asked(with_threshold(check, (examples - count) / examples)),
            examples - 1,
            round((1 - guess) * examples),
        )
        return (examples - left) / examples
    best = best_count(
        lambda count: asked(with_threshold(check, (count * _DIGITS // examples) / _DIGITS)),
        examples,
        round(guess * examples),
    )
    return best / examples


def _threshold(shares: list[float], examples: int, *, ceiling: bool) -> tuple[float, dict[str, Any]]:
    mean, deviation, factor = fmean(shares), stdev(shares), tolerance_factor(len(shares))
    if ceiling:
        bound = min(1.0, mean + factor * deviation)
        threshold = math.ceil(wilson_one_sided(bound, examples)[1] * _PARTS) / _PARTS
    else:
        bound = max(0.0, mean - factor * deviation)
        threshold = math.floor(wilson_one_sided(bound, examples)[0] * _PARTS) / _PARTS
    facts = {
        "reached": [round(share, 6) for share in shares],
        "mean": round(mean, 6),
        "standard_deviation": round(deviation, 6),
        "bound": round(bound, 6),
        "examples": examples,
        "threshold": threshold,
    }
    return threshold, facts


def _useless(threshold: float, defence: Defence, labels: np.ndarray, shares: list[float]) -> str | None:
    """Why a threshold is of no use; None where it is."""
    check = defence.check
    if is_ceiling(check):
        if threshold < 1:
            return None
        return f"on this data honest models react to the scan as a tampered one would ({max(shares):.1%} at most)"
    largest = int(np.bincount(labels).max())
    if threshold > 0 and with_threshold(check, threshold).least(len(labels)) > largest:
        return None
    return (
        f"on this data honest models reach {fmean(shares):.1%} on average, and a threshold that they pass, "
        f"{threshold:.1%}, would be passed by a model of one class alone ({largest / len(labels):.1%})"
    )


def _examples(task: Task, defence: Defence) -> Task:
    return task if defence.examples is None else tests_of_each_class(task, defence.examples)
