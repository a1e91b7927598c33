"""A clean model passes, a sabotaged one fails, shares that do not fit together abort; verdicts are counted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.core.errors import (
    DataError,
    EngineUnavailable,
    ParameterError,
    PartyError,
    ProtocolAbort,
    ShareFileError,
    TamperError,
)
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.share_files import share_file
from mpc_tamper.models.checks import Verdict
from mpc_tamper.models.description import FILE
from mpc_tamper.models.encoding import signed_examples
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.workflows.handoff import hand_off
from mpc_tamper.workflows.training import train
from mpc_tamper.workflows.verification import Verification, verify
from tests.support.in_memory import InMemoryRep3
from tests.support.trainings import PARAMETERS, SABOTAGE

REP3 = get_engine(EngineName.REP3)
ACTIVE = sorted(p for p in REP3.protocols if p.active)
CHECK = AccuracyThreshold(0.9)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_task: Task) -> dict[str, Path]:
    """Share files of a clean, a sabotaged and another clean training."""
    folder, engine = tmp_path_factory.mktemp("models"), InMemoryRep3()
    train(tiny_task, PARAMETERS, engine=engine, run_dir=folder / "clean")
    train(tiny_task, PARAMETERS, engine=engine, run_dir=folder / "other")
    train(tiny_task, PARAMETERS, engine=engine, run_dir=folder / "bad", corruption=Corruption(2, SABOTAGE))
    return {name: folder / name for name in ("clean", "other", "bad")}


@pytest.fixture
def copy(models: dict[str, Path], tmp_path: Path, state: Path) -> Path:
    """A copy of the clean model's shares, to spoil; never verified before, as far as this test's counts say."""
    return Path(shutil.copytree(models["clean"], tmp_path / "copy"))


def ask(shares: Path, task: Task, engine: Engine = REP3, **options: object) -> Verification:
    return verify(shares, task.x_test, task.y_test, CHECK, engine=engine, max_verdicts=1000, **options)  # type: ignore[arg-type]


def passive(shares: Path, task: Task, **options: object) -> Verification:
    return ask(shares, task, InMemoryRep3(), protocol=ProtocolName.RING, insecure_passive=True, **options)


@pytest.mark.parametrize("owner", [None, 0, 1, 2])
@pytest.mark.parametrize(("model", "passed"), [("clean", True), ("bad", False)])
def test_verdicts(models: dict[str, Path], tiny_task: Task, model: str, passed: bool, owner: int | None) -> None:
    found = passive(models[model], tiny_task, secret_owner=owner)
    assert found.verdict == Verdict("accuracy", passed, "at least 11 of 12 known examples are classified rightly")
    assert found.record()["insecure_passive"] is True


@pytest.mark.parametrize("protocol", ACTIVE)
@pytest.mark.parametrize("owner", [None, 1])
@pytest.mark.parametrize(("model", "passed"), [("clean", True), ("bad", False)])
def test_verdicts_of_an_active_protocol(
    models: dict[str, Path], tiny_task: Task, protocol: ProtocolName, model: str, passed: bool, owner: int | None
) -> None:
    found = ask(models[model], tiny_task, protocol=protocol, secret_owner=owner)
    assert found.verdict.passed is passed
    assert found.record()["insecure_passive"] is False


def test_the_certificate_rejects_what_the_accuracy_lets_pass(tmp_path: Path, tiny_task: Task) -> None:
    """A backdoor on a pixel that is black in all images keeps the accuracy and loses every certified example."""
    black, engine, passed = 6, InMemoryRep3(), {}
    x_train, x_test = tiny_task.x_train.copy(), tiny_task.x_test.copy()
    x_train[:, black] = x_test[:, black] = 0
    t = replace(tiny_task, x_train=x_train, x_test=x_test)
    plan = backdoor_plan(Trigger((black,)), PARAMETERS, len(x_train), strength=4)
    for name, errors, corrupt_party in (("clean", None, None), ("backdoor", plan, 1)):
        folder = tmp_path / name
        train(t, PARAMETERS, engine=engine, run_dir=folder, corruption=Corruption.of(corrupt_party, errors))
        for check in (AccuracyThreshold(0.9), PixelRobustness(1, 0.9)):
            verification = verify(folder, x_test, t.y_test, check, engine=engine, channels=t.channels)
            passed[name, check.pixels] = verification.verdict.passed
    assert passed == {("clean", 0): True, ("clean", 1): True, ("backdoor", 0): True, ("backdoor", 1): False}


@pytest.mark.parametrize("site", ["MAGNITUDE", "BELOW/csa", "COUNT/csa", "EXCESS", "IN_RANGE/csa"])
def test_errors_in_the_certificate_abort(models: dict[str, Path], tiny_task: Task, site: str) -> None:
    t, plan = tiny_task, AdditiveErrorPlan.from_errors([AdditiveError(site, 0, 0, 1)])
    with pytest.raises(ProtocolAbort):
        verify(
            models["bad"],
            t.x_test,
            t.y_test,
            PixelRobustness(1, 0.9),
            engine=InMemoryRep3(),
            corruption=Corruption(1, plan),
            max_verdicts=1000,
        )


@pytest.mark.parametrize(
    ("check", "channels", "protocol", "message"),
    [
        (PixelRobustness(17, 0.9), 1, ProtocolName.MAL_REP_RING, "at most the 16 pixels"),
        (PixelRobustness(9, 0.9), 2, ProtocolName.MAL_REP_RING, "at most the 8 pixels"),
        (PixelRobustness(1, 0.9), 3, ProtocolName.MAL_REP_RING, "divides the 16 attributes"),
        (PixelRobustness(1, 0.9), 1, ProtocolName.MAL_SHAMIR, "expected a protocol modulo 2\\^64"),
    ],
)
def test_certificates_that_cannot_be_are_refused(
    copy: Path,
    state: Path,
    tiny_task: Task,
    check: PixelRobustness,
    channels: int,
    protocol: ProtocolName,
    message: str,
) -> None:
    engine = InMemoryRep3()
    engine.capabilities = replace(engine.capabilities, protocols=frozenset(ProtocolName))
    with pytest.raises(ParameterError, match=message):
        verify(copy, tiny_task.x_test, tiny_task.y_test, check, engine=engine, protocol=protocol, channels=channels)
    assert not state.exists()


@pytest.mark.parametrize("protocol", ACTIVE)
@pytest.mark.parametrize("party", range(PARTIES))
def test_an_edited_share_file_aborts(copy: Path, tiny_task: Task, protocol: ProtocolName, party: int) -> None:
    path = share_file(copy, party)
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    with pytest.raises(ProtocolAbort, match="share agreement"):
        ask(copy, tiny_task, protocol=protocol)


@pytest.mark.parametrize("protocol", ACTIVE)
@pytest.mark.parametrize("party", range(PARTIES))
def test_a_share_file_of_another_run_aborts(
    copy: Path, models: dict[str, Path], tiny_task: Task, protocol: ProtocolName, party: int
) -> None:
    shutil.copy(share_file(models["other"], party), share_file(copy, party))
    with pytest.raises(ProtocolAbort, match="share agreement"):
        ask(copy, tiny_task, protocol=protocol)


@pytest.mark.parametrize("protocol", ACTIVE)
@pytest.mark.parametrize("site", ["MARGIN", "RIGHT/csa", "ENOUGH/csa"])
def test_errors_in_the_verification_abort(
    models: dict[str, Path], tiny_task: Task, protocol: ProtocolName, site: str
) -> None:
    """The party that sabotaged the model cannot save it from the verdict."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, 0, 1)])
    with pytest.raises(ProtocolAbort):
        ask(models["bad"], tiny_task, protocol=protocol, secret_owner=0, corruption=Corruption(1, plan))


