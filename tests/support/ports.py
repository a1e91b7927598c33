"""Ports for servers that a test starts."""

import itertools
import os
import socket

from mpc_tamper.runs.protocols import PARTIES

# Below those that systems give to connections, and another part of them for each process that runs tests: between the
# look at a port and its use by the server, nobody else takes it.
_FIRST, _LAST = 15_000, 32_000
_START = os.getpid() * 1009 % ((_LAST - _FIRST) // PARTIES)
_bases = itertools.islice(itertools.cycle(range(_FIRST, _LAST, PARTIES)), _START, None)


def free_ports() -> int:
    """The first of three ports that are free now; other ones each time."""
    for base in _bases:
        try:
            for i in range(PARTIES):
                socket.create_server(("127.0.0.1", base + i)).close()
        except OSError:
            continue
        return base
    raise AssertionError("there are always more ports to try")
