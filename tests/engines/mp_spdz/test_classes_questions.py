"""The programs that ask a linear model of several classes something, on MP-SPDZ: as their twins in NumPy answer."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.clients.handout import HOSTS, write_hand_out
from mpc_tamper.clients.query import ask
from mpc_tamper.clients.serve import NAMED_CLIENT
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.certificates import write_certificate
from mpc_tamper.engines.hosts import read_hosts
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.checks import Question
from mpc_tamper.models.linear_svm.program import query_call, verification_call
from mpc_tamper.models.linear_svm.robustness import certified_of_classes
from mpc_tamper.models.linear_svm.scoring import scores_of_classes
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import ClientAccess, RunSpec
from mpc_tamper.workflows.handoff import hand_off
from mpc_tamper.workflows.training import train_and_open
from tests.support.digits import stripes
from tests.support.ports import free_ports
from tests.support.threads import in_threads
from tests.support.verify_program import leave_shares

EngineOf = Callable[..., Engine]
RING, SY = ProtocolName.RING, ProtocolName.SY_REP_RING
CLASSES = 3
TASK = stripes(CLASSES, rows=60, test_rows=9)
SECONDS = 120.0


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return train_and_open(TASK, engine=get_engine(EngineName.CLEAR)).weights


def handed(folder: Path, weights: np.ndarray, engine: Engine, protocol: ProtocolName) -> Path:
    """Shares of the weights that the protocol reads."""
    leave_shares(folder / "train", weights)
    if not protocol.active:
        return folder / "train"
    hand_off(folder / "train", engine, protocol, folder / "handoff")
    return folder / "handoff"


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
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            call = verification_call(Question(threshold, k, channels), x, y, folder, owner, CLASSES)
            spec = RunSpec(
                call.program,
                call.args,
                protocol=protocol,
                inputs=call.inputs,
                run_dir=folder / "run",
                shares_from=handed(folder, weights, engine, protocol),
                timeout_seconds=SECONDS,
            )
            (bit,) = engine.run(spec).binary_output
        return bit == 1

    assert right == 0 or answer(right)
    assert right == len(y) or not answer(right + 1)


@pytest.mark.parametrize(("protocol", "with_score"), [(RING, True), (SY, False)])
def test_queries(
    mp_spdz: EngineOf, tmp_path: Path, weights: np.ndarray, protocol: ProtocolName, with_score: bool
) -> None:
    engine, base, images = mp_spdz(protocol), free_ports(), TASK.x_test[:3]
    identities, clients = write_hand_out(tmp_path, base, "service.json", {})
    write_certificate(NAMED_CLIENT, clients / f"{NAMED_CLIENT}.key", clients / f"{NAMED_CLIENT}.pem", 1)
    (tmp_path / "known").mkdir()
    shutil.copy(clients / f"{NAMED_CLIENT}.pem", tmp_path / "known")
    call = query_call(images.shape[1], CLASSES, with_score=with_score, port=base, queries=len(images))
    spec = RunSpec(
        call.program,
        call.args,
        protocol=protocol,
        run_dir=tmp_path / "session",
        shares_from=handed(tmp_path, weights, engine, protocol),
        timeout_seconds=SECONDS,
        clients=ClientAccess(identities, tmp_path / "known", len(images), 1),
    )

    def questions() -> list[list[int]]:
        addresses = read_hosts(clients / HOSTS)
        return [
            ask(image, addresses, clients, engine=engine, classes=CLASSES, timeout_seconds=SECONDS).tolist()
            for image in images
        ]

    ended, found = in_threads(lambda: engine.run(spec), questions, seconds=SECONDS)
    assert not isinstance(ended, Exception)
    z = scores_of_classes(weights, CLASSES, images)
    answers = zip(predict(z).tolist(), z.max(axis=1).tolist(), strict=True)
    assert found == [[number, int(with_score), score * with_score] for number, score in answers]
