"""Ports for servers that a test starts."""

import socket


def free_ports() -> int:
    """The first of three ports that are free now."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            base = probe.getsockname()[1]
        try:
            for i in range(3):
                socket.create_server(("127.0.0.1", base + i)).close()
        except (OSError, OverflowError):
            continue
        return base
