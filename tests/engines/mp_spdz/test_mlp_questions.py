"""The programs that ask a network something, on MP-SPDZ: the same answers as of their twins in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines.base import Engine
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.models.checks import Patch, Question
from mpc_tamper.models.mlp.questions import query_call, verification_call
from mpc_tamper.models.mlp.robustness import certified
from mpc_tamper.models.mlp.scan import passes
from mpc_tamper.models.mlp.scoring import scores
from mpc_tamper.runs.protocols import ProtocolName
from tests.support.mlp_programs import FEATURES, architecture, examples, trained
from tests.support.mp_spdz_questions import answers, verdict

EngineOf = Callable[..., Engine]
RING, PS, SY = ProtocolName.RING, ProtocolName.PS_REP_RING, ProtocolName.SY_REP_RING
HIDDEN = {1: 4, 3: 8}


def answer(
    question: Question, weights: np.ndarray, outputs: int, engine: Engine, protocol: ProtocolName, owner: int | None
) -> bool:
    described, (x, y) = architecture(outputs, HIDDEN[outputs]), examples(max(2, outputs))
    return verdict(
        lambda folder: verification_call(question, x, y, folder, owner, described), weights, engine, protocol
    )


def network(outputs: int, wrapping: bool) -> np.ndarray:
    weights = trained(outputs, HIDDEN[outputs])
    if not wrapping:
        return weights
    return np.random.default_rng(outputs).integers(-(2**63), 2**63 - 1, len(weights), endpoint=True)


@pytest.mark.parametrize(
    ("protocol", "owner", "outputs", "k", "channels", "wrapping"),
    [
        (RING, None, 3, 1, 2, False),
        (RING, 1, 3, 0, 1, True),
        (SY, None, 1, 2, 1, False),
        (SY, 2, 3, 1, 1, True),
        (PS, None, 3, 1, 1, False),
    ],
)
def test_the_count_is_exact(
    mp_spdz: EngineOf,
    protocol: ProtocolName,
    owner: int | None,
    outputs: int,
    k: int,
    channels: int,
    wrapping: bool,
) -> None:
    engine, weights = mp_spdz(protocol), network(outputs, wrapping)
    x, y = examples(max(2, outputs))
    right = int(certified(weights, architecture(outputs, HIDDEN[outputs]), x, y, k, channels).sum())
    assert right > 0 or (wrapping and k > 0)
    if right:
        assert answer(Question(right, k, channels), weights, outputs, engine, protocol, owner)
    if right < len(y):
        assert not answer(Question(right + 1, k, channels), weights, outputs, engine, protocol, owner)


@pytest.mark.parametrize(
    ("protocol", "owner", "outputs", "wrapping"), [(RING, 1, 1, False), (SY, None, 3, True), (RING, None, 3, False)]
)
def test_scans(mp_spdz: EngineOf, protocol: ProtocolName, owner: int | None, outputs: int, wrapping: bool) -> None:
    """In one and in three channels; both answers."""
    engine, weights, found = mp_spdz(protocol), network(outputs, wrapping), set()
    for patch in (Patch(2, 3, 1.0, 6, 10), Patch(4, 1, 0.3, 5, 4)):
        expected = passes(weights, architecture(outputs, HIDDEN[outputs]), *examples(max(2, outputs)), patch)
        assert answer(Question(0, patch=patch), weights, outputs, engine, protocol, owner) is expected
        found.add(expected)
    assert wrapping or found == {True, False}


@pytest.mark.parametrize("protocol", [RING, SY])
@pytest.mark.parametrize(("outputs", "with_score"), [(1, True), (3, True), (3, False)])
def test_queries(mp_spdz: EngineOf, tmp_path: Path, protocol: ProtocolName, outputs: int, with_score: bool) -> None:
    engine, weights = mp_spdz(protocol), network(outputs, False)
    described, images = architecture(outputs, HIDDEN[outputs]), examples(max(2, outputs))[0][:3]

    def call(port: int) -> ProgramCall:
        return query_call(FEATURES, with_score=with_score, port=port, queries=len(images), architecture=described)

    found = answers(call, images, max(2, outputs), tmp_path, weights, engine, protocol)
    z = scores(weights, described, images)
    expected = zip(predict(z).tolist(), z.max(axis=1).tolist(), strict=True)
    assert found == [[c, int(with_score), score * with_score] for c, score in expected]
