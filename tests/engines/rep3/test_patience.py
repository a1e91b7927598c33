"""A party that waits for others says for whom, and a client that no server knows is told so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mpc_tamper.core.errors import HandshakeError
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import make_certificate, write_certificate
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.rep3.clients.client import connect
from mpc_tamper.engines.rep3.clients.listener import ClientListener
from mpc_tamper.engines.rep3.transport import patience
from mpc_tamper.engines.rep3.transport.tls import listen


def test_who_is_missing_is_said_until_all_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITING_SECONDS", 0.05)
    said: list[str] = []
    here: set[int] = set()
    with patience.patience(said.append, {0, 2}, here):
        while not said:
            time.sleep(0.01)
        here.add(2)
        while said[-1] != "still waiting for party 0":
            time.sleep(0.01)
        here.add(0)
        count = len(said)
        time.sleep(0.4)
        assert len(said) <= count + 1  # one that was about to be said
    assert said[0] == "still waiting for party 0 and 2"
    with patience.patience(None, {0}, ()):
        pass


@pytest.mark.parametrize("shown", [None, "other"])
def test_a_client_that_the_servers_do_not_know(shown: str | None, tmp_path: Path) -> None:
    """Without a certificate, or with one that they do not have."""
    known = tmp_path / "known"
    for name in ("C0", "other"):
        write_certificate(name, known / f"{name}.key", known / f"{name}.pem")
    pairs = [make_certificate(i, tmp_path) for i in range(3)]
    sockets = [listen(i, Address("127.0.0.1", 0), "") for i in range(3)]
    addresses = tuple(Address(*each.getsockname()) for each in sockets)
    servers = [
        ClientListener(each, key, pem, (known / "C0.pem",), 60.0)
        for each, (key, pem) in zip(sockets, pairs, strict=True)
    ]
    own = (None, None) if shown is None else (known / f"{shown}.key", known / f"{shown}.pem")
    credentials = Credentials((pairs[0][1], pairs[1][1], pairs[2][1]), *own)
    words = (
        "a client without a certificate; show one" if shown is None else "this client's certificate; get .*other.pem"
    )
    try:
        with pytest.raises(HandshakeError, match=rf"as a server does that does not know {words}"):
            connect((addresses[0], addresses[1], addresses[2]), credentials, timeout_seconds=60)
    finally:
        for server in servers:
            server.close()
