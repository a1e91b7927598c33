"""Certificates as people exchange them: with text before them, a byte-order mark, other line ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mpc_tamper.core.errors import UsageError
from mpc_tamper.engines.certificates import certificate_file, check_credentials, der, key_file, make_certificate
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.rep3.transport.tls import Identity, connect, listen

EDITS = {
    "as it is": lambda pem: pem,
    "text before": lambda pem: b"From: alice\nthis is mine:\n\n" + pem,
    "text after": lambda pem: pem + b"\n-- \nalice\n",
    "byte-order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "line ends of Windows": lambda pem: pem.replace(b"\n", b"\r\n"),
    "white space around": lambda pem: b"\n\n" + pem + b"\n\n",
    "not ASCII before": lambda pem: "für dich:\n".encode() + pem,
}


@pytest.mark.parametrize("edit", EDITS)
def test_certificates_of_the_others(edit: str, tmp_path: Path) -> None:
    """Three parties meet, though each has the others' certificates in this form."""
    for party in range(3):
        make_certificate(party, tmp_path / "own")
        pem = certificate_file(tmp_path / "own", party).read_bytes()
        certificate_file(tmp_path, party).write_bytes(EDITS[edit](pem))
        assert der(certificate_file(tmp_path, party)) == der(certificate_file(tmp_path / "own", party))
    listeners = [listen(party, Address("127.0.0.1", 0), "") for party in range(3)]
    first, second, third = (Address(*listener.getsockname()) for listener in listeners)
    ends: list[object] = [None] * 3

    def meet(party: int) -> None:
        own = [certificate_file(tmp_path / "own" if i == party else tmp_path, i) for i in range(3)]
        try:
            check_credentials(party, key_file(tmp_path / "own", party), own)
            identity = Identity(party, key_file(tmp_path / "own", party), (own[0], own[1], own[2]))
            channel = connect(
                identity, listeners[party], (first, second, third), timeout_seconds=20, connect_timeout_seconds=60
            )
            ends[party] = channel
        except BaseException as exc:
            ends[party] = exc

    threads = [threading.Thread(target=meet, args=(party,)) for party in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for end in ends:
        assert not isinstance(end, BaseException), end
        end.close()  # type: ignore[attr-defined]
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("edit", EDITS)
def test_ones_own_certificate_is_accepted_or_one_line(edit: str, tmp_path: Path) -> None:
    for party in range(3):
        make_certificate(party, tmp_path)
    own = certificate_file(tmp_path, 1)
    own.write_bytes(EDITS[edit](own.read_bytes()))
    try:
        check_credentials(1, key_file(tmp_path, 1), [certificate_file(tmp_path, i) for i in range(3)])
    except UsageError as exc:
        refused = str(exc)
    else:
        return
    assert edit == "byte-order mark"
    assert "expected files that OpenSSL reads" in refused
    assert "\n" not in refused


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(content: bytes, tmp_path: Path) -> None:
    for party in range(3):
        make_certificate(party, tmp_path)
    certificate_file(tmp_path, 2).write_bytes(content)
    with pytest.raises(UsageError, match=r"party2\.pem: expected party 2's certificate in PEM format"):
        check_credentials(1, key_file(tmp_path, 1), [certificate_file(tmp_path, i) for i in range(3)])
