"""The network of one hidden layer, as everything else knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import Architecture, DataSize, Layout, Model, ProgramCall
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question
from mpc_tamper.models.encoding import integer_rows, signed_labels
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.models.mlp import program, questions
from mpc_tamper.models.mlp.bounds import MlpConstants, check_row_norm, mlp_constants
from mpc_tamper.models.mlp.encoding import shuffled, write_rows
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.opened import OpenedMlp
from mpc_tamper.models.mlp.parameters import MlpParameters, Start, outputs
from mpc_tamper.models.mlp.pruning import pruning_call
from mpc_tamper.models.mlp.tuning import tuning_call
from mpc_tamper.models.pruning import CleanRows, Pruning
from mpc_tamper.runs.owners import Owners, RowSource, StoredRows
from mpc_tamper.runs.spec import InputFiles

_QUICK = 2  # epochs
_TWO_CLASSES = MlpParameters(hidden=16, epochs=2)


class Mlp(Model):
    name = "mlp"
    title = "network of one hidden layer"
    capabilities = frozenset(
        {
            Capability.MANY_CLASSES,
            Capability.NEURONS,
            Capability.ROW_ERRORS,
            Capability.GATE_ERRORS,
            Capability.ACCURACY,
            Capability.ROBUSTNESS,
            Capability.PATCH_SCAN,
            Capability.QUERIES,
            Capability.SECRET_START,
        }
    )
    parameters = MlpParameters

    def constants(self, parameters: MlpParameters, size: DataSize) -> MlpConstants:
        return mlp_constants(parameters, size.rows, size.features, size.largest, size.classes)

    def training(
        self, parameters: MlpParameters, size: DataSize, rows: RowSource, layout: Layout = Layout.ROWS
    ) -> ProgramCall:
        """The layout is of no matter: batches are small."""
        if isinstance(rows, StoredRows):
            raise self.lacks(Capability.STORED_ROWS)
        return program.training_call(parameters, self.constants(parameters, size), size, rows)

    def write_inputs(
        self, folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, parameters: MlpParameters, classes: int
    ) -> Mapping[int, InputFiles]:
        batch = parameters.batches(len(x))[0]
        return write_rows(folder, x, y, owners, classes, batch, parameters.random_state)

    def client_order(self, rows: int, number: int, parameters: MlpParameters) -> np.ndarray:
        return shuffled(rows, parameters.random_state, number)

    def client_block(self, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
        return np.concatenate([integer_rows(x).reshape(-1), signed_labels(y, classes).reshape(-1)])

    def check_rows(self, x: np.ndarray, parameters: MlpParameters) -> None:
        check_row_norm(x, parameters)

    def shares(self, parameters: MlpParameters, size: DataSize) -> int:
        return parameters.hidden * (size.features + 1 + outputs(size.classes))

    def architecture(self, parameters: MlpParameters, size: DataSize) -> Architecture:
        constants = self.constants(parameters, size)
        sizes = {"hidden": parameters.hidden, "outputs": outputs(size.classes)}
        return sizes | {"f1": constants.f1, "f2": constants.f2, "cap": constants.cap}

    def score_bits(self, architecture: Architecture) -> int:
        return ROW_SCALE + architecture["f1"] + architecture["f2"]

    def with_secret_start(self, parameters: MlpParameters) -> MlpParameters:
        return replace(parameters, start=Start.SECRET)

    def with_random_state(self, parameters: MlpParameters, random_state: int) -> MlpParameters:
        return replace(parameters, random_state=random_state)

    def shortened(self, parameters: MlpParameters) -> MlpParameters:
        return replace(parameters, epochs=_QUICK)

    def suggested(self, image_shape: tuple[int, ...], classes: int = 2) -> MlpParameters:
        return _TWO_CLASSES if classes == 2 else MlpParameters()

    def errors(self, parameters: MlpParameters, size: DataSize) -> MlpErrors:
        return MlpErrors(parameters, size, self.constants(parameters, size))

    def opened(self, weights: np.ndarray, architecture: Architecture) -> OpenedMlp:
        if not architecture:
            raise ParameterError("expected what the network's training left beside its shares, got nothing")
        return OpenedMlp(weights, architecture)

    def verification(
        self,
        question: Question,
        x: np.ndarray,
        y: np.ndarray,
        folder: Path,
        secret_owner: int | None,
        architecture: Architecture,
    ) -> ProgramCall:
        return questions.verification_call(question, x, y, folder, secret_owner, architecture)

    def query(
        self, features: int, *, with_score: bool, port: int, queries: int, architecture: Architecture
    ) -> ProgramCall:
        return questions.query_call(
            features, with_score=with_score, port=port, queries=queries, architecture=architecture
        )

    def pruning(
        self, parameters: MlpParameters, size: DataSize, pruning: Pruning, clean: CleanRows, folder: Path
    ) -> ProgramCall:
        return pruning_call(pruning, clean, self.architecture(parameters, size), folder)

    def tuning(
        self, parameters: MlpParameters, size: DataSize, epochs: int, clean: CleanRows, folder: Path
    ) -> ProgramCall:
        return tuning_call(parameters, size, epochs, clean, folder)
