"""The programs that ask a network something, on MP-SPDZ: the same answers as of their twins in NumPy."""

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
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.checks import Patch, Question
from mpc_tamper.models.mlp.questions import query_call, verification_call
from mpc_tamper.models.mlp.robustness import certified
from mpc_tamper.models.mlp.scan import passes
from mpc_tamper.models.mlp.scoring import scores
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import ClientAccess, RunSpec
from mpc_tamper.workflows.handoff import hand_off
from tests.support.mlp_programs import FEATURES, architecture, examples, trained
from tests.support.ports import free_ports
from tests.support.threads import in_threads
from tests.support.verify_program import leave_shares

EngineOf = Callable[..., Engine]
RING, PS, SY = ProtocolName.RING, ProtocolName.PS_REP_RING, ProtocolName.SY_REP_RING
HIDDEN = {1: 4, 3: 8}
SECONDS = 120.0


def handed(folder: Path, weights: np.ndarray, engine: Engine, protocol: ProtocolName) -> Path:
    """Shares of the weights that the protocol reads."""
    leave_shares(folder / "train", weights)
    if not protocol.active:
        return folder / "train"
    hand_off(folder / "train", engine, protocol, folder / "handoff")
    return folder / "handoff"


def answer(
    question: Question, weights: np.ndarray, outputs: int, engine: Engine, protocol: ProtocolName, owner: int | None
) -> bool:
    described, (x, y) = architecture(outputs, HIDDEN[outputs]), examples(max(2, outputs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call = verification_call(question, x, y, folder, owner, described)
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
    engine, weights, base = mp_spdz(protocol), network(outputs, False), free_ports()
    described, images = architecture(outputs, HIDDEN[outputs]), examples(max(2, outputs))[0][:3]
    identities, clients = write_hand_out(tmp_path, base, "service.json", {})
    write_certificate(NAMED_CLIENT, clients / f"{NAMED_CLIENT}.key", clients / f"{NAMED_CLIENT}.pem", 1)
    (tmp_path / "known").mkdir()
    shutil.copy(clients / f"{NAMED_CLIENT}.pem", tmp_path / "known")
    call = query_call(FEATURES, with_score=with_score, port=base, queries=len(images), architecture=described)
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
            ask(image, addresses, clients, engine=engine, classes=max(2, outputs), timeout_seconds=SECONDS).tolist()
            for image in images
        ]

    ended, found = in_threads(lambda: engine.run(spec), questions, seconds=SECONDS)
    assert not isinstance(ended, Exception)
    z = scores(weights, described, images)
    expected = zip(predict(z).tolist(), z.max(axis=1).tolist(), strict=True)
    assert found == [[c, int(with_score), score * with_score] for c, score in expected]
