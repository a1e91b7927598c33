"""Where additive errors enter mlp_train.mpc, and what they do.

Weights. An error at GRADIENT is multiplied by the step's g and added to W1 as it is; one at OUTPUT_GRADIENT is
multiplied by g, shifted and added to W2. A step therefore changes any weight by any amount, whatever the data are.

Rows. An error at MARGIN moves a row's margin at an output, exactly, on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize, Errors
from mpc_tamper.models.mlp.bounds import MlpConstants
from mpc_tamper.models.mlp.encoding import training_order
from mpc_tamper.models.mlp.parameters import MlpParameters, outputs
from mpc_tamper.models.mlp.start import start_weights
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan

GRADIENT = "GRADIENT"
OUTPUT_GRADIENT = "OUTPUT_GRADIENT"
MARGIN = "MARGIN"


@dataclass(frozen=True)
class MlpErrors(Errors):
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

    def silence_rows(self, rows: np.ndarray) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """An error of 2^(width-1) on a row's margins puts it on the far side of every hinge, as for the linear SVM."""
        width = self.constants.width2
        return self._margins(rows, 1 << (width - 1)), {"error": f"2^{width - 1}"}

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

    def _margins(self, rows: np.ndarray, value: int) -> AdditiveErrorPlan:
        """The value at all outputs of these rows, in every step that they take part in."""
        columns = outputs(self.size.classes)
        errors = [
            AdditiveError(MARGIN, EVERY if len(self._batches) == 1 else step, place * columns + column, value)
            for row in rows.tolist()
            for step, place in (self.steps_of(row)[:1] if len(self._batches) == 1 else self.steps_of(row))
            for column in range(columns)
        ]
        return AdditiveErrorPlan.from_errors(errors)
