"""Clients: parties outside the servers, as MP-SPDZ's language knows them (its doc/client-interface).

listen_for_clients(15000)                             server i listens on port 15000 + i
client = accept_client_connection(15000)
x = sint.receive_from_client(1, client, size=784)[0]
sint.reveal_to_clients([client], [x.sum()])
closeclientconnection(client)
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

from mpc_tamper.core.errors import EngineUnavailable, ProgramError
from mpc_tamper.engines.frontend.public import public_int, regint
from mpc_tamper.engines.frontend.runtime import machine
from mpc_tamper.engines.frontend.values import unsupported

S = TypeVar("S")


@runtime_checkable
class ClientMachine(Protocol[S]):
    """What a machine offers besides frontend.machine.Machine if programs can serve clients on it.

    A client that fails ends its own connection, not the program: it counts as having entered zeros from then on, and is
    told nothing more. All servers agree on which clients have failed.
    """

    def listen_for_clients(self, port: int) -> None:
        """Server i listens on port + i from now on. Raises PortInUse."""
        ...

    def accept_client(self, port: int) -> int:
        """Wait for the next client that has come to all servers; its number. Connections are taken in order."""
        ...

    def receive_from_client(self, client: int, count: int) -> S:
        """(count,) values that the client shared among the servers."""
        ...

    def reveal_to_clients(self, clients: list[int], values: S) -> None:
        """Send each client its part of the sharing (count,), after whatever the protocol checks before an opening."""
        ...

    def close_client(self, client: int) -> None: ...


def client_machine() -> ClientMachine[Any]:
    found = machine()
    if not isinstance(found, ClientMachine):
        raise EngineUnavailable(
            "expected an engine with clients outside the servers, got one without: use --engine rep3 or mp-spdz"
        )
    return found


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
