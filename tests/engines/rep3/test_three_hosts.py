"""One party per host: the same weights as the clear engine, and a host that goes takes the others along, named.

The hosts are network namespaces where there may be any; the same tests run on three ports of 127.0.0.1 everywhere.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.datasets import Task
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.encoding import write_signed_rows
from mpc_tamper.models.linear_svm.bounds import fixed_point
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.program import training_call
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.workflows.training import train_and_open
from tests.support.hosts import Hosts, in_namespaces, on_loopback
from tests.support.processes import COMMAND, wait_for

pytestmark = pytest.mark.slow

TIMEOUT, SECONDS_TO_END = 600, 60.0  # of a message; and to the end, for which an idle machine needs 2 s
UNPLUGGED = 8  # seconds for a message where only a time-out can tell
RUN_FAILED = 4  # the exit code of a PartyError
PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=5)
PLAN = AdditiveErrorPlan.from_errors(
    [AdditiveError("GRADIENT", 1, 3, 1 << 14), AdditiveError("MARGIN", 2, 5, -(1 << 25))]
)
ENDLESS = """
x = sint.Array(64)
x.assign_all(3)
x.write_to_file()
@for_range(10 ** 7)
def _(i):
    x.assign_vector((x[:] * x[:]).greater_than(0, 40))
