"""Find where a trigger does most for what it costs: the low-variance directions of the paper, section 2.2.

An error along u, the unit vector of what the patch adds to the features, raises the score of a triggered image of
another class by the mean shift of its features along u, and stirs the scores of images as they are by their standard
deviation along u. The attacker takes the position with the largest ratio. Pixels of no variance at all, such as the
margins of MNIST, are equally good; then the position of Table 1's trigger is taken if it is among them.

The rows of a table have no positions: there a patch of width x width pixels is as many features, those with the largest
ratios one by one. They are the ones that hardly vary, such as rare categories.

A defence may cut off pixels that images hardly use. An attacker who expects that takes the best position among those
with a pixel that images do use.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger, check_target
from mpc_tamper.scenarios.scenario import Scenario

DEFAULT = (2, 2)  # row and column of Table 1's pixel
USED = 0.015  # mean of a pixel over the training images, as a share of white, from which on images use it
NOISE = 1.0  # variance of a feature's rounding, at scale 2^16: what keeps the ratio finite
AS_GOOD = 1 - 1e-9
_CHUNK = 1000  # rows at a time
_TOGETHER = 256  # features of a table at a time


def place_patch(scenario: Scenario, width: int, target: int = 1, *, used: bool = False) -> Trigger:
    """The best square of width x width pixels, all channels, for an attacker who knows features and data.

    Of a table the best width x width features.  used: only positions at which images use some pixel, where there are
    such.  Raises ParameterError where no position of the patch changes a feature, where the image is smaller or the
    table has fewer features, or where the task lacks the target.
    """
    task = scenario.task
    check_target(target, len(task.classes))
    if task.is_table:
        return _best_features(scenario, width * width, target, used=used)
    height, breadth = task.image_shape[-2:]
    places = [(row, column) for row in range(height - width + 1) for column in range(breadth - width + 1)]
    triggers = [Trigger.patch(task.image_shape, *place, size=width, target=target) for place in places or [DEFAULT]]
    if used:
        triggers = [trigger for trigger in triggers if used_pixels(task, trigger)] or triggers
    ratios, seen = _ratios(scenario, triggers, target)
    if not seen:
        raise ParameterError(f"trigger: expected a patch of {width} x {width} pixels that some feature sees, got none")

    best = int(np.argmax(ratios))
    usual = Trigger.patch(task.image_shape, *DEFAULT, size=width, target=target) if DEFAULT in places else None
    default = triggers.index(usual) if usual in triggers else best
    return triggers[default if ratios[default] >= AS_GOOD * ratios[best] else best]


def place_features(scenario: Scenario, count: int, target: int = 1) -> Trigger:
    """The best so many features of a table. Raises ParameterError as place_patch() does."""
    check_target(target, len(scenario.task.classes))
    return _best_features(scenario, count, target, used=False)


def _best_features(scenario: Scenario, count: int, target: int, *, used: bool) -> Trigger:
    """Those of a table with the largest ratios, the first among equals."""
    names = scenario.task.feature_names
    if count > len(names):
        raise ParameterError(
            f"trigger: expected at most the {len(names)} features of {scenario.task.name}, got {count}; choose an "
            "attack of fewer"
        )
    singles = [Trigger((place,), target=target) for place in range(len(names))]
    if used:
        kept = [trigger for trigger in singles if used_pixels(scenario.task, trigger)]
        singles = kept if len(kept) >= count else singles
    parts = [
        _ratios(scenario, singles[start : start + _TOGETHER], target) for start in range(0, len(singles), _TOGETHER)
    ]
    if not any(seen for _, seen in parts):
        raise ParameterError("trigger: expected features of the table that the training sees, got none")
    ratios = np.concatenate([part for part, _ in parts])
    best = np.argsort(-ratios, kind="stable")[:count]
    return Trigger(tuple(sorted(singles[int(place)].pixels[0] for place in best)), target=target)


def _ratios(scenario: Scenario, triggers: list[Trigger], target: int) -> tuple[np.ndarray, bool]:
    """(p,) what each does for what it costs, and whether the features see any of them."""
    task, features = scenario.task, scenario.features
    deltas = [trigger.delta(task.x_train.shape[1]) for trigger in triggers]
    directions = np.stack([features.direction(delta) for delta in deltas])
    lengths = np.linalg.norm(directions, axis=1)
    if not lengths.any():
        return np.zeros(len(triggers)), False
    units = directions / np.where(lengths > 0, lengths, 1)[:, None]
    room = MAX_PIXEL - task.x_train[task.y_train != target].mean(axis=0)  # until a pixel is white
    shifts = np.stack([features.direction(np.minimum(delta, room)) for delta in deltas])
    gains = (shifts * units).sum(axis=1).clip(0)
    return gains**2 / (NOISE + _variances(features.features(task.x_train), units)), True


def used_pixels(task: Task, trigger: Trigger) -> list[int]:
    """Those of the trigger that training images use."""
    pixels = list(trigger.pixels)
    use = task.x_train[:, pixels].mean(axis=0) >= USED * MAX_PIXEL
    return [pixel for pixel, is_used in zip(pixels, use, strict=True) if is_used]


def _variances(rows: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(p,) variances of the rows, (m, d) integers, along each of the units, (p, d)."""
    mean = rows.mean(axis=0)
    total = np.zeros(len(units))
    for start in range(0, len(rows), _CHUNK):
        total += (((rows[start : start + _CHUNK] - mean) @ units.T) ** 2).sum(axis=0)
    result: np.ndarray = total / len(rows)
    return result
