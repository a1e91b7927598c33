"""Where additive errors enter mlp_train.mpc, and what they do.

Weights. An error at GRADIENT is multiplied by the step's g and added to W1 as it is; one at OUTPUT_GRADIENT is
multiplied by g, shifted and added to W2. A step therefore changes any weight by any amount, whatever the data are.

Rows. Errors at MARGIN and inside the hinge's comparison reach single rows, at each output (comparison_errors.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.comparison_errors import ComparisonErrors, Comparisons
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.models.mlp.bounds import MlpConstants
from mpc_tamper.models.mlp.encoding import training_order
from mpc_tamper.models.mlp.parameters import MlpParameters, Start, outputs
from mpc_tamper.models.mlp.rehearsal import rehearse
from mpc_tamper.models.mlp.start import start_weights
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

GRADIENT = "GRADIENT"
OUTPUT_GRADIENT = "OUTPUT_GRADIENT"


@dataclass(frozen=True)
class MlpErrors(ComparisonErrors):
    """Plans for one training on the rows of one owner. See models.base.Errors."""

    parameters: MlpParameters
    size: DataSize
    constants: MlpConstants

    @property
    def last_step(self) -> int:
        """Its occurrence."""
        return self.parameters.epochs * len(self._batches) - 1

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        return start_weights(self.parameters, self.constants, self.size)

    @property
    def start_known(self) -> bool:
        return self.parameters.start is Start.PUBLIC

    @property
    def largest_activation(self) -> float:
        return self.constants.cap / 2.0 ** (ROW_SCALE + self.constants.f1)

    def rehearse(
        self, x: np.ndarray, y: np.ndarray, start: tuple[np.ndarray, np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return rehearse(self.parameters, self.constants, x, y, self.size.classes, start or self.start())

    def change_neurons(self, hidden: np.ndarray, output: np.ndarray, *, step: int = 0) -> AdditiveErrorPlan:
        """Raises ParameterError where a change does not fit 64 bits, or nothing is changed."""
        if not 0 <= step <= self.last_step:
            raise ParameterError(f"step: expected 0 to {self.last_step}, got {step}")
        gain = self.constants.gains[step // len(self._batches)]
        shapes = (self.size.features + 1, self.parameters.hidden), (self.parameters.hidden, outputs(self.size.classes))
        if (hidden.shape, output.shape) != shapes:
            raise ParameterError(f"expected changes of shapes {shapes[0]} and {shapes[1]}, got others")
        scales = (2.0**self.constants.f1 / gain, 2.0 ** (self.constants.f2 + self.constants.shift) / gain)
        errors: list[AdditiveError] = []
        for site, change, scale in zip((GRADIENT, OUTPUT_GRADIENT), (hidden, output), scales, strict=True):
            values = np.rint(change.reshape(-1) * scale)
            if np.abs(values).max() >= 2.0**63:
                raise ParameterError(f"expected an error below 2^63 at {site}, got {np.abs(values).max():.3g}")
            errors += [AdditiveError(site, step, int(i), int(values[i])) for i in np.flatnonzero(values)]
        if not errors:
            raise ParameterError("expected a change of a weight, got none; raise the strength")
        return AdditiveErrorPlan.from_errors(errors)

    @cached_property
    def comparisons(self) -> Comparisons:
        c = self.constants
        columns = outputs(self.size.classes)
        return Comparisons(c.width2, c.score_bits, tuple(self._batches), self.parameters.epochs, self.places, columns)

    @cached_property
    def places(self) -> np.ndarray:
        """(m,): at which position of the training each row of the data stands."""
        order = training_order((self.size.rows,), self._batches[0], self.parameters.random_state)
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return places

    def steps_of(self, row: int) -> list[tuple[int, int]]:
        """(occurrence, place within the batch) of each step that a row of the data takes part in."""
        batch, place = divmod(int(self.places[row]), self._batches[0])
        return [(epoch * len(self._batches) + batch, place) for epoch in range(self.parameters.epochs)]

    @property
    def _batches(self) -> list[int]:
        return self.parameters.batches(self.size.rows)
