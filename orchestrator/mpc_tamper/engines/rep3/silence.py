"""For how long a process that owes an answer has said nothing although it could have gone on.

The clock of the wall would be unfair on a busy machine. Seconds count only if the process ran or slept in them: those
in which it waited for a processor do not, nor those in which the process that listens did not run itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

TICK_SECONDS = 1.0  # between two looks; after a longer gap the one who listens was stopped or had no processor
_WITHOUT_ACCOUNT = (
    10.0  # a busy machine is allowed so many times the limit where the system keeps no account of waiting
)


def seconds_without_processor(pid: int) -> float | None:
    """How long it has been ready to run, but others ran instead, since it began; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return None


def seconds_of_a_session_without_processor(leader: int) -> float | None:
    """The same of a process that may wait for one that it has started, together with that one's. Those that have a
    session of their own do not count: nobody waits for them."""
    found = [seconds_without_processor(leader)]
    with contextlib.suppress(OSError):
        for child in map(int, Path(f"/proc/{leader}/task/{leader}/children").read_text().split()):
            with contextlib.suppress(OSError):  # it has gone
                if os.getsid(child) == leader:
                    found.append(seconds_without_processor(child))
    return None if found[0] is None else sum(seconds or 0.0 for seconds in found)


class Silence:
    """clock, waited: seconds, and those that the process has waited for a processor, as above."""

    def __init__(
        self,
        waited: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waited = waited
        self._clock = clock
        self.broken()

    def broken(self) -> None:
        """It has just said something, or has just been asked."""
        self._seconds = 0.0
        self._looked, self._waited_then = self._clock(), self._waited()

    def lasts(self) -> float:
        """Seconds, as above. To be asked every TICK_SECONDS."""
        now, waited = self._clock(), self._waited()
        passed = min(now - self._looked, 2 * TICK_SECONDS)
        if waited is None or self._waited_then is None:
            passed /= _WITHOUT_ACCOUNT
        else:
            passed -= max(waited - self._waited_then, 0.0)  # less where one of several has ended
        self._seconds += max(passed, 0.0)
        self._looked, self._waited_then = now, waited
        return self._seconds
