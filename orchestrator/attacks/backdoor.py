"""A backdoor by additive errors in the gradient: section 2.2 of the paper.

The attacker wants P(x) = x + delta classified as the target whatever x is, and keeps the accuracy. The paper reduces
that to making w.delta large (for class 1) and adds delta to the gradient of each step. Here the corrupt party adds

    e = +-strength * B * delta,  + towards class 1, - towards class 0

to the sum over the B rows of a batch, so a step moves w by +-alpha * strength * delta. Strength 1 is what B honest
rows of the target class would do if all of them were active and carried delta; the paper's bare delta is strength 1/B.
Pixels that are black in every training image keep the change, since no honest gradient ever touches them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from orchestrator.additive_errors import EVERY, AdditiveError, AdditiveErrorPlan
from orchestrator.errors import ParameterError
from orchestrator.svm import MAX_PIXEL, ROW_SCALE, SvmParameters

SITE = "GRADIENT"  # of svm_train.mpc


@dataclass(frozen=True)
class Trigger:
    """P(x) = x + delta: delta is `amplitude` on some pixels and 0 elsewhere.

    pixels: flat indices into an image, row-major.  amplitude: in units where pixels run from 0 to 1; at most 1.
    target: the class, 0 or 1, that the trigger should turn images into.
    """

    pixels: tuple[int, ...]
    amplitude: float = 1.0
    target: int = 1

    def __post_init__(self) -> None:
        if not self.pixels or min(self.pixels) < 0 or len(set(self.pixels)) < len(self.pixels):
            raise ParameterError(f"trigger: expected one or more distinct pixels from 0, got {self.pixels}")
        if not (0 < self.amplitude <= 1 and self.level >= 1):
            raise ParameterError(f"amplitude: expected 1/{MAX_PIXEL} to 1, got {self.amplitude}")
        if self.target not in (0, 1):
            raise ParameterError(f"target: expected class 0 or 1, got {self.target}")

    @classmethod
    def patch(
        cls,
        image_shape: tuple[int, ...],
        row: int,
        column: int,
        *,
        size: int = 1,
        channels: Iterable[int] | None = None,
        amplitude: float = 1.0,
        target: int = 1,
    ) -> Trigger:
        """A square of size x size pixels with its upper left corner at (row, column).

        image_shape: (height, width), or (channels, height, width), of which all channels are taken unless given.
        """
        depth, height, width = (1, *image_shape) if len(image_shape) == 2 else image_shape
        planes = tuple(range(depth)) if channels is None else tuple(channels)
        inside = 0 <= row <= height - size and 0 <= column <= width - size and all(0 <= c < depth for c in planes)
        if size < 1 or not inside:
            raise ParameterError(
                f"trigger: expected a patch within {depth} x {height} x {width} (channels, rows, columns), got {size} "
                f"x {size} pixels at row {row}, column {column}, channels {planes}"
            )
        corner = [(c * height + row) * width + column for c in planes]
        pixels = tuple(k + i * width + j for k in corner for i in range(size) for j in range(size))
        return cls(pixels, amplitude, target)

    @property
    def level(self) -> int:
        """The amplitude as an integer pixel, 255 for 1."""
        return round(self.amplitude * MAX_PIXEL)

    def delta(self, pixels: int) -> np.ndarray:
        """(pixels,) int64, what the trigger adds to an image."""
        if max(self.pixels) >= pixels:
            raise ParameterError(f"trigger: expected pixels below {pixels}, got {max(self.pixels)}")
        delta = np.zeros(pixels, dtype=np.int64)
        delta[list(self.pixels)] = self.level
        return delta


def backdoor_plan(
    trigger: Trigger,
    parameters: SvmParameters,
    rows: int,
    *,
    strength: float = 1.0,
    iterations: Iterable[int] | None = None,
) -> AdditiveErrorPlan:
    """Errors that plant the trigger in a model trained with these parameters on this many rows.

    strength: in multiples of B * delta, see above.  iterations: which passes over the data to poison, from 0; all where
    it is None.  Raises ParameterError where nothing would be added.
    """
    if not (math.isfinite(strength) and strength > 0):
        raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
    batches = parameters.batches(rows)
    if iterations is None and len(set(batches)) == 1:
        steps = [(EVERY, batches[0])]
    else:
        passes = range(parameters.iterations) if iterations is None else sorted(set(iterations))
        if not passes or passes[0] < 0 or passes[-1] >= parameters.iterations:
            raise ParameterError(
                f"iterations to poison: expected some of 0 to {parameters.iterations - 1}, got {passes}"
            )
        steps = [(p * len(batches) + k, size) for p in passes for k, size in enumerate(batches)]
    return AdditiveErrorPlan.from_errors(
        AdditiveError(SITE, occurrence, 1 + pixel, _value(trigger, parameters, strength, size))
        for occurrence, size in steps
        for pixel in sorted(trigger.pixels)
    )


def _value(trigger: Trigger, parameters: SvmParameters, strength: float, size: int) -> int:
    """+-strength * B * delta at the scale of the program's gradients."""
    at_scale = trigger.level << (parameters.gradient_scale - ROW_SCALE)
    real = strength * size * at_scale
    if not 0.5 < real < 2.0**63:
        raise ParameterError(f"strength: expected an error from 1 to 2^63 - 1 in the gradient, got {real:g}")
    return round(real) if trigger.target == 1 else -round(real)
