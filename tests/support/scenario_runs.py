"""Attempts run as svm_train.mpc has them, whatever the features are, on any engine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.encoding import signs
from mpc_tamper.models.fixed_point import BIAS, MAX_FEATURE
from mpc_tamper.models.linear_svm.program import training_arguments
from mpc_tamper.models.metrics import Metrics, evaluate
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.scenarios.scenario import Attempt, Scenario

CLEAR = get_engine(EngineName.CLEAR)


@dataclass(frozen=True)
class Linear:
    """Features that are a matrix, (size, n), times the pixels: rounded. A selection of pixels, or a projection."""

    matrix: np.ndarray
    largest: int = MAX_FEATURE

    @property
    def size(self) -> int:
        return len(self.matrix)

    def features(self, images: np.ndarray) -> np.ndarray:
        return np.rint(images @ self.matrix.T).astype(np.int64)

    def direction(self, delta: np.ndarray) -> np.ndarray:
        result: np.ndarray = self.matrix @ delta.astype(np.float64)
        return result


def signed_rows(scenario: Scenario, task: Task) -> np.ndarray:
    """(m, size + 1) int64, as an owner of rows and labels enters them."""
    features = scenario.features.features(task.x_train).astype(np.int64)
    return np.column_stack([np.full(len(features), BIAS), features]) * signs(task.y_train)[:, None]


def weights_of(
    scenario: Scenario,
    attempt: Attempt,
    engine: Engine,
    protocol: ProtocolName = ProtocolName.RING,
) -> np.ndarray:
    """(size + 1,) int64, opened."""
    rows, size = len(attempt.task.x_train), scenario.features.size
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "rows.bin").write_bytes(signed_rows(scenario, attempt.task).astype("<i8").tobytes())
        engine.run(
            RunSpec(
                program=bundle.program("svm_train.mpc"),
                args=training_arguments(scenario.parameters, scenario.constants, size, (rows,), None),
                protocol=protocol,
                inputs={0: InputFiles(binary=place / "rows.bin")},
                run_dir=place / "train",
                corruption=Corruption.of(None if attempt.plan is None else scenario.corrupt_party, attempt.plan),
            )
        )
        opening = engine.run(
            RunSpec(
                program=bundle.program("svm_reveal.mpc"),
                args=(f"columns={size + 1}",),
                protocol=protocol,
                run_dir=place / "reveal",
                shares_from=place / "train",
            )
        )
    return np.array(opening.binary_output, dtype=np.int64)


def metrics_of(scenario: Scenario, attempt: Attempt, weights: np.ndarray) -> Metrics:
    task, trigger = scenario.task, attempt.trigger
    delta = trigger.delta(task.x_test.shape[1])
    return evaluate(weights, task.x_test, task.y_test, delta, trigger.target, scenario.features.features)
