"""mpc-tamper attack NAME and train --defence NAME: what the registries hold, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.attacks.registry import ADAPTIVE, ATTACKS
from mpc_tamper.testing import small_task

Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, task = tmp_path_factory.mktemp("data") / "small.npz", small_task()
    np.savez(path, **{name: getattr(task, name) for name in ("x_train", "y_train", "x_test", "y_test")})
    return path


def test_the_list_has_every_name_and_who_can_be_attacked(invoke: Invoke) -> None:
    lines = [line.split() for line in invoke("attack", "--list").stdout.splitlines()]
    listed = {words[0]: " ".join(words[1:]) for words in lines if words}
    assert {*ATTACKS, *ADAPTIVE} <= listed.keys()
    assert listed["backdoor_4"] == "linear_svm"
    assert listed["gradient_zeroing"] == "linear_svm, mlp"
    assert listed["adaptive_backdoor"] == "linear_svm adapts to the check"


def test_an_attack_by_name_finds_its_strength(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    chosen = ("--data", data, "--engine", "clear", "--iterations", "20", "-q")
    result = invoke("attack", "backdoor_4", *chosen, "--out", tmp_path)
    assert result.exit_code == 0
    said = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert said["attack"].strip() == "backdoor_4"
    assert said["verdict"].strip() == "none: nothing checks the model"
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert record["attack_success_rate_clipped"] >= 0.99
    assert record["settings"]["strength"] > 0
    assert record["robust_accuracy"] == pytest.approx(1 - record["attack_success_rate_clipped"])


@pytest.mark.slow
def test_an_attack_meets_a_defence_in_three_parties(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    chosen = ("--data", data, "--iterations", "20", "-q")
    for attack, defence, said in (
        ("backdoor_1", "certificate_1", "rejected"),
        ("adaptive_backdoor_1", "certificate_1", "passed"),
        ("backdoor_1", "active", "aborted: "),
    ):
        threshold = () if defence == "active" else ("--threshold", "0.8")
        result = invoke("attack", attack, "--defence", defence, *threshold, *chosen)
        assert result.exit_code == 0
        assert f"verdict                      {said}" in result.stdout
    kept = invoke("train", "--defence", "certificate_1", "--threshold", "0.8", *chosen, "--run-dir", tmp_path / "run")
    assert "verdict                      pass" in kept.stdout
    assert f"shares                       {tmp_path / 'run' / 'train'}" in kept.stdout
    opened = invoke("open", tmp_path / "run", "--data", data, "-q")
    assert "test accuracy" in opened.stdout


def test_a_training_with_a_defence_stays_secret_unless_it_is_opened(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    chosen = ("--data", data, "--engine", "clear", "--iterations", "20", "--json")
    secret = json.loads(invoke("train", "--defence", "pca_by_owner", *chosen, "--run-dir", tmp_path / "a").stdout)
    assert secret["stages"] == ["train"]
    assert not {"test_accuracy", "weights_sha256"} & secret.keys()
    opened = invoke("train", "--defence", "low_variance", *chosen, "--open", "--run-dir", tmp_path / "b")
    assert json.loads(opened.stdout)["test_accuracy"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attack", "magic"), "attack: expected one of backdoor_1, "),
        (("attack", "backdoor_1", "--pixel", "1,1"), "expected attack backdoor_1 without --pixel"),
        (("attack", "backdoor_1", "--strength", "2"), "expected attack backdoor_1 without --pixel"),
        (("attack", "backdoor_1", "--owners", "2"), "expected attack backdoor_1 without --owners"),
        (("attack", "backdoor_1", "--defence", "magic"), "defence: expected one of none, "),
        (
            ("attack", "backdoor_1", "--defence", "pca", "--threshold", "0.5"),
            "expected a defence that checks the model",
        ),
        (("attack", "backdoor_1", "--defence", "accuracy", "--engine", "clear"), "lacks an active protocol"),
        (("attack", "dormant_neuron_1", "--engine", "clear"), "linear_svm lacks hidden neurons; choose another"),
        (("attack", "--defence", "accuracy"), "with the NAME of an attack"),
        (("train", "--threshold", "0.5"), "expected --threshold with --defence"),
        (("train", "--defence", "accuracy", "--clients", "10,10"), "expected --clients or --defence"),
        (("train", "--defence", "accuracy", "--owners", "2"), "expected --defence or --owners"),
    ],
)
def test_what_does_not_go_together(invoke: Invoke, data: Path, words: tuple[str, ...], said: str) -> None:
    result = invoke(*words, "--data", data, "-q")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
