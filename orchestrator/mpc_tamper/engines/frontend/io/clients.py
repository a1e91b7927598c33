"""Clients: parties outside the servers, as MP-SPDZ's language knows them (its doc/client-interface).

listen_for_clients(15000)                             server i listens on port 15000 + i
client = accept_client_connection(15000)
x = sint.receive_from_client(1, client, size=784)[0]
sint.reveal_to_clients([client], [x.sum()])
closeclientconnection(client)

A client that fails after it was accepted ends the run, before anything is computed from what it did not send. A program
that goes on without it asks client_present(client), which is rep3's own: MP-SPDZ's servers end in any case.
"""

from __future__ import annotations

from typing import Any

from mpc_tamper.core.errors import ProgramError
from mpc_tamper.engines.frontend.runtime import client_machine
from mpc_tamper.engines.frontend.values.base import unsupported
from mpc_tamper.engines.frontend.values.public import public_int, regint


def listen_for_clients(port: Any) -> None:
    client_machine().listen_for_clients(_port(port))


def accept_client_connection(port: Any, players: Any = None) -> regint:
    """The client's number."""
    if players is not None:
        raise unsupported("accept_client_connection for some of the servers only")
    return regint(client_machine().accept_client(_port(port)))


def client_present(client_id: Any) -> regint:
    """1, or 0 for a client that is lost: what receives from it has yielded zeros, which are no input of anybody."""
    return regint(int(client_machine().client_present(public_int(client_id))))


def closeclientconnection(client_id: Any) -> None:
    client_machine().close_client(public_int(client_id))


def _port(port: Any) -> int:
    number = public_int(port)
    if not 1 <= number <= 65533:
        raise ProgramError(f"expected a port base from 1 to 65533, got {number}")
    return number
