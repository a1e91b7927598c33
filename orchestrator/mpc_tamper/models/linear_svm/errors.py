"""Where additive errors enter svm_train.mpc, and what they do.

Updates. An error at GRADIENT is at the gradient's scale and is multiplied by alpha / B. Where the update is clipped, an
error at CLIP, after the clamp, goes to the weights as it is. Both move the weights by alpha * strength * direction in a
step: the paper adds a perturbation to the gradient (section 2.2); ePrint 2025/906 calls it gradient shifting. alpha is
that of the step's pass. With momentum mu later steps repeat mu, mu^2, ... of that, as of anything that a step adds.
With more than two classes the weights are (n + 1, C), and so are directions and changes.

Rows. Errors at MARGIN and inside the comparison reach single rows (models/comparison_errors.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.comparison_errors import ComparisonErrors, Comparisons
from mpc_tamper.models.fixed_point import BIAS, ROW_SCALE
from mpc_tamper.models.linear_svm.bounds import FixedPoint, row_norm2
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, WEIGHT_SCALE, Loss, SvmParameters, outputs
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

    @property
    def rate(self) -> float:
        """The step size of the first pass."""
        norm2 = row_norm2(self.parameters, self.size.features, self.size.largest)
        return self.parameters.rate(math.sqrt(norm2) / BIAS)

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
        if not (math.isfinite(strength) and strength > 0):
            raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
        steps = _steps(self.parameters, self.size.rows, site, iterations)
        return _plan(direction, self.parameters, self.rate, steps, site, strength)

    def shift_once(self, change: np.ndarray) -> AdditiveErrorPlan:
        """In the last step alone: nothing comes after it, so that momentum repeats nothing."""
        direction = change * BIAS * self.parameters.parts / self.rate
        sizes = self.parameters.batches(self.size.rows)
        last = _Step(self.last_step, sizes[-1], 1 / self.parameters.parts)
        return _plan(direction, self.parameters, self.rate, [last], self.site, 1.0)

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
        """A step's change goes on with momentum to the end, unless a clamp holds that back."""
        parameters = self.parameters
        batches = len(parameters.batches(self.size.rows))
        parts = [parameters.parts_in(p) / parameters.parts for p in range(parameters.iterations)]
        shares = np.repeat(parts, batches)
        if parameters.momentum and self.site is UpdateSite.GRADIENT:
            left = np.arange(len(shares), 0, -1)
            shares = shares * (1 - parameters.momentum**left) / (1 - parameters.momentum)
        square = float(np.square(direction).sum()) / (1 << 2 * ROW_SCALE)
        return float(score / (self.rate * shares.sum() * square))

    @property
    def comparisons(self) -> Comparisons:
        """A row that is trained one against all has its label apart: its margin is complete once that is multiplied."""
        rows = self.size.rows
        batches = tuple(self.parameters.batches(rows))
        columns = outputs(self.size.classes)
        return Comparisons(
            self.constants.width,
            MARGIN_SCALE,
            batches,
            self.parameters.iterations,
            np.arange(rows),
            columns,
            "MARGIN" if columns == 1 else "LABEL_MARGIN",
            2 if self.parameters.loss is Loss.MODIFIED_HUBER else 1,
        )

    def multiply_rows(
        self, rows: np.ndarray, factor: int, corrupt_party: int
    ) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        if not self.parameters.whole or factor % 2:
            raise ParameterError(
                f"gradient scaling: expected the hinge loss and an even factor, got {self.parameters.loss} and {factor}"
            )
        return super().multiply_rows(rows, factor, corrupt_party)

    @property
    def last_step(self) -> int:
        """The occurrence of the last update."""
        return self.parameters.iterations * len(self.parameters.batches(self.size.rows)) - 1


@dataclass(frozen=True)
class _Step:
    """Of its own, or of all alike.  rows: of its batch.  share: of the first pass's step size."""

    occurrence: int
    rows: int
    share: float


def _plan(
    direction: np.ndarray,
    parameters: SvmParameters,
    rate: float,
    steps: Sequence[_Step],
    site: UpdateSite,
    strength: float,
) -> AdditiveErrorPlan:
    """Errors that add alpha * strength * direction to the weights in each of these steps.

    direction: (n + 1,) or (n + 1, C) float64 at scale 2^8, bias first.  rate: alpha of the first pass.  strength: what
    as many rows as a batch has would do if all were active and carried the direction.
    Raises ParameterError where nothing would be added, or something outside 64 bits.
    """
    direction = direction.reshape(-1)
    largest = float(np.abs(direction).max())
    most = max(step.share for step in steps)
    errors = []
    for step in steps:
        if site is UpdateSite.GRADIENT:
            factor = strength * step.rows * 2.0 ** (parameters.gradient_scale - ROW_SCALE)
        else:
            factor = strength * rate * step.share * 2.0 ** (WEIGHT_SCALE - ROW_SCALE)
        least = 0.5 if step.share == most or site is UpdateSite.GRADIENT else 0.0  # later ones may be too small to add
        if not least < factor * largest < 2.0**63:
            raise ParameterError(
                f"strength: expected an error from 1 to 2^63 - 1 at {site}, got {factor * largest:.3g}"
            )
        values = np.rint(factor * direction)
        errors += [AdditiveError(site, step.occurrence, int(i), int(values[i])) for i in np.flatnonzero(values)]
    return AdditiveErrorPlan.from_errors(errors)


def _steps(parameters: SvmParameters, rows: int, site: UpdateSite, iterations: Iterable[int] | None) -> list[_Step]:
    """Those of these passes over the data, from 0; one for all where they are alike.

    The same error at GRADIENT follows the step size by itself; at CLIP each pass takes its own.
    """
    batches = parameters.batches(rows)
    gradient = site is UpdateSite.GRADIENT
    alike = len(set(batches)) == 1 if gradient else parameters.parts == 1
    if iterations is None and alike:
        return [_Step(EVERY, batches[0], 1.0)]
    passes = range(parameters.iterations) if iterations is None else sorted(set(iterations))
    if not passes or passes[0] < 0 or passes[-1] >= parameters.iterations:
        raise ParameterError(f"iterations to poison: expected some of 0 to {parameters.iterations - 1}, got {passes}")
    return [
        _Step(p * len(batches) + k, size, parameters.parts_in(p) / parameters.parts)
        for p in passes
        for k, size in enumerate(batches)
    ]


def multiplied_to_large(gain: int) -> int:
    """2^62 + d with d of the smallest size such that gain times it is within gain of 2^62 modulo 2^64. gain: from 1."""
    missing = (1 - gain) * LARGE % _MODULUS
    if missing >= _MODULUS // 2:
        missing -= _MODULUS
    return LARGE + missing // gain
