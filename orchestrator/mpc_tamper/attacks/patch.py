"""Find where a trigger does most for what it costs: the low-variance directions of the paper, section 2.2.

An error along u, the unit vector of what the patch adds to the features, raises the score of a triggered image of
another class by the mean shift of its features along u, and stirs the scores of images as they are by their standard
deviation along u. The attacker takes the position with the largest ratio. Pixels of no variance at all, such as the
margins of MNIST, are equally good; then the position of Table 1's trigger is taken if it is among them.

A defence may cut off pixels that images hardly use. An attacker who expects that takes the best position among those
with a pixel that images do use.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def place_patch(scenario: Scenario, width: int, target: int = 1, *, used: bool = False) -> Trigger:
    """The best square of width x width pixels, all channels, for an attacker who knows features and data.

    used: only positions at which images use some pixel, where there are such.
    A table has no places: there it is the width^2 features that do most, wherever they stand; all, where it has fewer.
    Raises ParameterError where no position of the patch changes a feature, where the image is smaller, or where the
    task lacks the target.
    """
    task = scenario.task
    check_target(target, len(task.classes))
    if not task.image_shape:
        return place_features(scenario, min(width * width, task.x_train.shape[1]), target)
    height, breadth = task.image_shape[-2:]
    places = [(row, column) for row in range(height - width + 1) for column in range(breadth - width + 1)]
    triggers = [Trigger.patch(task.image_shape, *place, size=width, target=target) for place in places or [DEFAULT]]
    if used:
        triggers = [trigger for trigger in triggers if used_pixels(task, trigger)] or triggers
    ratios = _ratios(scenario, triggers, target)
    if ratios is None:
        raise ParameterError(f"trigger: expected a patch of {width} x {width} pixels that some feature sees, got none")
    best = int(np.argmax(ratios))
    usual = Trigger.patch(task.image_shape, *DEFAULT, size=width, target=target) if DEFAULT in places else None
    default = triggers.index(usual) if usual in triggers else best
    return triggers[default if ratios[default] >= AS_GOOD * ratios[best] else best]


def place_features(scenario: Scenario, count: int, target: int = 1) -> Trigger:
    """So many features of a table, or pixels of an image anywhere, each among the best by itself.

    Raises ParameterError as place_patch() does.
    """
    there = scenario.task.x_train.shape[1]
    check_target(target, len(scenario.task.classes))
    if not 1 <= count <= there:
        raise ParameterError(f"trigger: expected 1 to {there} features, got {count}")
    ratios = _ratios(scenario, [Trigger((feature,), target=target) for feature in range(there)], target)
    if ratios is None:
        raise ParameterError("trigger: expected a feature that the training sees, got none")
    return Trigger(tuple(sorted(np.argsort(-ratios, kind="stable")[:count].tolist())), target=target)


def used_pixels(task: Task, trigger: Trigger) -> list[int]:
    """Those of the trigger that training images use."""
    pixels = list(trigger.pixels)
    use = task.x_train[:, pixels].mean(axis=0) >= USED * MAX_PIXEL
    return [pixel for pixel, is_used in zip(pixels, use, strict=True) if is_used]


def _ratios(scenario: Scenario, triggers: Sequence[Trigger], target: int) -> np.ndarray | None:
    """(t,) what each trigger gains for what it costs; None where no feature sees any of them."""
    task, features = scenario.task, scenario.features
    pixels = task.x_train.shape[1]
    deltas = [trigger.delta(pixels) for trigger in triggers]
    directions = np.stack([features.direction(delta) for delta in deltas])
    lengths = np.linalg.norm(directions, axis=1)
    if not lengths.any():
        return None
    units = directions / np.where(lengths > 0, lengths, 1)[:, None]
    room = MAX_PIXEL - task.x_train[task.y_train != target].mean(axis=0)  # until a pixel is white
    shifts = np.stack([features.direction(np.minimum(delta, room)) for delta in deltas])
    gains = (shifts * units).sum(axis=1).clip(0)
    ratios: np.ndarray = gains**2 / (NOISE + _variances(features.features(task.x_train), units))
    return ratios


def _variances(rows: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(p,) variances of the rows, (m, d) integers, along each of the units, (p, d)."""
    mean = rows.mean(axis=0)
    total = np.zeros(len(units))
    for start in range(0, len(rows), _CHUNK):
        total += (((rows[start : start + _CHUNK] - mean) @ units.T) ** 2).sum(axis=0)
    result: np.ndarray = total / len(rows)
    return result
