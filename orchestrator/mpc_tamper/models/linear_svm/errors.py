"""Where additive errors enter svm_train.mpc, and what they do.

Updates. An error at GRADIENT is at the gradient's scale and is multiplied by alpha / B. Where the update is clipped, an
error at CLIP, after the clamp, goes to the weights as it is. Both move the weights by alpha * strength * direction in a
step: the paper adds a perturbation to the gradient (section 2.2); ePrint 2025/906 calls it gradient shifting.

Rows. Errors at MARGIN and inside the comparison reach single rows (models/comparison_errors.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.comparison_errors import ComparisonErrors, Comparisons
from mpc_tamper.models.fixed_point import BIAS, ROW_SCALE
from mpc_tamper.models.linear_svm.bounds import FixedPoint
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, WEIGHT_SCALE, Loss, SvmParameters
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan

LARGE = 1 << 62
_MODULUS = 1 << 64


class UpdateSite(StrEnum):
    """The last multiplication of a training step, after which no defence looks at the update any more."""

    GRADIENT = "GRADIENT"
    CLIP = "CLIP"


@dataclass(frozen=True)
class SvmErrors(ComparisonErrors):
    """Plans for one training. See models.base.Errors."""

    parameters: SvmParameters
    size: DataSize
    constants: FixedPoint

    @property
    def site(self) -> UpdateSite:
        return UpdateSite.GRADIENT if self.parameters.clip is None else UpdateSite.CLIP

    def shift(
        self,
        direction: np.ndarray,
        *,
        strength: float,
        iterations: Iterable[int] | None = None,
        in_gradient: bool = False,
    ) -> AdditiveErrorPlan:
        """Raises ParameterError where nothing would be added, or something outside 64 bits."""
        site = UpdateSite.GRADIENT if in_gradient else self.site
        return shift_plan(
            direction, self.parameters, self.size.rows, strength=strength, site=site, iterations=iterations
        )

    def shift_once(self, change: np.ndarray) -> AdditiveErrorPlan:
        direction = change * BIAS / self.parameters.learning_rate
        return self.shift(direction, strength=1.0, iterations=[self.parameters.iterations - 1])

    def overflow(self, feature: int, *, upward: bool) -> tuple[AdditiveErrorPlan, int]:
        """Errors are added modulo 2^64, and so is everything after them. The gradient is multiplied by a public gain,
        and gain * 2^62 may come out as 0, or negative; a small d makes gain * (2^62 + d) large and positive, see
        multiplied_to_large(). After the shift by t bits one weight is 2^(62 - t) larger than it was. At CLIP, after the
        clamp, the error goes to the weight itself, and is the largest that does not wrap around in w.x for a white
        pixel: 2^54.
        """
        gradient = self.site is UpdateSite.GRADIENT
        size = multiplied_to_large(self.constants.last_gain) if gradient else LARGE >> ROW_SCALE
        value = size if upward else -size
        return AdditiveErrorPlan.from_errors([AdditiveError(self.site, self.last_step, 1 + feature, value)]), value

    def strength_for(self, score: float, direction: np.ndarray) -> float:
        steps = self.parameters.iterations * len(self.parameters.batches(self.size.rows))
        square = float(direction @ direction) / (1 << 2 * ROW_SCALE)
        return score / (self.parameters.learning_rate * steps * square)

    @property
    def comparisons(self) -> Comparisons:
        rows = self.size.rows
        batches = tuple(self.parameters.batches(rows))
        return Comparisons(self.constants.width, MARGIN_SCALE, batches, self.parameters.iterations, np.arange(rows))

    def multiply_rows(
        self, rows: np.ndarray, factor: int, corrupt_party: int
    ) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        if self.parameters.loss is not Loss.HINGE or factor % 2:
            raise ParameterError(
                f"gradient scaling: expected the hinge loss and an even factor, got {self.parameters.loss} and {factor}"
            )
        return super().multiply_rows(rows, factor, corrupt_party)

    @property
    def last_step(self) -> int:
        """The occurrence of the last update."""
        return self.parameters.iterations * len(self.parameters.batches(self.size.rows)) - 1


def shift_plan(
    direction: np.ndarray,
    parameters: SvmParameters,
    rows: int,
    *,
    strength: float,
    site: UpdateSite = UpdateSite.GRADIENT,
    iterations: Iterable[int] | None = None,
) -> AdditiveErrorPlan:
    """Errors that add alpha * strength * direction to the weights in each step of a training on this many rows.

    direction: (n + 1,) float64 at scale 2^8, bias first.  strength: what as many rows as a batch has would do if all
    were active and carried the direction.  iterations: which passes over the data, from 0; all where it is None.
    Raises ParameterError where nothing would be added, or something outside 64 bits.
    """
    if not (math.isfinite(strength) and strength > 0):
        raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
    largest = float(np.abs(direction).max())
    errors = []
    for occurrence, size in _steps(parameters, rows, site, iterations):
        if site is UpdateSite.GRADIENT:
            factor = strength * size * 2.0 ** (parameters.gradient_scale - ROW_SCALE)
        else:
            factor = strength * parameters.learning_rate * 2.0 ** (WEIGHT_SCALE - ROW_SCALE)
        if not 0.5 < factor * largest < 2.0**63:
            raise ParameterError(
                f"strength: expected an error from 1 to 2^63 - 1 at {site}, got {factor * largest:.3g}"
            )
        values = np.rint(factor * direction)
        errors += [AdditiveError(site, occurrence, int(i), int(values[i])) for i in np.flatnonzero(values)]
    return AdditiveErrorPlan.from_errors(errors)


def _steps(
    parameters: SvmParameters, rows: int, site: UpdateSite, iterations: Iterable[int] | None
) -> list[tuple[int, int]]:
    """(occurrence, rows of its batch), one for all steps where they are alike."""
    batches = parameters.batches(rows)
    if iterations is None and (len(set(batches)) == 1 or site is not UpdateSite.GRADIENT):
        return [(EVERY, batches[0])]
    passes = range(parameters.iterations) if iterations is None else sorted(set(iterations))
    if not passes or passes[0] < 0 or passes[-1] >= parameters.iterations:
        raise ParameterError(f"iterations to poison: expected some of 0 to {parameters.iterations - 1}, got {passes}")
    return [(p * len(batches) + k, size) for p in passes for k, size in enumerate(batches)]


def multiplied_to_large(gain: int) -> int:
    """2^62 + d with d of the smallest size such that gain times it is within gain of 2^62 modulo 2^64. gain: from 1."""
    missing = (1 - gain) * LARGE % _MODULUS
    if missing >= _MODULUS // 2:
        missing -= _MODULUS
    return LARGE + missing // gain
