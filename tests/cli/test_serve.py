"""mpc-tamper serve and query, with real servers: two commands in two processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from mpc_tamper.datasets import Task
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.workflows.training import TrainedModel, train_and_open
from tests.support.ports import free_ports
from tests.support.processes import COMMAND, started, wait_for

REFUSED = "a client was refused: it has asked as often as it may (--budget)"


@pytest.fixture(scope="module")
def model(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, Path]:
    folder = tmp_path_factory.mktemp("model")
    return train_and_open(
        tiny_task, SvmParameters(iterations=5), engine=get_engine(EngineName.REP3), run_dir=folder / "train"
    ), folder


@contextmanager
def server(folder: Path, place: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    words = [*COMMAND, "serve", str(folder), "--client-port", str(free_ports()), "--run-dir", str(place), *options]
    with started(words) as process:
        wait_for(lambda: process.poll() is not None or (place / "clients" / "service.json").exists())
        assert process.poll() is None, process.communicate()
        yield process


def query(invoke: Callable[..., Result], image: Path, place: Path, *options: str) -> list[str]:
    folder = place / "clients"
    result = invoke("query", image, "--servers", folder / "HOSTS", "--certificates", folder, "--quiet", *options)
    assert result.exit_code == 0, result.output
    return result.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["ring", "mal-rep-ring"])
def test_serve_and_query(
    invoke: Callable[..., Result],
    model: tuple[TrainedModel, Path],
    tiny_task: Task,
    tmp_path: Path,
    protocol: str,
) -> None:
    """Two pictures; then Ctrl-C ends the servers, and nothing of them is left."""
    trained, folder = model
    place = tmp_path / "serving"
    with server(folder, place, "--protocol", protocol, "--answer", "score") as process:
        for i in (0, 1):
            Image.fromarray(tiny_task.x_test[i].reshape(4, 4)).save(tmp_path / "x.png")
            (score,) = scores(trained.weights, tiny_task.x_test[i : i + 1])
            found = query(invoke, tmp_path / "x.png", place)
            assert found == [str(int(score > 0)), f"{score / 2**24:.6f}"]
        process.send_signal(signal.SIGINT)
        assert process.wait(240) == 0
        assert "stopped" in process.stderr.read()
    host, _, port = (place / "clients" / "HOSTS").read_text().splitlines()[0].rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.slow
def test_known_clients_and_a_number_of_queries(
    invoke: Callable[..., Result], model: tuple[TrainedModel, Path], tiny_task: Task, tmp_path: Path
) -> None:
    """The servers end by themselves after the last query; without --answer score there is no score."""
    trained, folder = model
    np.savez(
        tmp_path / "task.npz",
        x_train=tiny_task.x_train,
        y_train=tiny_task.y_train,
        x_test=tiny_task.x_test,
        y_test=tiny_task.y_test,
    )
    made = invoke("client-certificate", "alice", "--out", tmp_path / "alice")
    assert made.exit_code == 0
    (tmp_path / "known").mkdir()
    (tmp_path / "alice" / "alice.pem").rename(tmp_path / "known" / "alice.pem")
    own = ("--key", tmp_path / "alice" / "alice.key", "--certificate", tmp_path / "known" / "alice.pem")
    place = tmp_path / "serving"
    with server(folder, place, "--known-clients", str(tmp_path / "known"), "--queries", "1") as process:
        stranger = invoke(
            *("query", tmp_path / "task.npz", "--index", 7, "--timeout", 60),
            *("--servers", place / "clients" / "HOSTS", "--certificates", place / "clients"),
        )
        assert stranger.exit_code == 4
        assert "error: " in stranger.stderr
        (score,) = scores(trained.weights, tiny_task.x_test[7:8])
        assert query(invoke, tmp_path / "task.npz", place, "--index", "7", *own) == [str(int(score > 0))]
        assert process.wait(240) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "a client at 127.0.0.1 was refused: it showed no certificate, and only known clients are served\n" in said
    assert "Traceback" not in said


def test_serve_is_active_by_default_and_limits_queries(
    invoke: Callable[..., Result], model: tuple[TrainedModel, Path], tiny_task: Task, tmp_path: Path, state: Path
) -> None:
    _, folder = model
    place = tmp_path / "serving"
    Image.fromarray(tiny_task.x_test[0].reshape(4, 4)).save(tmp_path / "x.png")
    with server(folder, place, "--budget", "1") as process:
        assert json.loads((place / "clients" / "service.json").read_text())["protocol"] == "mal-rep-ring"
        assert len(query(invoke, tmp_path / "x.png", place)) == 1
        clients = place / "clients"
        more = invoke("query", tmp_path / "x.png", "--servers", clients / "HOSTS", "--certificates", clients)
        assert (more.exit_code, "this client's are spent" in more.stderr) == (4, True)
        said = ""
        for line in process.stderr:
            said += line
            if REFUSED in line:
                break
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
        assert process.wait(240) == 0
        assert "passive" not in said
        assert said.count(REFUSED) == 1
    counts = [path.name for path in (state / "queries").glob("*-anonymous.json")]
    assert len(counts) == 3


@pytest.mark.mp_spdz
@pytest.mark.parametrize("protocol", ["ring", "sy-rep-ring"])
def test_serve_and_query_on_mp_spdz(
    invoke: Callable[..., Result], model: tuple[TrainedModel, Path], tiny_task: Task, tmp_path: Path, protocol: str
) -> None:
    trained, folder = model
    place = tmp_path / "serving"
    with server(folder, place, "--engine", "mp-spdz", "--protocol", protocol, "--answer", "score") as process:
        for i in (0, 1):
            Image.fromarray(tiny_task.x_test[i].reshape(4, 4)).save(tmp_path / "x.png")
            (score,) = scores(trained.weights, tiny_task.x_test[i : i + 1])
            found = query(invoke, tmp_path / "x.png", place, "--engine", "mp-spdz")
            assert found == [str(int(score > 0)), f"{score / 2**24:.6f}"]
        process.send_signal(signal.SIGINT)
        assert process.wait(240) == 0


def test_what_a_user_gets_wrong(
    invoke: Callable[..., Result], model: tuple[TrainedModel, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    Image.new("L", (5, 5)).save(tmp_path / "x.png")
    (folder / "HOSTS").write_text("127.0.0.1:15000\n127.0.0.1:15001\n127.0.0.1:15002\n")
    place = ("--servers", folder / "HOSTS", "--certificates", folder)
    missing = invoke("query", tmp_path / "x.png", *place)
    assert (missing.exit_code, "description of a service" in missing.stderr) == (2, True)
    service = {"model": "linear_svm", "features": 16, "classes": 2, "score_bits": 24, "answer": "class"}
    service |= {"engine": "rep3", "protocol": "ring"}
    (folder / "service.json").write_text(json.dumps(service))
    for options, message in (
        (
            (),
            "expected 16 pixels, as the model has, got 25; resize the image to 4 pixels wide and 4 high",
        ),
        (("--engine", "mp-spdz"), "expected --engine rep3"),
        (("--key", tmp_path / "x.png"), "--key and --certificate together"),
    ):
        result = invoke("query", tmp_path / "x.png", *place, *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    for options, message in (
        (("--engine", "clear"), "expected an engine and protocol that serve clients"),
        (("--answer", "all"), "expected --answer class or score"),
        (("--known-clients", tmp_path / "clients"), "expected certificates of clients"),
    ):
        result = invoke("serve", model[1], "--client-port", free_ports(), "--run-dir", tmp_path / "run", *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
