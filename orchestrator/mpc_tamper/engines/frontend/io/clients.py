"""Clients: parties outside the servers, as MP-SPDZ's language knows them (its doc/client-interface).

listen_for_clients(15000)                             server i listens on port 15000 + i
client = accept_client_connection(15000)
x = sint.receive_from_client(1, client, size=784)[0]
sint.reveal_to_clients([client], [x.sum()])
closeclientconnection(client)
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


def closeclientconnection(client_id: Any) -> None:
    client_machine().close_client(public_int(client_id))


def _port(port: Any) -> int:
    number = public_int(port)
    if not 1 <= number <= 65533:
        raise ProgramError(f"expected a port base from 1 to 65533, got {number}")
    return number
