"""Training opens nothing. Opening is a step of its own that says what it gives away."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper.models.description import FILE
from mpc_tamper.workflows.opening import AFTER_PASSIVE_TRAINING
from tests.support.in_memory import InMemoryRep3

PARAMETERS = mt.SvmParameters(iterations=3)
OPEN = "--insecure-open-model-of-clients"


def said(secret: mt.SecretModel) -> str:
    lines: list[str] = []
    secret.open(progress=lambda text, fraction=None: lines.append(text))
    return "\n".join(lines)


def of_clients(folder: Path) -> None:
    """Make the description say that the rows were those of clients."""
    fields = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(fields | {"of_clients": True}))


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_training_leaves_shares_and_nothing_opened(tiny_task: mt.Task, tmp_path: Path, engine: str) -> None:
    secret = mt.train(tiny_task, PARAMETERS, engine=engine, run_dir=tmp_path / "run")
    assert secret.shares == tmp_path / "run" / "train"
    assert (secret.run.lines, secret.run.binary_output) == ((), ())
    assert not hasattr(secret, "weights")
    assert "weights_sha256" not in secret.record()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["train"]
    assert not list((tmp_path / "run").rglob("Binary-Output*"))
    weights = secret.open().weights
    assert weights.shape == (17,)
    again = mt.open_model(tmp_path / "run", engine=engine)
    assert again.weights.tolist() == weights.tolist()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["train"]


def test_shares_without_a_place_last_as_long_as_the_model(tiny_task: mt.Task) -> None:
    secret = mt.train(tiny_task, PARAMETERS, engine="clear")
    place = secret.shares
    assert place.is_dir()
    del secret
    assert not place.exists()


def test_what_opening_says(tiny_task: mt.Task) -> None:
    engine = InMemoryRep3()
    assert AFTER_PASSIVE_TRAINING in said(mt.train(tiny_task, PARAMETERS, engine=engine))
    active = mt.train(tiny_task, PARAMETERS, engine=engine, protocol="mal-rep-ring")
    assert AFTER_PASSIVE_TRAINING not in said(active)


def test_a_model_of_clients_rows_is_not_opened(tiny_task: mt.Task, tmp_path: Path) -> None:
    secret = mt.train(tiny_task, PARAMETERS, engine="clear", run_dir=tmp_path)
    of_clients(secret.shares)
    with pytest.raises(mt.UsageError, match=f"trained on rows of clients.* {OPEN}"):
        secret.open()
    with pytest.raises(mt.UsageError, match="trained on rows of clients"):
        mt.open_model(tmp_path, engine="clear")
    assert mt.open_model(tmp_path, engine="clear", insecure_rows_of_clients=True).weights.shape == (17,)


def test_a_folder_without_a_training(tmp_path: Path) -> None:
    with pytest.raises(mt.UsageError, match=r"with its description model\.json"):
        mt.open_model(tmp_path, engine="clear")
    (tmp_path / FILE).write_text('{"model": "linear_svm"}')
    with pytest.raises(mt.UsageError, match="expected the description that a training leaves"):
        mt.open_model(tmp_path, engine="clear")


def test_nothing_secret_is_readable_by_others(tiny_task: mt.Task, tmp_path: Path) -> None:
    """Shares, keys, plans, logs and reports of a run, whatever the user's umask is."""
    before = os.umask(0)
    try:
        secret = mt.train(tiny_task, PARAMETERS, engine="rep3", run_dir=tmp_path / "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE(secret.shares.stat().st_mode) == 0o700
    public = {FILE} | {f"party{i}.pem" for i in range(3)}
    for path in secret.shares.rglob("*"):
        if path.is_file() and path.name not in public:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_command_line(
    tiny_task: mt.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    t = tiny_task
    np.savez("t.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    options = ("--data", "t.npz", "--engine", "clear", "--iterations", "3")
    result = invoke("train", *options, "--run-dir", "a", "--out", "out")
    assert result.exit_code == 0
    assert "test accuracy" not in result.stdout
    assert f"shares {'':<21} a/train" in result.stdout
    assert "mpc-tamper open a" in result.stderr
    assert [path.name for path in Path("out").iterdir()] == ["record.json"]

    result = invoke("open", "a", "--engine", "clear", "--data", "t.npz", "--out", "opened")
    assert result.exit_code == 0
    assert "test accuracy                1.0000" in result.stdout
    assert "may be a row of an owner's data" in result.stderr
    assert stat.S_IMODE(Path("opened/weights.npy").stat().st_mode) == 0o600
    assert np.load("opened/weights.npy").shape == (17,)

    result = invoke("train", *options, "--run-dir", "b", "--open", "--out", "out")
    assert "test accuracy                1.0000" in result.stdout
    assert stat.S_IMODE(Path("out/weights.npy").stat().st_mode) == 0o600
    assert {path.name for path in Path("out").iterdir()} == {"record.json", "weights.npy"}

    result = invoke("train", *options, "--clients", "12,12", "--open")
    assert result.exit_code == 2
    assert OPEN in result.stderr
    of_clients(Path("a/train"))
    result = invoke("open", "a", "--engine", "clear")
    assert result.exit_code == 2
    assert OPEN in result.stderr
    assert invoke("open", "a", "--engine", "clear", OPEN).exit_code == 0