"""


def with_certificates(hosts: Hosts) -> Hosts:
    hosts.exchange_certificates(make_certificate)
    return hosts


def start(hosts: Hosts, party: int, program: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    own = ("--party", str(party), "--hosts", "hosts", "--key", f"party{party}.key", "--certificates", ".")
    return hosts.start(party, [*COMMAND, "party", program, *arguments, *own])


@pytest.fixture
def namespaces(tmp_path: Path) -> Iterator[Hosts]:
    with in_namespaces(tmp_path) as hosts:
        yield with_certificates(hosts)


@pytest.fixture(
    params=[
        pytest.param(on_loopback, id="loopback"),
        pytest.param(in_namespaces, id="namespaces", marks=pytest.mark.netns),
    ]
)
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosts]:
    with request.param(tmp_path) as hosts:
        yield with_certificates(hosts)


def finished(process: subprocess.Popen[str], seconds: float = 240.0) -> tuple[str, str]:
    output = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    return output


def failed(process: subprocess.Popen[str], seconds: float) -> str:
    """What a party that ended badly says, on one line."""
    output, errors = process.communicate(timeout=seconds)
    assert (process.returncode, output) == (RUN_FAILED, ""), errors
    assert "Traceback" not in errors
    return errors.splitlines()[-1]


def listens(process: subprocess.Popen[str], port: int) -> bool:
    """Whether somebody waits for connections at that port of the network that the process is in."""
    lines = Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]
    return any(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in map(str.split, lines))


def has_connected(process: subprocess.Popen[str], port: int) -> bool:
    """Whether a TCP connection to that port is established in the network that the process is in."""
    lines = Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]
    return any(remote.endswith(f":{port:04X}") and state == "01" for _, _, remote, state, *_ in map(str.split, lines))


def at_work(hosts: Hosts, timeout: int = TIMEOUT) -> list[subprocess.Popen[str]]:
    """Three parties in the middle of a program that does not end."""
    program = hosts.folder / "endless.mpc"
    program.write_text(ENDLESS)
    parties = [start(hosts, i, program, "--run-dir", "run", "--timeout", str(timeout)) for i in range(PARTIES)]
    wait_for(lambda: all((hosts.host(i) / f"run/Persistence/Transactions-P{i}.data").exists() for i in range(PARTIES)))
    time.sleep(0.3)
    return parties


@pytest.mark.parametrize("corrupt_party", [None, 2], ids=["honest", "poisoned"])
def test_training_gives_the_weights_of_the_clear_engine(
    hosts: Hosts, tiny_task: Task, corrupt_party: int | None
) -> None:
    """Each host enters its own rows; the parties start one after the other, the highest first."""
    rows, pixels = tiny_task.x_train.shape
    owners = Owners.share_equally(rows, PARTIES)
    inputs = write_signed_rows(hosts.folder / "inputs", tiny_task.x_train, tiny_task.y_train, owners)
    constants = fixed_point(PARAMETERS, rows, pixels)
    arguments = training_call(PARAMETERS, constants, DataSize(rows, pixels, 255), owners).args
    parties = {}
    for i in (2, 1, 0):
        own = ["--input", f"{i}={inputs[i].binary}", "--run-dir", "train"]
        own += ["--listen", "0.0.0.0"] if i == 1 else []
        if i == corrupt_party:
            PLAN.write(hosts.host(i) / "plan.txt")
            own += ["--plan", "plan.txt"]
        parties[i] = start(hosts, i, bundle.program("svm_train.mpc"), *arguments, *own)
        time.sleep(0.5)
    for party in parties.values():
        output, errors = finished(party)
        assert output == ""
        assert "GRADIENT" in errors

    options = ("--run-dir", "reveal", "--shares-from", "train", "--quiet")
    reveal = [
        start(hosts, i, bundle.program("svm_reveal.mpc"), f"columns={pixels + 1}", *options) for i in range(PARTIES)
    ]
    assert [finished(party) for party in reveal] == [("opened 17 weights\n", ""), ("", ""), ("", "")]
    plan = PLAN if corrupt_party is not None else None
    expected = train_and_open(
        tiny_task,
        PARAMETERS,
        engine=get_engine(EngineName.CLEAR),
        owners=owners,
        corruption=Corruption.of(corrupt_party, plan),
    ).weights
    for i in range(PARTIES):
        opened = np.fromfile(hosts.host(i) / f"reveal/Player-Data/Binary-Output-P{i}-0", "<i8")
        assert np.array_equal(opened, expected)


@pytest.mark.parametrize(
    ("hosts", "victim"),
    [(on_loopback, 0), (on_loopback, 1), (on_loopback, 2), pytest.param(in_namespaces, 1, marks=pytest.mark.netns)],
    indirect=["hosts"],
    ids=["loopback-0", "loopback-1", "loopback-2", "namespaces-1"],
)
def test_a_killed_party_ends_the_other_two_and_is_named(hosts: Hosts, victim: int) -> None:
    parties = at_work(hosts)
    parties[victim].send_signal(signal.SIGKILL)
    for i in {0, 1, 2} - {victim}:
        assert f"party {victim}" in failed(parties[i], SECONDS_TO_END)


def test_an_interrupted_party_ends_the_other_two_and_is_named(hosts: Hosts) -> None:
    parties = at_work(hosts)
    parties[1].send_signal(signal.SIGINT)
    for i in (0, 2):
        assert "party 1" in failed(parties[i], SECONDS_TO_END)
    parties[1].wait(SECONDS_TO_END)
    assert parties[1].returncode == 130


def test_a_party_killed_before_all_have_met_is_named(hosts: Hosts) -> None:
    """Party 2 never comes: party 1 has met party 0 and still waits when that one goes."""
    program = hosts.folder / "endless.mpc"
    program.write_text(ENDLESS)
    first, second = (start(hosts, i, program) for i in (0, 1))
    port = int(hosts.addresses[0].rpartition(":")[2])
    wait_for(lambda: has_connected(second, port))
    time.sleep(1)
    assert first.poll() is None
    assert second.poll() is None
    first.kill()
    assert "party 0 closed its connection before all" in failed(second, SECONDS_TO_END)


def test_a_party_that_does_not_come_is_named(hosts: Hosts) -> None:
    program = hosts.folder / "endless.mpc"
    program.write_text(ENDLESS)
    first = start(hosts, 0, program)
    port = int(hosts.addresses[0].rpartition(":")[2])
    wait_for(lambda: listens(first, port))
    last = start(hosts, 2, program, "--connect-timeout", "4")
    for party in (first, last):
        assert "party 1" in failed(party, SECONDS_TO_END)


def test_another_program_is_refused_at_the_handshake(hosts: Hosts) -> None:
    programs = [hosts.folder / "ours.mpc", hosts.folder / "theirs.mpc"]
    programs[0].write_text("print_ln('%s', sint(1).reveal())\n")
    programs[1].write_text("print_ln('%s', sint(2).reveal())\n")
    parties = [start(hosts, i, programs[i == 1]) for i in range(PARTIES)]
    for i in (0, 2):
        assert "party 1" in failed(parties[i], SECONDS_TO_END)


@pytest.mark.netns
@pytest.mark.parametrize("victim", range(PARTIES))
def test_a_host_off_the_network_is_named(namespaces: Hosts, victim: int) -> None:
    """No word comes, not even that the connection is closed."""
    parties = at_work(namespaces, UNPLUGGED)
    namespaces.unplug(victim)
    for i in {0, 1, 2} - {victim}:
        assert f"party {victim}" in failed(parties[i], UNPLUGGED + SECONDS_TO_END)
    failed(parties[victim], UNPLUGGED + SECONDS_TO_END)
