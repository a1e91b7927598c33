"""What the .mpc language asks of an engine: the interface between the front end and a protocol.

The front end knows names, types and shapes; a Machine knows how to compute on shares. All values are elements of
Z_2^64, uint64. A Secret is whatever the engine holds for a secret array; it is indexed like a NumPy array (basic
indexing gives a view, assignment writes through it).
"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np


class Secret(Protocol):
    """A secret array in the engine's own form."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, key: Any) -> Self: ...
    def __setitem__(self, key: Any, value: Self) -> None: ...
    def reshape(self, *shape: int) -> Self: ...
    def copy(self) -> Self: ...


S = TypeVar("S", bound=Secret)


class Machine(Protocol[S]):
    """Local operations are free; the others cost rounds and bytes. Shapes are checked by the front end."""

    # local
    def share_public(self, values: np.ndarray) -> S:
        """The trivial sharing of public values, uint64. Writable memory of its own."""
        ...

    def allocate(self, size: int) -> S:
        """(size,) zeros, for memory of the program's that is written in parts. It may be larger than the machine's."""
        ...

    def concatenate(self, parts: list[S]) -> S:
        """Vectors, one after the other, in memory of its own. Writable."""
        ...

    def lend(self, x: S) -> bool:
        """Of what came from allocate() and is about to be multiplied: whether its holder has to copy it before it
        writes to it again."""
        ...

    def add(self, x: S, y: S) -> S: ...
    def sub(self, x: S, y: S) -> S: ...
    def add_public(self, x: S, c: np.ndarray) -> S:
        """x + c for public c of the same shape. A number that is added to all elements is broadcast, without memory."""
        ...

    def scale(self, x: S, c: np.ndarray) -> S:
        """x times public c, elementwise with broadcasting."""
        ...

    def random(self, shape: tuple[int, ...]) -> S:
        """Uniform in Z_2^64 and known to nobody; on the clear engine, to nobody beforehand."""
        ...

    # interactive
    def input(self, owner: int, shape: tuple[int, ...], *, binary: bool) -> S:
        """The owner's next prod(shape) integers. Raises DataError where its file ends or is malformed."""
        ...

    def mul(self, x: S, y: S) -> S:
        """Elementwise, equal shapes."""
        ...

    def matmul(self, x: S, y: S) -> S:
        """(a, b) times (b, c)."""
        ...

    def trans_matmul(self, x: S, y: S) -> S:
        """The transpose of x (b, a) times y (b, c)."""
        ...

    def dot(self, x: S, y: S) -> S:
        """Row-wise dot products of two (a, b) arrays: (a,)."""
        ...

    def less_than_zero(self, x: S, k: int) -> S:
        """Bit k - 1 of x mod 2^k as an integer 0 or 1; 2 <= k <= 64."""
        ...

    def right_shift(self, x: S, t: int) -> S:
        """floor(x / 2^t) of the signed 64-bit value, exact; 0 <= t <= 63."""
        ...

    def open(self, x: S) -> np.ndarray:
        """The value, uint64, public to all parties."""
        ...

    # persistence: share files in MP-SPDZ's layout, one per party and run
    def write_shares(self, x: S, position: int | None) -> None:
        """Append (position None) or overwrite from a position, counted in shares."""
        ...

    def read_shares(self, position: int, count: int) -> tuple[S, int]:
        """count shares from a position on, and the position after them; -1 at the end of the file."""
        ...

    # steps
    def start_timer(self, number: int) -> None: ...
    def stop_timer(self, number: int) -> None: ...

    # output
    def emit(self, text: str) -> None:
        """Program output, as printed by party 0."""
        ...

    def emit_binary(self, values: np.ndarray) -> None:
        """binary_output() of public values, uint64."""
        ...


@runtime_checkable
class ClientMachine(Protocol[S]):
    """What a machine offers besides Machine if programs can serve clients on it.

    A client that fails after it was accepted is lost: its connection ends, and it is told nothing more. All servers
    agree on which clients are lost. What receives from a lost client yields zeros, but the run ends before anything is
    computed, opened, written or answered, unless the program has asked client_present(client).
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

    def receive_public_from_client(self, client: int, count: int) -> np.ndarray:
        """(count,) values that the client says to everybody, uint64."""
        ...

    def send_public_to_client(self, client: int, values: np.ndarray) -> None:
        """Public values, uint64. The client gets them from each server."""
        ...

    def client_present(self, client: int) -> bool:
        """Whether the client is not lost; the program answers for it from now on."""
        ...

    def reveal_to_clients(self, clients: list[int], values: S) -> None:
        """Send each client its part of the sharing (count,), after whatever the protocol checks before an opening."""
        ...

    def close_client(self, client: int) -> None: ...
