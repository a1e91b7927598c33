"""mpc-tamper certificate and party: what is refused before a party starts. test_three_hosts_rep3.py has whole runs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from mpc_tamper.runs.protocols import PARTIES
from tests.support.ports import free_ports

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> Path:
    """Commands run here: certificates in ., a hosts file of free ports, a program, inputs."""
    monkeypatch.chdir(tmp_path)
    for i in range(PARTIES):
        assert invoke("certificate", "--party", i, "--out", ".").exit_code == 0
    port = free_ports()
    Path("hosts").write_text("".join(f"127.0.0.1:{port + i}\n" for i in range(PARTIES)))
    Path("program.mpc").write_text("STEP = 1\nstart_timer(STEP)\nstop_timer(STEP)\n")
    Path("in.txt").write_text("1 2 3\n")
    Path("plan.txt").write_text("additive-error-plan 1\nELSEWHERE 0 0 1\n")
    return tmp_path


PARTY = ("party", "program.mpc", "--party", "1", "--hosts", "hosts", "--key", "party1.key", "--certificates", ".")


def changed(*changes: str) -> tuple[str, ...]:
    """PARTY with options added or, where they are there already, changed."""
    words = list(PARTY)
    for option, value in zip(changes[::2], changes[1::2], strict=True):
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return tuple(words)


def test_certificate_makes_a_key_that_stays_and_a_certificate(folder: Path, invoke: Invoke) -> None:
    result = invoke("certificate", "--party", 2, "--out", "new", "--days", 10)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split()[:2] == ["key", "new/party2.key"]
    assert result.stdout.splitlines()[1].split()[:2] == ["certificate", "new/party2.pem"]
    assert Path("new/party2.key").stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in Path("new/party2.pem").read_bytes()


def test_certificate_does_not_overwrite(folder: Path, invoke: Invoke) -> None:
    before = Path("party0.key").read_bytes()
    result = invoke("certificate", "--party", 0, "--out", ".")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "party0.key: expected no such file yet" in result.stderr
    assert Path("party0.key").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--key", "party0.key"), "party0.key: expected the key that party1.pem was made with, got another"),
        (("--key", "none.key"), "none.key: expected this party's key: No such file"),
        (("--certificates", "elsewhere"), "elsewhere/party0.pem: expected party 0's certificate: No such file"),
        (("--certificates", "party1.pem"), "expected --certificates DIR, or three times with a FILE each, got 1"),
        (("--hosts", "none"), "none: expected a readable hosts file"),
        (("--hosts", "in.txt"), "in.txt, line 1: expected HOST:PORT"),
        (("--input", "0=in.txt"), "expected party 1's own input, got one of party 0"),
        (("--input", "1=none.txt"), "none.txt: expected the input file of party 1"),
        (("--plan", "plan.txt"), "the plan names the site ELSEWHERE"),
        (("--plan", "in.txt"), "in.txt"),
        (("--shares-from", "elsewhere"), "elsewhere/Persistence/Transactions-P1.data: expected a share file"),
        (("--protocol", "sy-rep-ring"), "expected protocol mal-rep-ring or ring on rep3, got sy-rep-ring"),
        (("--engine", "clear"), "expected --engine rep3 or mp-spdz, got clear"),
        (("--listen", "192.0.2.7"), "party 1 cannot listen on 192.0.2.7:"),
    ],
)
def test_refused_before_anything_is_sent(folder: Path, invoke: Invoke, changes: tuple[str, ...], message: str) -> None:
    result = invoke(*changed(*changes))
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert message in result.stderr


def test_a_port_in_use(folder: Path, invoke: Invoke) -> None:
    host, port = Path("hosts").read_text().splitlines()[1].split(":")
    with socket.create_server((host, int(port))):
        result = invoke(*PARTY)
    assert result.exit_code == 2
    assert f"party 1 cannot listen on {host}:{port}" in result.stderr
    assert "--listen 0.0.0.0" in result.stderr


def test_a_key_that_others_can_read_is_warned_of(folder: Path, invoke: Invoke) -> None:
    Path("party1.key").chmod(0o644)
    result = invoke(*changed("--connect-timeout", "0.2"))
    assert "warning: party1.key can be read by other users; chmod 600 party1.key" in result.stderr


def test_nobody_comes(folder: Path, invoke: Invoke) -> None:
    result = invoke(*changed("--connect-timeout", "0.2"))
    assert (result.exit_code, result.stdout) == (4, "")
    assert "party 0 does not listen at 127.0.0.1:" in result.stderr
