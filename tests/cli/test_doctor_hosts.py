"""mpc-tamper doctor --hosts: a table of the ways to the others, a line for what is wrong, and an exit code.

What can be wrong is in tests/engines/rep3/test_probe.py.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.ports import free_ports

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> Path:
    """Commands run here, on the host of party 2: certificates, one key, a hosts file."""
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        assert invoke("certificate", "--party", i, "--out", "certificates").exit_code == 0
    for i in range(2):
        Path(f"certificates/party{i}.key").unlink()
    base = free_ports()
    Path("hosts").write_text("".join(f"127.0.0.1:{base + i}\n" for i in range(3)))
    return tmp_path


def addresses() -> list[str]:
    return Path("hosts").read_text().split()


def test_the_party_is_the_one_whose_key_is_there(folder: Path, invoke: Invoke) -> None:
    result = invoke("doctor", "--hosts", "hosts", "--wait", "0.3")
    assert result.exit_code == 2
    assert f"party 2 at {addresses()[2]}; waiting up to 0.3 s" in result.stderr
    header, first, second, *problems = result.stdout.splitlines()
    assert header.split() == ["party", "address", "name", "port", "TLS", "round", "trip", "rate", "clock"]
    for i, row in enumerate((first, second)):
        assert row.split() == [str(i), addresses()[i], "ok", "wrong", "wrong", "-", "-", "-"]
    assert [problem.partition(" at ")[0] for problem in problems] == [
        f"- party {i}: expected somebody" for i in range(2)
    ]
    with socket.create_server(("127.0.0.1", int(addresses()[2].rpartition(":")[2]))):
        assert "party 2 cannot listen on" in invoke("doctor", "--hosts", "hosts", "--wait", "0.1").stdout


def test_a_host_without_a_key_looks_at_names_and_ports(folder: Path, invoke: Invoke) -> None:
    Path("certificates/party2.key").unlink()
    listening = [socket.create_server(("127.0.0.1", int(each.rpartition(":")[2]))) for each in addresses()[:2]]
    try:
        result = invoke("doctor", "--hosts", "hosts")
    finally:
        for each in listening:
            each.close()
    assert result.exit_code == 0
    assert "this host is none of the three" in result.stderr
    assert [line.split()[2:5] for line in result.stdout.splitlines()[1:]] == [["ok", "ok", "-"]] * 2 + [
        ["ok", "-", "-"]
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hosts", "none"), "none: expected a readable hosts file"),
        (("--party", "1"), "expected --hosts FILE with --party"),
        (("--hosts", "hosts", "--keys", "two"), "two: expected the key of one party, got those of 0 and 1"),
    ],
)
def test_what_is_refused(folder: Path, invoke: Invoke, options: tuple[str, ...], message: str) -> None:
    for i in range(2):
        assert invoke("certificate", "--party", i, "--out", "two").exit_code == 0
    result = invoke("doctor", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
