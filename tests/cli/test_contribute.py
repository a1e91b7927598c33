"""mpc-tamper train --clients and contribute, with real servers: the model is that of the same rows from one party."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.datasets import Task
from tests.support.ports import free_ports
from tests.support.processes import COMMAND, started, wait_for


@pytest.fixture
def data(tiny_task: Task, tmp_path: Path) -> Path:
    t = tiny_task
    np.savez(tmp_path / "task.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    return tmp_path / "task.npz"


@pytest.mark.slow
def test_train_on_rows_of_two_clients(invoke: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    port = free_ports()
    training = ("--data", data, "--iterations", 3)
    words = [*COMMAND, "train", *map(str, training), "--clients", "20,4", "--client-port", str(port)]
    words += ["--open", "--insecure-open-model-of-clients"]  # to compare the weights
    with started([*words, "--run-dir", place, "--out", tmp_path / "out"]) as process:
        folder = place / "clients"
        wait_for(lambda: process.poll() is not None or (folder / "training.json").exists())
        assert process.poll() is None, process.communicate()
        servers = ("--servers", folder / "HOSTS", "--certificates", folder, "--timeout", 240)
        wrong = invoke("contribute", data, "--only-rows", "0:21", *servers)
        assert (wrong.exit_code, "expected 4 or 20 rows" in wrong.stderr) == (2, True), wrong.stderr
        early = invoke("contribute", data, "--only-rows", "20:24", *servers)
        assert (early.exit_code, "expected 20 rows from client 0, got 4" in early.stderr) == (2, True), early.stderr
        for rows, count in (("0:20", 20), ("20:24", 4)):
            result = invoke("contribute", data, "--only-rows", rows, *servers)
            assert (result.exit_code, f"contributed {count} rows" in result.stdout) == (0, True), result.stderr
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert f"--servers {folder / 'HOSTS'} --certificates {folder}" in out
    assert "client 0 said 4, was told 0, 20, and was let go before it shared anything\n" in err
    assert "client 1 of 2 has contributed\n" in err
    assert f"waiting on ports {port} to {port + 2} for 2 clients, with rows in this order: 20, 4" in err
    plain = invoke("train", *training, "--open", "--engine", "clear", "--out", tmp_path / "plain", "--quiet")
    assert plain.exit_code == 0, plain.stderr
    assert np.array_equal(np.load(tmp_path / "out" / "weights.npy"), np.load(tmp_path / "plain" / "weights.npy"))
    assert json.loads((tmp_path / "out" / "record.json").read_text())["rows_from"] == "clients"


def test_what_a_user_gets_wrong(invoke: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--clients", "12,12", "--owners", "2"), "expected --clients or --owners"),
        (("--clients", "12,x"), "expected --clients COUNT,COUNT in integers"),
        (("--clients", "0"), "with at least a row each"),
        (("--clients", "24", "--engine", "clear"), "expected engine rep3"),
        (("--known-clients", tmp_path), "expected --clients with --known-clients"),
    ):
        result = invoke("train", "--data", data, "--run-dir", tmp_path / "run", *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    (tmp_path / "HOSTS").write_text("127.0.0.1:15000\n127.0.0.1:15001\n127.0.0.1:15002\n")
    place = ("--servers", tmp_path / "HOSTS", "--certificates", tmp_path)
    for options, message in (
        (("--only-rows", "3"), "expected --only-rows A:B with 0 <= A < B <= 24"),
        (("--only-rows", "5:25"), "got '5:25'"),
        (("--key", data), "--key and --certificate together"),
        ((), "expected the description of a training"),
    ):
        result = invoke("contribute", data, *place, *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
