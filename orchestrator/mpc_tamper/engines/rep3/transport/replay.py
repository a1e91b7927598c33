"""A channel on which the messages of an earlier run come again, as soon as they are waited for; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mpc_tamper.core.errors import FrameError
from mpc_tamper.engines.rep3.transport.channel import Channel


class _NoLink:
    """Where nobody is."""

    def send(self, data: memoryview) -> int:
        return len(data)

    def receive_into(self, buffer: memoryview) -> int:
        raise EOFError

    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...


class ReplayChannel(Channel):
    """received: (sender, tag, payload) in their order, from Channel.record_received."""

    def __init__(self, party_id: int, received: Iterable[tuple[int, str, bytes]]) -> None:
        super().__init__(party_id, dict.fromkeys({0, 1, 2} - {party_id}, _NoLink()), timeout_seconds=1.0)
        self._messages: Iterator[tuple[int, str, bytes]] = iter(received)

    def _pump(self, outgoing: dict[int, Any], incoming: dict[int, Any]) -> None:
        for peer, message in incoming.items():
            sender, tag, payload = next(self._messages)
            if (sender, tag, len(payload)) != (peer, message.tag, len(message.payload)):
                raise FrameError(f"expected {message.tag} of party {peer}, got {tag} of party {sender}", peer)
            message.payload[:] = payload
