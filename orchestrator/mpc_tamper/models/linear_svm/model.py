"""The linear support vector machine, as everything else knows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import Architecture, DataSize, Layout, Model, ProgramCall
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question
from mpc_tamper.models.encoding import (
    integer_rows,
    signed_labels,
    signs,
    write_labelled_rows,
    write_signed_rows,
)
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.linear_svm import program, rehearsal
from mpc_tamper.models.linear_svm.bounds import FixedPoint, check_row_norm, fixed_point, row_norm2
from mpc_tamper.models.linear_svm.errors import SvmErrors
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, OUTPUTS, PLAIN, SvmParameters, columns, outputs
from mpc_tamper.models.linear_svm.scoring import OpenedSvm
from mpc_tamper.runs.owners import Owners, RowSource, StoredRows
from mpc_tamper.runs.spec import InputFiles

_QUICK_ITERATIONS = 20
_COLOURED = SvmParameters(learning_rate=0.0046)  # brings two classes of CIFAR-10 well above 78%


class LinearSvm(Model):
    name = "linear_svm"
    title = "linear SVM"
    capabilities = frozenset(Capability) - {
        Capability.NEURONS,
        Capability.SECRET_START,
        Capability.PATCH_SCAN,
    }
    parameters = SvmParameters

    def capabilities_for(self, classes: int) -> frozenset[Capability]:
        """More than two classes have a score each, and rows that stand as shares know their label -1 or 1 alone."""
        of_two = frozenset({Capability.SINGLE_SCORE, Capability.STORED_ROWS})
        return self.capabilities if classes == 2 else self.capabilities - of_two

    def constants(self, parameters: SvmParameters, size: DataSize) -> FixedPoint:
        return fixed_point(parameters.for_classes(size.classes), size.rows, size.features, size.largest)

    def training(
        self, parameters: SvmParameters, size: DataSize, rows: RowSource, layout: Layout = Layout.ROWS
    ) -> ProgramCall:
        if isinstance(rows, StoredRows) and size.classes > 2:
            raise ParameterError(
                f"expected two classes for a training on rows that stand as shares, got {size.classes}; choose two "
                "with --classes A,B, or let owners enter the rows"
            )
        return program.training_call(parameters, self.constants(parameters, size), size, rows, layout)

    def write_inputs(
        self, folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, parameters: SvmParameters, classes: int
    ) -> Mapping[int, InputFiles]:
        if classes > 2:
            return write_labelled_rows(folder, x, y, owners, classes)
        return write_signed_rows(folder, x, y, owners)

    def client_block(self, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
        if classes > 2:
            return np.concatenate([integer_rows(x).reshape(-1), signed_labels(y, classes).reshape(-1)])
        return (integer_rows(x) * signs(y)[:, None]).reshape(-1)

    def check_rows(self, x: np.ndarray, parameters: SvmParameters) -> None:
        check_row_norm(x, parameters)

    def shares(self, parameters: SvmParameters, size: DataSize) -> int:
        return (size.features + 1) * outputs(size.classes)

    def architecture(self, parameters: SvmParameters, size: DataSize) -> Architecture:
        return {} if size.classes == 2 else {OUTPUTS: size.classes}

    def score_bits(self, architecture: Architecture) -> int:
        return MARGIN_SCALE

    def with_row_norm(self, parameters: SvmParameters, norm: float) -> SvmParameters:
        return replace(parameters, max_row_norm=norm)

    def clipped(self, parameters: SvmParameters, clip: float) -> SvmParameters:
        return replace(parameters, clip=clip)

    def shortened(self, parameters: SvmParameters) -> SvmParameters:
        return replace(parameters, iterations=_QUICK_ITERATIONS)

    def suggested(self, image_shape: tuple[int, ...], classes: int = 2) -> SvmParameters:
        """Grey images are trained as MNIST 0/1 is, coloured ones as two classes of CIFAR-10."""
        return _COLOURED if len(image_shape) == 3 else PLAIN

    def opened(self, weights: np.ndarray, architecture: Architecture) -> OpenedSvm:
        return OpenedSvm(weights, columns(architecture))

    def errors(self, parameters: SvmParameters, size: DataSize) -> SvmErrors:
        return SvmErrors(parameters.for_classes(size.classes), size, self.constants(parameters, size))

    def rehearse(self, parameters: SvmParameters, size: DataSize, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        norm2 = row_norm2(parameters, size.features, size.largest)
        return rehearsal.rehearse(rows, labels, parameters, math.sqrt(norm2) / BIAS)

    def verification(
        self,
        question: Question,
        x: np.ndarray,
        y: np.ndarray,
        folder: Path,
        secret_owner: int | None,
        architecture: Architecture,
    ) -> ProgramCall:
        return program.verification_call(question, x, y, folder, secret_owner, columns(architecture))

    def query(
        self, features: int, *, with_score: bool, port: int, queries: int, architecture: Architecture
    ) -> ProgramCall:
        return program.query_call(features, columns(architecture), with_score=with_score, port=port, queries=queries)
