"""Three parties in one process, over socket pairs: for tests and audits of protocols."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import Link, SocketLink

MakeChannel = Callable[[int, Mapping[int, Link], float], Channel]


def memory_channels(timeout_seconds: float = 30.0, make: MakeChannel = Channel) -> tuple[Channel, Channel, Channel]:
    """Connected channels of parties 0, 1 and 2. make: of a party's number, its links and the time-out."""
    links: list[dict[int, SocketLink]] = [{}, {}, {}]
    for low, high in ((0, 1), (0, 2), (1, 2)):
        a, b = socket.socketpair()
        links[low][high], links[high][low] = SocketLink(a), SocketLink(b)
    first, second, third = (make(i, links[i], timeout_seconds) for i in range(3))
    return first, second, third
