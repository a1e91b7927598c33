"""Verdicts on a model are counted by its shares: a copied or cleaned folder, many at once, run and party all count."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, ShareFolderError
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.models.checks import Question
from mpc_tamper.models.features import Pixels
from mpc_tamper.models.linear_svm.program import verification_call
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.workflows.training import train
from mpc_tamper.workflows.verdicts import count_verdict, is_verifying
from tests.support.in_memory import InMemoryRep3
from tests.support.ports import free_ports
from tests.support.trainings import PARAMETERS

Invoke = Callable[..., Result]
LIMIT = 10


@pytest.fixture
def shares(tmp_path: Path, tiny_task: Task, state: Path) -> Path:
    train(tiny_task, PARAMETERS, engine=InMemoryRep3(), run_dir=tmp_path / "train")
    return tmp_path / "train"


def allowed(attempts: int, folder: Path) -> int:
    found = 0
    for _ in range(attempts):
        try:
            count_verdict(folder, range(PARTIES), LIMIT)
            found += 1
        except ParameterError:
            pass
    return found


def test_no_copy_and_no_clean_folder_resets_the_count(shares: Path, tmp_path: Path) -> None:
    assert allowed(30, shares) == LIMIT
    shutil.copytree(shares / "Persistence", tmp_path / "copy" / "Persistence")
    shutil.rmtree(shares)
    assert allowed(30, tmp_path / "copy") == 0
    (tmp_path / "copy").rename(tmp_path / "train")
    assert allowed(30, tmp_path / "train") == 0


def test_many_at_once_stay_within_the_limit(shares: Path) -> None:
    barrier, numbers = threading.Barrier(16), []

    def one() -> None:
        barrier.wait()
        with contextlib.suppress(ParameterError):
            numbers.append(count_verdict(shares, range(PARTIES), LIMIT))

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, LIMIT + 1))


def test_each_party_counts_for_itself(shares: Path) -> None:
    """Three hosts count one verdict each; three parties of one user on one machine are one verdict of the model."""
    assert [count_verdict(shares, [party], LIMIT) for party in range(PARTIES)] == [1, 1, 1]
    assert count_verdict(shares, range(PARTIES), LIMIT) == 2
    assert count_verdict(shares, [1], LIMIT) == 3


def test_a_share_file_that_is_missing_is_no_way_around(shares: Path) -> None:
    (shares / "Persistence" / "Transactions-P1.data").unlink()
    with pytest.raises(ShareFolderError, match="expected the share file of an earlier run"):
        count_verdict(shares, range(PARTIES), LIMIT)


def test_verifying_programs_are_known_by_name_and_by_content(tmp_path: Path) -> None:
    for name in ("svm_verify.mpc", "mlp_verify.mpc", "mlp_scan.mpc"):
        program = bundle.program(name)
        assert is_verifying(program)
        assert is_verifying(Path(shutil.copy(program, tmp_path / "other.mpc")))
    (tmp_path / "svm_verify.mpc").write_text("# changed\n")
    assert is_verifying(tmp_path / "svm_verify.mpc")
    assert not is_verifying(bundle.program("svm_reveal.mpc"))
    assert not is_verifying(tmp_path / "none.mpc")


def verification(task: Task, folder: Path) -> list[str]:
    """The words of a run that verifies."""
    call = verification_call(Question(11, 0, 1), task.x_test, task.y_test, folder, None)
    return [str(call.program), *call.args, "--protocol", "mal-rep-ring"]


@pytest.mark.parametrize("command", ["run", "party"])
def test_a_passive_protocol_is_refused_by_run_and_party_too(
    invoke: Invoke, shares: Path, tiny_task: Task, tmp_path: Path, command: str
) -> None:
    """As by verify. An attempt that is refused is no verdict."""
    words = [*verification(tiny_task, tmp_path)[:-2], "--shares-from", shares, "--run-dir", tmp_path / "run"]
    if command == "party":
        for i in range(PARTIES):
            assert invoke("certificate", "--party", i, "--out", tmp_path).exit_code == 0
        port = free_ports()
        (tmp_path / "hosts").write_text("".join(f"127.0.0.1:{port + i}\n" for i in range(PARTIES)))
        words += ["--party", 1, "--hosts", tmp_path / "hosts", "--key", tmp_path / "party1.key"]
        words += ["--certificates", tmp_path, "--connect-timeout", "0.1"]
    refused = invoke(command, *words)
    assert (refused.exit_code, "expected an active protocol, such as mal-rep-ring" in refused.stderr) == (2, True)
    assert count_verdict(shares, range(PARTIES), LIMIT) == 1
    allowed_by = invoke(command, *words, "--insecure-passive")
    assert "expected an active protocol" not in allowed_by.stderr
    assert count_verdict(shares, range(PARTIES), LIMIT) == 3


def test_run_of_python_refuses_a_passive_protocol_too(shares: Path, tiny_task: Task, tmp_path: Path) -> None:
    program, *args = verification(tiny_task, tmp_path)[:-2]
    with pytest.raises(ParameterError, match="expected an active protocol"):
        mt.run(program, args, shares_from=shares)


def test_run_counts_as_verify_does(invoke: Invoke, shares: Path, tiny_task: Task, tmp_path: Path) -> None:
    words = verification(tiny_task, tmp_path)
    options = ("--shares-from", shares, "--max-verdicts", "1")
    first = invoke("run", *words, *options, "--run-dir", tmp_path / "first")
    assert first.exit_code == 0, first.stderr
    second = invoke("run", *words, *options, "--run-dir", tmp_path / "second")
    assert (second.exit_code, "expected at most 1 verifications of a model" in second.stderr) == (2, True)
    assert len(second.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "second").exists()
    assert count_verdict(shares, range(PARTIES), LIMIT) == 2


def test_party_counts_before_it_meets_the_others(invoke: Invoke, shares: Path, tiny_task: Task, tmp_path: Path) -> None:
    for i in range(PARTIES):
        assert invoke("certificate", "--party", i, "--out", tmp_path).exit_code == 0
    port = free_ports()
    (tmp_path / "hosts").write_text("".join(f"127.0.0.1:{port + i}\n" for i in range(PARTIES)))
    words = ("party", *verification(tiny_task, tmp_path), "--party", 1, "--hosts", tmp_path / "hosts")
    own = ("--key", tmp_path / "party1.key", "--certificates", tmp_path, "--shares-from", shares)
    refused = invoke(*words, *own, "--max-verdicts", "0", "--run-dir", tmp_path / "run")
    assert (refused.exit_code, "expected at most 0 verifications of a model" in refused.stderr) == (2, True)
    invoke(*words, *own, "--run-dir", tmp_path / "run", "--connect-timeout", "0.1")
    assert count_verdict(shares, [1], LIMIT) == 2


def test_without_a_place_for_the_count_there_is_no_verdict(
    invoke: Invoke, shares: Path, tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPC_TAMPER_STATE", str(tmp_path / "file"))
    result = invoke("run", *verification(tiny_task, tmp_path), "--shares-from", shares, "--run-dir", tmp_path / "run")
    assert (result.exit_code, "verdicts can be counted" in result.stderr) == (2, True)
    assert "set MPC_TAMPER_STATE" in result.stderr


def test_a_study_may_ask_its_own_models_again_and_again(shares: Path, tiny_task: Task, tmp_path: Path) -> None:
    """Where keys are known, a model that is trained again has the same shares, and its verdicts would add up."""
    scenario = Scenario(tiny_task, PARAMETERS, Pixels(tiny_task.x_train.shape[1]))
    runner = ScenarioRunner(InMemoryRep3(), tmp_path)
    outcome = replace(runner.run(scenario, Attempt(Trigger((0,)), tiny_task)), shares=shares)
    assert allowed(LIMIT, shares) == LIMIT
    assert runner.verify(outcome, AccuracyThreshold(0.5)).number == LIMIT + 1
