"""What a server says of clients that did something wrong: a line each, but no flood of them, whoever comes how often.

No value that a client shared stands in a line, nor anything else that it chose, but for what it said in public.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SECONDS_BETWEEN = 10.0  # two lines of a kind

Say = Callable[[str], None]


class Remarks:
    """say: where lines go; None for a server that says nothing. May be called from several threads."""

    def __init__(self, say: Say | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}  # when a line of this kind was said
        self._unsaid: dict[str, int] = {}

    def __call__(self, who: str, what: str) -> None:
        """Of lines with the same `what`, the next one after those that were left out says how many these were."""
        if self._say is None:
            return
        with self._lock:
            now = self._clock()
            if now - self._last.get(what, -_SECONDS_BETWEEN) < _SECONDS_BETWEEN:
                self._unsaid[what] = self._unsaid.get(what, 0) + 1
                return
            self._last[what] = now
            others = self._unsaid.pop(what, 0)
        self._say(f"{who} {what}" + (f"; so did {others:,} before" if others else ""))
