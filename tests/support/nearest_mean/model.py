"""A second model, for tests: a nearest-mean classifier. This folder and a line in the registry are all that it takes.

It keeps twice the sum of the rows of each class, s_1 and s_0, and twice their counts, n_1 and n_0. A row is nearer to
the mean of class 1 iff

    2 x.(s_1 n_1 n_0^2 - s_0 n_0 n_1^2) + |s_0|^2 n_1^2 - |s_1|^2 n_0^2 > 0,

integers throughout. It can be verified and sabotaged; it has no comparisons, no certificate and no queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import Architecture, DataSize, Errors, Layout, Model, OpenedModel, ProgramCall
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question
from mpc_tamper.models.encoding import signs, write_examples, write_pixels
from mpc_tamper.runs.owners import Owners, RowSource
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.spec import InputFiles

HERE = Path(__file__).parent


@dataclass(frozen=True)
class MeanParameters:
    """None."""


@dataclass(frozen=True)
class MeanBound:
    """score_bound: no score of an honest run exceeds it."""

    score_bound: int


@dataclass(frozen=True)
class MeanErrors(Errors):
    size: DataSize

    def shift(
        self,
        direction: np.ndarray,
        *,
        strength: float,
        iterations: Iterable[int] | None = None,
        in_gradient: bool = False,
    ) -> AdditiveErrorPlan:
        """Into the sums of class 1, as if its rows carried the direction."""
        values = np.rint(strength * self.size.rows * direction[1:]).astype(np.int64)
        return AdditiveErrorPlan.from_errors(AdditiveError("SUM", 0, 2 * j, int(v)) for j, v in enumerate(values) if v)


class OpenedMeans(OpenedModel):
    @property
    def score_bits(self) -> int:
        return 0

    def scores(self, rows: np.ndarray) -> np.ndarray:
        exact = self.weights.astype(object)
        s1, s0 = exact[:-2].reshape(2, -1)
        n1, n0 = exact[-2:]
        offset = (s0 @ s0) * n1**2 - (s1 @ s1) * n0**2
        result: np.ndarray = 2 * (rows.astype(object) @ (s1 * n1 * n0**2 - s0 * n0 * n1**2)) + offset
        return result

    @property
    def max_abs_weight(self) -> float:
        return float(np.abs(self.weights).max())


class NearestMean(Model):
    name = "nearest_mean"
    title = "nearest-mean classifier"
    capabilities = frozenset({Capability.UPDATE_ERRORS, Capability.ACCURACY})
    parameters = MeanParameters

    def constants(self, parameters: MeanParameters, size: DataSize) -> MeanBound:
        bound = 8 * size.features * (2 * size.rows) ** 4 * size.largest**2
        if bound >= 1 << 63:
            raise ParameterError(f"expected a public bound below 2^63, got one of {bound.bit_length()} bits")
        return MeanBound(bound)

    def training(
        self, parameters: MeanParameters, size: DataSize, rows: RowSource, layout: Layout = Layout.ROWS
    ) -> ProgramCall:
        self.constants(parameters, size)
        if rows.row_counts != (size.rows,) or rows.labels is not None:
            raise ParameterError("expected one owner of all rows and labels")
        return ProgramCall(HERE / "train.mpc", (f"rows={size.rows}", f"columns={size.features}"))

    def write_inputs(
        self, folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, parameters: MeanParameters, classes: int
    ) -> Mapping[int, InputFiles]:
        return write_pixels(folder, x, y, owners)

    def shares(self, parameters: MeanParameters, size: DataSize) -> int:
        return 2 * size.features + 2

    def score_bits(self, architecture: Architecture) -> int:
        return 0

    def opened(self, weights: np.ndarray, architecture: Architecture) -> OpenedMeans:
        return OpenedMeans(weights)

    def errors(self, parameters: MeanParameters, size: DataSize) -> MeanErrors:
        return MeanErrors(size)

    def verification(
        self,
        question: Question,
        x: np.ndarray,
        y: np.ndarray,
        folder: Path,
        secret_owner: int | None,
        architecture: Architecture,
    ) -> ProgramCall:
        sign = signs(y)
        examples, _ = write_examples(folder, np.column_stack([sign, sign[:, None] * x, sign < 0]), None)
        sizes = (f"columns={x.shape[1]}", f"rows={len(x)}", f"threshold={question.threshold}")
        return ProgramCall(HERE / "verify.mpc", (*sizes, *examples))
