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
    """May be asked by several threads, one of which measures now and then."""

    reference_seconds = REFERENCE_SECONDS

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measured: deque[float] = deque(maxlen=_KEPT)
        self._next = 0.0

    def factor(self) -> float:
        """At least 1."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._measured.append(_honest_seconds())
                self._next = time.monotonic() + _EVERY_SECONDS
            return max(1.0, max(self._measured) / REFERENCE_SECONDS)


def _honest_seconds() -> float:
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-faults-") as folder:
        (Path(folder) / "one.mpc").write_text(_PROGRAM, encoding="utf-8")
        began = time.monotonic()
        words = [sys.executable, "-m", "mpc_tamper.cli.main", "run", "one.mpc", "--quiet"]
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began
