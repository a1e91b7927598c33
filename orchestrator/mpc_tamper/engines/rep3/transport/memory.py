"""Three parties in one process, over socket pairs: for tests of protocols."""

from __future__ import annotations

import socket

from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import SocketLink


def memory_channels(timeout_seconds: float = 30.0) -> tuple[Channel, Channel, Channel]:
    """Connected channels of parties 0, 1 and 2."""
    links: list[dict[int, SocketLink]] = [{}, {}, {}]
    for low, high in ((0, 1), (0, 2), (1, 2)):
        a, b = socket.socketpair()
        links[low][high], links[high][low] = SocketLink(a), SocketLink(b)
    first, second, third = (Channel(i, links[i], timeout_seconds) for i in range(3))
    return first, second, third
