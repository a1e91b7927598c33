"""Verification on MP-SPDZ: shares of passive training, under every active protocol that takes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError, ProtocolAbort, ShareFileError
from mpc_tamper.datasets import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.share_files import share_file
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.robustness import certified
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.workflows.training import train, train_and_open
from mpc_tamper.workflows.verification import Verification, verify
from tests.support.in_memory import InMemoryRep3
from tests.support.verify_program import leave_shares

EngineOf = Callable[..., Engine]

PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=10)
SABOTAGE = AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", EVERY, 0, 2**20)])
RINGS = [ProtocolName.PS_REP_RING, ProtocolName.MAL_REP_RING, ProtocolName.SY_REP_RING]


def ask(shares: Path, task: Task, engine: Engine, protocol: ProtocolName, **options: object) -> Verification:
    check = AccuracyThreshold(0.9)
    return verify(shares, task.x_test, task.y_test, check, engine=engine, protocol=protocol, **options)  # type: ignore[arg-type]


def spoil(path: Path) -> None:
    """Change the lowest bit of the last share's second word."""
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("protocol", RINGS)
@pytest.mark.parametrize("owner", [None, 2])
@pytest.mark.parametrize(("plan", "passed"), [(None, True), (SABOTAGE, False)], ids=["clean", "sabotaged"])
def test_rings_by_handoff(
    mp_spdz: EngineOf,
    tiny_task: Task,
    tmp_path: Path,
    protocol: ProtocolName,
    owner: int | None,
    plan: AdditiveErrorPlan | None,
    passed: bool,
) -> None:
    engine, shares = mp_spdz(protocol), tmp_path / "train"
    corrupt_party = None if plan is None else 1
    train(tiny_task, PARAMETERS, engine=InMemoryRep3(), run_dir=shares, corruption=Corruption.of(corrupt_party, plan))
    found = ask(shares, tiny_task, engine, protocol, secret_owner=owner)
    assert found.verdict.passed is passed
    assert found.record()["handoff"] is True


@pytest.mark.parametrize(
    ("protocol", "owner", "too_many", "large", "passed"),
    [
        (ProtocolName.MAL_REP_RING, 2, 0, False, True),
        (ProtocolName.MAL_REP_RING, None, 1, False, False),
        (ProtocolName.PS_REP_RING, None, 0, False, True),
        (ProtocolName.SY_REP_RING, 1, 0, True, False),
    ],
)
def test_the_certificate_counts_the_same(
    mp_spdz: EngineOf,
    tiny_task: Task,
    tmp_path: Path,
    protocol: ProtocolName,
    owner: int | None,
    too_many: int,
    large: bool,
    passed: bool,
) -> None:
    """3 of 8 positions: as many examples as are certified, one more, and a weight of -2^63."""
    t, k, channels = tiny_task, 3, 2
    weights = train_and_open(t, PARAMETERS, engine=InMemoryRep3()).weights
    right = int(certified(weights, t.x_test, t.y_test, k, channels).sum())
    assert 0 < right < len(t.x_test)
    leave_shares(tmp_path / "train", np.append(weights[:-1], -(2**63)) if large else weights)
    found = verify(
        tmp_path / "train",
        t.x_test,
        t.y_test,
        PixelRobustness(k, (right + too_many - 0.5) / len(t.x_test)),
        engine=mp_spdz(protocol),
        protocol=protocol,
        channels=channels,
        secret_owner=owner,
    )
    assert found.verdict.passed is passed


@pytest.mark.parametrize("protocol", RINGS)
@pytest.mark.parametrize("party", range(PARTIES))
def test_edited_and_foreign_shares_abort(
    mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path, protocol: ProtocolName, party: int
) -> None:
    engine = mp_spdz(protocol)
    for name in ("edited", "foreign", "other"):
        train(tiny_task, PARAMETERS, engine=InMemoryRep3(), run_dir=tmp_path / name)
    spoil(share_file(tmp_path / "edited", party))
    shutil.copy(share_file(tmp_path / "other", party), share_file(tmp_path / "foreign", party))
    for name in ("edited", "foreign"):
        with pytest.raises(ProtocolAbort, match="expected both holders"):
            ask(tmp_path / name, tiny_task, engine, protocol)


def test_shamir_reads_shamir(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    trainer, engine = mp_spdz(ProtocolName.SHAMIR), mp_spdz(ProtocolName.MAL_SHAMIR)
    train(tiny_task, PARAMETERS, engine=trainer, run_dir=tmp_path / "train", protocol=ProtocolName.SHAMIR)
    for owner in (None, 0):
        found = ask(tmp_path / "train", tiny_task, engine, ProtocolName.MAL_SHAMIR, secret_owner=owner)
        assert found.verdict.passed
        assert found.record()["handoff"] is False


@pytest.mark.parametrize("owner", [None, 0])
@pytest.mark.parametrize("party", range(PARTIES))
def test_an_edited_shamir_share_aborts(
    mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path, party: int, owner: int | None
) -> None:
    trainer, engine = mp_spdz(ProtocolName.SHAMIR), mp_spdz(ProtocolName.MAL_SHAMIR)
    train(tiny_task, PARAMETERS, engine=trainer, run_dir=tmp_path / "train", protocol=ProtocolName.SHAMIR)
    spoil(tmp_path / "train" / "Persistence" / f"Transactions-P{party}.data")
    with pytest.raises(PartyError):
        ask(tmp_path / "train", tiny_task, engine, ProtocolName.MAL_SHAMIR, secret_owner=owner)


def test_shares_of_an_active_training_are_read_as_they_are(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    protocol = ProtocolName.MAL_REP_RING
    engine = mp_spdz(protocol)
    train(tiny_task, PARAMETERS, engine=engine, run_dir=tmp_path / "train", protocol=protocol)
    found = ask(tmp_path / "train", tiny_task, engine, protocol)
    assert found.verdict.passed
    assert found.record()["handoff"] is False


def test_shares_of_another_field_are_refused(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    trainer, engine = mp_spdz(ProtocolName.REP_FIELD), mp_spdz(ProtocolName.MAL_REP_FIELD)
    train(tiny_task, PARAMETERS, engine=trainer, run_dir=tmp_path / "train", protocol=ProtocolName.REP_FIELD)
    with pytest.raises(ShareFileError):
        ask(tmp_path / "train", tiny_task, engine, ProtocolName.MAL_REP_FIELD)


@pytest.mark.parametrize("protocol", RINGS)
def test_errors_in_the_verification_abort(
    mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path, protocol: ProtocolName
) -> None:
    engine = mp_spdz(protocol, plan=True)
    train(tiny_task, PARAMETERS, engine=InMemoryRep3(), run_dir=tmp_path / "train")
    plan = AdditiveErrorPlan.from_errors([AdditiveError("MARGIN", 0, 0, 1)])
    with pytest.raises(ProtocolAbort):
        ask(tmp_path / "train", tiny_task, engine, protocol, secret_owner=0, corruption=Corruption(1, plan))
