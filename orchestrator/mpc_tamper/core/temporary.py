"""Temporary folders that nobody else can read and that do not outlive this process, whatever ends it.

with TemporaryFolder() as name:
    ...

Owners' inputs pass through them. A process that is killed cannot take anything away, so another one waits for its end:
a shell whose standard input closes with this process.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import weakref

# Told that all is well, it ends. At the end of its input it removes the folder.
_WATCH = """trap '' INT TERM HUP; read -r word || rm -rf -- "$1" """


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """As tempfile's, for one process: a fork that goes on by itself must not use it."""

    def __init__(self) -> None:
        super().__init__(prefix="mpc-tamper-")
        self._dismiss = weakref.finalize(self, _dismiss, _watch(self.name))

    def cleanup(self) -> None:
        super().cleanup()
        self._dismiss()


def _watch(folder: str) -> subprocess.Popen[bytes] | None:
    """None where no process can be started: then the folder is removed in the ordinary ways alone."""
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            ["sh", "-c", _WATCH, "sh", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    return None


def _dismiss(watch: subprocess.Popen[bytes] | None) -> None:
    if watch is not None:
        watch.communicate(b"removed\n")
