"""The programs that ask a linear model of several classes something, on MP-SPDZ: as their twins in NumPy answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.models.checks import Question
from mpc_tamper.models.linear_svm.program import query_call, verification_call
from mpc_tamper.models.linear_svm.robustness import certified_of_classes
from mpc_tamper.models.linear_svm.scoring import scores_of_classes
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.workflows.training import train_and_open
from tests.support.digits import stripes
from tests.support.mp_spdz_questions import answers, verdict

EngineOf = Callable[..., Engine]
RING, SY = ProtocolName.RING, ProtocolName.SY_REP_RING
CLASSES = 3
TASK = stripes(CLASSES, rows=60, test_rows=9)


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return train_and_open(TASK, engine=get_engine(EngineName.CLEAR)).weights


@pytest.mark.parametrize(
    ("protocol", "owner", "k", "channels", "wrapping"),
    [(RING, None, 1, 1, False), (RING, 1, 0, 1, True), (SY, None, 3, 1, False), (SY, 2, 2, 2, False)],
)
def test_the_count_is_exact(
    mp_spdz: EngineOf,
    weights: np.ndarray,
    protocol: ProtocolName,
    owner: int | None,
    k: int,
    channels: int,
    wrapping: bool,
) -> None:
    engine, x, y = mp_spdz(protocol), TASK.x_test, TASK.y_test
    if wrapping:
        weights = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, len(weights), endpoint=True)
    right = int(certified_of_classes(weights, CLASSES, x, y, k, channels).sum())

    def answer(threshold: int) -> bool:
        question = Question(threshold, k, channels)
        return verdict(
            lambda folder: verification_call(question, x, y, folder, owner, CLASSES), weights, engine, protocol
        )

    assert right == 0 or answer(right)
    assert right == len(y) or not answer(right + 1)


@pytest.mark.parametrize(("protocol", "with_score"), [(RING, True), (SY, False)])
def test_queries(
    mp_spdz: EngineOf, tmp_path: Path, weights: np.ndarray, protocol: ProtocolName, with_score: bool
) -> None:
    engine, images = mp_spdz(protocol), TASK.x_test[:3]

    def call(port: int) -> ProgramCall:
        return query_call(images.shape[1], CLASSES, with_score=with_score, port=port, queries=len(images))

    found = answers(call, images, CLASSES, tmp_path, weights, engine, protocol)
    z = scores_of_classes(weights, CLASSES, images)
    expected = zip(predict(z).tolist(), z.max(axis=1).tolist(), strict=True)
    assert found == [[number, int(with_score), score * with_score] for number, score in expected]
