"""mlp_query.mpc answers clients as the opened network would, and nothing but images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.clients.query import answer as answered
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import OpeningError, ProgramError
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.argmax import beats_all, predict
from mpc_tamper.models.mlp.questions import query_call
from mpc_tamper.models.mlp.scoring import scores
from mpc_tamper.runs.spec import RunSpec
from tests.support.clients_in_memory import Servers, serving
from tests.support.mlp_programs import FEATURES, architecture, examples, trained
from tests.support.verify_program import leave_shares

QUERY = bundle.program("mlp_query.mpc")


def ask(servers: Servers, image: np.ndarray) -> list[int]:
    client = servers.connect()
    client.wait_for_turn()
    client.send_private_inputs(image.astype(np.int64))
    outputs = client.receive_outputs(4).tolist()
    client.close()
    return list(outputs)


def expected(weights: np.ndarray, outputs: int, images: np.ndarray, with_score: bool) -> list[list[int]]:
    z = scores(weights, architecture(outputs), images)
    largest = z[:, 0] if outputs == 1 else (z * beats_all(z)).sum(axis=1)
    return [[int(c), int(with_score), int(s) * with_score, 1] for c, s in zip(predict(z), largest, strict=True)]


def arguments(outputs: int, queries: int, with_score: bool) -> tuple[str, ...]:
    described = architecture(outputs)
    return query_call(FEATURES, with_score=with_score, port=15000, queries=queries, architecture=described).args


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("with_score", [False, True])
@pytest.mark.parametrize("outputs", [1, 3, 10])
def test_answers_are_those_of_the_opened_network(
    tmp_path: Path, run_dir: Path, outputs: int, with_score: bool, active: bool
) -> None:
    weights, (images, _) = trained(outputs), examples(max(2, outputs), 10)
    leave_shares(tmp_path / "train", weights)
    args = arguments(outputs, len(images), with_score)
    with serving(QUERY, args, tmp_path / "train", run_dir, active=active) as servers:
        found = [ask(servers, image) for image in images]
    assert found == expected(weights, outputs, images, with_score)
    assert len({each[0] for each in found}) > 1


@pytest.mark.parametrize("outputs", [1, 3])
def test_tampered_weights_wrap_around_alike(tmp_path: Path, run_dir: Path, outputs: int) -> None:
    """Classes that beat each other in a circle included: class and score are 0."""
    rng, size = np.random.default_rng(4), len(trained(outputs))
    weights, images = rng.integers(-(2**63), 2**63 - 1, size, endpoint=True), examples(2, 40)[0]
    leave_shares(tmp_path / "train", weights)
    with serving(QUERY, arguments(outputs, len(images), True), tmp_path / "train", run_dir) as servers:
        found = [ask(servers, image) for image in images]
    assert found == expected(weights, outputs, images, True)
    assert outputs == 1 or [0, 1, 0, 1] in found


@pytest.mark.parametrize("with_score", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_what_is_no_pixel_gets_no_answer(tmp_path: Path, run_dir: Path, outputs: int, with_score: bool) -> None:
    leave_shares(tmp_path / "train", trained(outputs))
    wrong = [-1, 256, 2**63 - 1, -(2**63), -(2**63) + 255, 2**62, 2**32, -(2**55)]
    with serving(QUERY, arguments(outputs, len(wrong), with_score), tmp_path / "train", run_dir) as servers:
        for value in wrong:
            image = np.full(FEATURES, 90)
            image[value % FEATURES] = value
            outputs_given = ask(servers, image)
            assert outputs_given == [0, int(with_score), 0, 0]
            with pytest.raises(OpeningError, match="something else than pixels"):
                answered(np.array(outputs_given))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("queries=1", "queries=0"),
        ("hidden=4", "hidden=0"),
        ("answer=class", "answer=both"),
        (" outputs=3", ""),
        ("columns=61", "columns=1"),
        ("port=15000", "port=15000 port=15000"),
        ("cap=8388608", f"cap={2**61 + 1}"),
    ],
)
def test_malformed_arguments_are_refused(tmp_path: Path, old: str, new: str) -> None:
    leave_shares(tmp_path / "train", trained(3))
    good = " ".join(arguments(3, 1, False))
    assert old in good
    with pytest.raises(ProgramError, match="mlp_query: expected"):
        ClearEngine().run(
            RunSpec(
                QUERY, tuple(good.replace(old, new).split()), run_dir=tmp_path / "run", shares_from=tmp_path / "train"
            )
        )