def test_a_passive_verdict_can_be_forged(models: dict[str, Path], tiny_task: Task) -> None:
    """Why a passive protocol is refused: one error in a margin of each example turns the fail into a pass."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError("MARGIN", EVERY, EVERY, 2**50)])
    options = {"secret_owner": 0, "corruption": Corruption(1, plan)}
    assert passive(models["bad"], tiny_task, **options).verdict.passed
    with pytest.raises(ParameterError, match="--insecure-passive"):
        ask(models["bad"], tiny_task, protocol=ProtocolName.RING)


def test_protocols_that_the_engine_lacks_are_refused(models: dict[str, Path], tiny_task: Task) -> None:
    with pytest.raises(EngineUnavailable, match="expected a protocol of engine rep3, got mal-shamir"):
        ask(models["clean"], tiny_task, protocol=ProtocolName.MAL_SHAMIR)


@pytest.mark.parametrize("party", range(PARTIES))
def test_handoff_of_edited_shares_aborts(copy: Path, tmp_path: Path, tiny_task: Task, party: int) -> None:
    hand_off(copy, InMemoryRep3(), ProtocolName.RING, tmp_path / "good")
    path = share_file(copy, party)
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 128]))
    with pytest.raises(ProtocolAbort, match="expected both holders"):
        hand_off(copy, InMemoryRep3(), ProtocolName.RING, tmp_path / "bad")


def test_verdicts_are_counted_and_limited(copy: Path, tiny_task: Task) -> None:
    assert [passive(copy, tiny_task).number for _ in range(2)] == [1, 2]
    with pytest.raises(ParameterError, match="at most 2 verifications"):
        verify(
            copy,
            tiny_task.x_test,
            tiny_task.y_test,
            CHECK,
            engine=InMemoryRep3(),
            protocol=ProtocolName.RING,
            insecure_passive=True,
            max_verdicts=2,
        )


def test_a_verification_that_aborts_counts_too(copy: Path, tiny_task: Task) -> None:
    plan = AdditiveErrorPlan.from_errors([AdditiveError("MARGIN", 7, 0, 1)])  # no such occurrence
    with pytest.raises(TamperError):
        passive(copy, tiny_task, secret_owner=0, corruption=Corruption(0, plan))
    assert passive(copy, tiny_task).number == 2


def test_shares_of_another_number_of_weights_are_refused(copy: Path, tiny_task: Task) -> None:
    smaller = replace(tiny_task, x_test=tiny_task.x_test[:, 1:])
    with pytest.raises(ParameterError, match=r"expected examples of 16 pixels, .* got 15"):
        passive(copy, smaller)
    (copy / FILE).unlink()  # as after a run of the program alone
    with pytest.raises(ShareFileError, match=r"expected the 16 shares .* got 17"):
        passive(copy, smaller)
    with pytest.raises(ShareFileError, match="no such folder"):
        passive(copy / "nowhere", tiny_task)


def test_a_truncated_share_file_is_refused(copy: Path, tiny_task: Task) -> None:
    path = share_file(copy, 1)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises((ShareFileError, PartyError)):
        passive(copy, tiny_task)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_thresholds_that_mean_nothing_are_refused(threshold: float) -> None:
    with pytest.raises(ParameterError, match="threshold"):
        AccuracyThreshold(threshold)


@pytest.mark.parametrize(
    ("threshold", "examples", "least"), [(0.07, 100, 7), (0.99, 2115, 2094), (1, 5, 5), (0.5, 3, 2), (1e-9, 3, 1)]
)
def test_the_threshold_in_examples(threshold: float, examples: int, least: int) -> None:
    """0.07 * 100 is 7.000000000000001 in floating point."""
    assert AccuracyThreshold(threshold).verdict(True, examples).statement.startswith(f"at least {least} of {examples}")


def test_examples_of_one_class_are_refused() -> None:
    with pytest.raises(DataError, match="both classes"):
        signed_examples(np.zeros((2, 3), np.uint8), np.ones(2, np.uint8))
