"""The commands of docs/three-hosts.md, as they stand there, on three hosts: a process and a folder for each."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from mpc_tamper.datasets import Task
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.workflows.training import train_and_open
from tests.support.hosts import Hosts, on_loopback
from tests.support.places import ROOT
from tests.support.ports import free_ports
from tests.support.processes import wait_for

Invoke = Callable[..., Result]
PAGE = ROOT / "docs" / "three-hosts.md"
ROWS = (10, 8, 6)  # of the owners, of tiny_task's 24
# A host's commands, one after the other in one process: what is imported for the first serves all.
SESSION = """
import json, sys
from mpc_tamper.cli.main import app
for words in json.loads(sys.argv[1]):
    try:
        app(words)
    except SystemExit as ending:
        print(f"exit {ending.code or 0}", flush=True)
        if ending.code:
            sys.exit(ending.code)
"""


def commands(name: str) -> list[list[str]]:
    """The words of the page's commands of this name, without the first."""
    lines = re.findall(r"^    mpc-tamper (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [shlex.split(line) for line in lines if line.split()[0] == name]
    assert found, f"expected a command {name} on {PAGE.name}, got none"
    return found


def on_host(party: int, words: list[str], **changes: str) -> list[str]:
    """As that host's user types them. changes: words to replace."""
    return [changes.get(word, word).replace("$PARTY", str(party)) for word in words]


def save(path: Path, task: Task, rows: slice) -> None:
    arrays = {"x_train": task.x_train[rows], "y_train": task.y_train[rows], "x_test": task.x_test}
    np.savez(path, y_test=task.y_test, image_shape=np.array(task.image_shape), **arrays)


@pytest.fixture
def hosts(tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Three hosts with keys, certificates, the hosts file, and data: own.npz of each, public.npz of all."""
    with on_loopback(tmp_path) as hosts:
        first = 0
        for i in range(PARTIES):
            make_certificate(i, hosts.host(i) / "certificates")
            (hosts.host(i) / "hosts").write_text("\n".join(hosts.addresses) + "\n")
            save(hosts.host(i) / "own.npz", tiny_task, slice(first, first + ROWS[i]))
            save(hosts.host(i) / "public.npz", tiny_task, slice(None))
            first += ROWS[i]
        for i in range(PARTIES):
            for j in {0, 1, 2} - {i}:
                content = (hosts.host(i) / "certificates" / f"party{i}.pem").read_bytes()
                (hosts.host(j) / "certificates" / f"party{i}.pem").write_bytes(content)
        yield hosts


def start(hosts: Hosts, party: int, session: list[list[str]]) -> subprocess.Popen[str]:
    return hosts.start(party, [sys.executable, "-c", SESSION, json.dumps(session)])


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    return [process.communicate(timeout=240) for process in processes]


@pytest.mark.slow
def test_the_page_from_training_to_query(hosts: Hosts, tiny_task: Task, invoke: Invoke, state: Path) -> None:
    port = str(free_ports())
    (training,) = commands("train")
    public, secret = commands("verify")
    (serving,) = commands("serve")
    (opening,) = commands("open")
    (asking,) = commands("query")
    session = [training, public, secret, opening, [*serving, "--client-port", port]]
    processes = [start(hosts, i, [on_host(i, words) for words in session]) for i in range(PARTIES)]
    clients = hosts.host(1) / "runs" / "serving" / "clients"
    wait_for(lambda: any(p.poll() is not None for p in processes) or (clients / "service.json").exists())
    assert all(process.poll() is None for process in processes), ended(processes)
    Image.fromarray(tiny_task.x_test[0].reshape(4, 4)).save(hosts.folder / "image.png")
    places = {"image.png": hosts.folder / "image.png", "clients/HOSTS": clients / "HOSTS", "clients": clients}
    answer = invoke(*(places.get(word, word) for word in asking), "--quiet")
    said = ended(processes)
    assert [process.returncode for process in processes] == [0, 0, 0], said
    expected = train_and_open(
        tiny_task, SvmParameters(iterations=20), engine=get_engine(EngineName.CLEAR), owners=Owners(ROWS)
    ).weights
    for i in range(PARTIES):
        host = hosts.host(i)
        assert np.array_equal(np.load(host / "opened" / "weights.npy"), expected)
        assert {path.name for path in (host / "runs/mine/train/Persistence").iterdir()} == {f"Transactions-P{i}.data"}
        assert json.loads((host / "runs/mine/train/model.json").read_text())["shares"] == 17
        assert said[i][0].count("pass: at least 11 of 12 known examples are classified rightly") == 2
        assert "rows of parties 0, 1 and 2: 10, 8, 6" in said[i][1]
        assert "verification 2 of this model" in said[i][1]
        assert (host / "runs/serving/clients/HOSTS").read_bytes() == (clients / "HOSTS").read_bytes()
    assert (answer.exit_code, answer.stdout) == (0, f"{int(scores(expected, tiny_task.x_test[:1])[0] > 0)}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--party", "1"), "expected --hosts FILE with --party, got none"),
        (("--hosts", "hosts"), "expected --party 0, 1 or 2 with --hosts, got none"),
        (("--hosts", "hosts", "--party", "1", "--network", "lan"), "expected --network without --hosts, got both"),
        (("--hosts", "hosts", "--party", "1", "--keys", "nowhere"), "nowhere/party0.pem: expected party 0's certif"),
        (
            ("--hosts", "hosts", "--party", "1", "--engine", "clear"),
            "expected --engine rep3 or mp-spdz for three hosts",
        ),
        (("--hosts", "hosts", "--party", "1", "--data", "mnist_0_1"), "to try it out give --owners 3 on all three"),
        (("--hosts", "hosts", "--party", "1", "--labels-owner", "1"), "expected --owners with --labels-owner"),
        (("--data", "none"), "expected --data none with --hosts alone"),
    ],
)
def test_what_is_refused_at_once(
    hosts: Hosts, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(hosts.host(1))
    result = invoke("train", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
