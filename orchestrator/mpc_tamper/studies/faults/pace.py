"""How much slower than an idle machine this one is at the moment: by a command that runs a program of one line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

REFERENCE_SECONDS = 1.5  # of that command, on two idle cores
_EVERY_SECONDS = 30.0
_KEPT = 3  # measurements, of which the largest counts: load comes and goes
_PROGRAM = "print_ln('%s', sint(3).reveal())\n"


class Pace:
    """May be asked by several threads, one of which measures now and then.

    least: the factor of a machine of which nobody knows how fast it is, even if it is not slower at the moment.
    """

    reference_seconds = REFERENCE_SECONDS

    def __init__(self, least: float = 1.0) -> None:
        self._least = least
        self._lock = threading.Lock()
        self._measured: deque[float] = deque(maxlen=_KEPT)
        self._next = 0.0

    def factor(self, *, anew: bool = False) -> float:
        """anew: measure in any case, since load may have come after the last time."""
        with self._lock:
            if anew or time.monotonic() >= self._next:
                self._measured.append(_honest_seconds())
                self._next = time.monotonic() + _EVERY_SECONDS
            return max(self._least, max(self._measured) / REFERENCE_SECONDS)


def _honest_seconds() -> float:
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-faults-") as folder:
        (Path(folder) / "one.mpc").write_text(_PROGRAM, encoding="utf-8")
        began = time.monotonic()
        words = [sys.executable, "-m", "mpc_tamper.cli.main", "run", "one.mpc", "--quiet"]
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began
