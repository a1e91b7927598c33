"""The fault campaign: a dozen faults for real, and that its parts are repeatable and find what they look for."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path

import pytest

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.report.faults import faults_tables
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.faults import campaign, pace
from mpc_tamper.studies.faults.fault import Fault
from mpc_tamper.studies.faults.observe import Ended, violations
from mpc_tamper.studies.faults.pace import Pace
from mpc_tamper.studies.faults.programs import random_program
from mpc_tamper.studies.faults.registry import KINDS
from mpc_tamper.studies.faults.relay import Deed, Interference, interfering
from mpc_tamper.studies.faults.signals import Interrupt, KillCommand, KillParty, PauseParty
from mpc_tamper.studies.faults.work import RunProgram
from tests.support.places import ROOT

SEED = 3


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_a_dozen_faults_end_as_they_should(number: int) -> None:
    record = campaign.one(get_engine(EngineName.REP3), SEED, 2 * number, Pace(least=4.0))
    assert record["violations"] == [], record


def test_load_that_came_after_the_last_look_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((0.3, 6.0, 0.3))
    monkeypatch.setattr(pace, "_honest_seconds", lambda: next(seconds))
    found = Pace()
    assert [found.factor(), found.factor(), found.factor(anew=True), found.factor()] == [1.0, 1.0, 4.0, 4.0]
    assert Pace(least=2.0).factor() == 2.0


def test_a_seed_gives_the_same_programs_and_faults() -> None:
    def drawn(seed: int) -> list[object]:
        rng = random.Random(seed)
        return [random_program(rng), *(kind.draw(rng) for kind in KINDS)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_values_of_random_programs_stay_in_bounds(tmp_path: Path) -> None:
    for seed in range(20):
        work = RunProgram(random.Random(seed))
        folder = tmp_path / str(seed)
        folder.mkdir()
        work.prepare(folder)
        assert work._lines
        numbers = [int(word) for line in work._lines for word in line.strip("[]").split(",")]
        assert max(map(abs, numbers)) < 1 << 45


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_documented(kind: type[Fault]) -> None:
    assert kind.__doc__
    assert f"| {kind.name} |" in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an honest run of a program has just ended."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work" / "run").mkdir(parents=True)
    return tmp_path / "work"


@pytest.fixture
def work(folder: Path) -> RunProgram:
    found = RunProgram(random.Random(1))
    found.prepare(folder)
    return found


KILLED_PARTY = KillParty(1, 0.0, "SIGKILL")
SAID = "error: party 1 was killed by SIGKILL; no result was written\n"


@pytest.mark.parametrize(
    ("fault", "code", "said", "expected"),
    [
        (KILLED_PARTY, 4, SAID, None),
        (KILLED_PARTY, 4, "error: something went wrong\n", "names the cause"),
        (KILLED_PARTY, 1, "Traceback (most recent call last):\n  File\nOSError: x\n", "one line"),
        (KILLED_PARTY, 4, "", "one line"),
        (KILLED_PARTY, -15, "", "killed by signal 15"),
        (KILLED_PARTY, 0, "", "is right"),
        (PauseParty(1, 0.0, 1.0), 4, SAID, "expected the right result"),
        (Interrupt(0.0, "SIGINT"), 130, "interrupted\n", None),
        (Interrupt(0.0, "SIGINT"), -2, "interrupted\n", None),
        (KillCommand(0.0, "SIGKILL"), -9, "", None),
    ],
)
def test_the_observer_reads_exit_code_and_words(
    work: RunProgram, folder: Path, fault: Fault, code: int, said: str, expected: str | None
) -> None:
    found = list(violations(Ended(code, "", said, struck=True), fault, work, folder))
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


def test_wrong_lines_count_even_before_an_error(work: RunProgram, folder: Path) -> None:
    right = work._lines[0]
    assert list(violations(Ended(4, f"{right}\n", SAID, struck=True), KILLED_PARTY, work, folder)) == []
    (found,) = violations(Ended(4, "7777\n", SAID, struck=True), KILLED_PARTY, work, folder)
    assert "is right" in found


@pytest.mark.parametrize(
    ("name", "content", "mode", "expected"),
    [
        ("run/parties/party0.key", b"key", 0o600, None),
        ("run/parties/party0.key", b"key", 0o640, "can be read by others"),
        ("run/Persistence/Transactions-P0.data", b"torn", 0o600, "half written"),
        ("run/party0.json", b'{"lines": [', 0o644, "half written"),
        ("run/.party0.json.abc", b"", 0o600, "being written"),
        ("../temporary/mpc-tamper-x1", b"", 0o600, "temporary"),
    ],
)
def test_the_observer_looks_at_files(
    work: RunProgram, folder: Path, name: str, content: bytes, mode: int, expected: str | None
) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    found = list(violations(Ended(4, "", SAID, struck=True), KILLED_PARTY, work, folder))
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


SENT = bytes(range(100))


@pytest.mark.parametrize(
    ("deed", "amount", "expected"),
    [
        (Deed.FLIP, 3.0, SENT[:10] + bytes([SENT[10] ^ 8]) + SENT[11:]),
        (Deed.TRUNCATE, 5.0, SENT[:10] + SENT[15:]),
        (Deed.DUPLICATE, 1.0, SENT[:10] + SENT + SENT[10:]),
        (Deed.DELAY, 0.1, SENT),
        (Deed.CUT, 0.0, SENT[:10]),
    ],
)
def test_the_relay_strikes_once_where_it_is_told(tmp_path: Path, deed: Deed, amount: float, expected: bytes) -> None:
    what = Interference(deed, listener=1, connection=0, forward=True, after=10, amount=amount)
    assert Interference.read(what.written(tmp_path / "note")) == (what, tmp_path / "note")
    received = b""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
        with (
            interfering(what, tmp_path / "note", (address, address, address)) as reached,
            socket.create_connection(reached[1]) as client,
        ):
            server, _ = listener.accept()
            client.sendall(SENT)
            client.shutdown(socket.SHUT_WR)
            with server:
                server.settimeout(120)
                while data := server.recv(1000):
                    received += data
    assert received == expected
    assert (tmp_path / "note").exists()


RECORD = {
    "number": 5,
    "kind": "kill a party",
    "fault": {"party": 1},
    "work": "run",
    "protocol": "ring",
    "struck": True,
    "seconds_to_end": 1.25,
    "limit_seconds": 5.0,
    "known_moment": True,
    "exit_code": 4,
    "said": "",
    "violations": [],
}


def test_the_report_counts_each_kind() -> None:
    environment = dict.fromkeys(("cpu", "cores", "os", "python", "numpy", "commit"), "x")
    head = {"seed": 9, "minutes": 10.0, "environment": environment, "left_out": [["full disk", "no root"]]}
    text = faults_tables(head, [RECORD, RECORD | {"exit_code": 0, "struck": False, "violations": ["bad\nthing"]}])
    assert "| kill a party | 2 | 1 | 1 | 1 | 1 | 1.2 | 1.2 |" in text
    assert "`--seed 9 --only 5`: kill a party {'party': 1}, run ring: bad thing" in text
    assert "Left out: full disk (no root)." in text


def test_threads_of_the_campaign_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(engine: object, seed: int, number: int, pace: Pace) -> dict[str, object]:
        time.sleep(0.005)
        return RECORD | {"number": number}

    monkeypatch.setattr(campaign, "one", one)
    before = set(threading.enumerate())
    found = campaign.campaign(get_engine(EngineName.REP3), tmp_path, minutes=0.0003, jobs=3)
    assert set(threading.enumerate()) <= before
    assert [record["number"] for record in found] == list(range(len(found)))
    assert f": {len(found)} faults, 0 with violations" in (tmp_path / "faults.md").read_text(encoding="utf-8")


def test_an_error_of_the_campaign_itself_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(campaign, "one", fail)
    with pytest.raises(KeyError, match="ours"):
        campaign.campaign(get_engine(EngineName.REP3), tmp_path, jobs=3)
