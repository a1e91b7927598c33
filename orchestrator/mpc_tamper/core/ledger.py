"""Counts that outlive the runs and folders they are about: a model's verdicts, a client's queries.

They stand in a folder of this user on this host, so that neither a copy of a run folder nor its removal resets them:

    MPC_TAMPER_STATE, an absolute path, or else
    $XDG_STATE_HOME/mpc-tamper, or else ~/.local/state/mpc-tamper

A count is taken under a lock and is on the disk before what it allows begins. The user of the host can reset it, so it
binds a host whose user wants to be bound.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mpc_tamper.core.errors import UsageError

VARIABLE = "MPC_TAMPER_STATE"
_LOCK_SECONDS = 20.0  # for which others may hold the lock together
_RETRY_SECONDS = 0.01
_ADVICE = f"; set {VARIABLE} to the absolute path of a folder that this user can write"


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where this user's counts stand. Raises UsageError where the user has no place for them."""
    variables = os.environ if environment is None else environment
    if chosen := variables.get(VARIABLE):
        if not Path(chosen).is_absolute():
            raise UsageError(f"{VARIABLE}: expected an absolute path, got {chosen!r}{_ADVICE}")
        return Path(chosen)
    base = variables.get("XDG_STATE_HOME", "")
    if Path(base).is_absolute():  # relative ones are to be ignored, says the XDG base directory specification
        return Path(base, "mpc-tamper")
    try:
        return Path.home() / ".local" / "state" / "mpc-tamper"
    except RuntimeError as exc:
        raise UsageError(f"expected a home folder for the counts of verdicts and queries, got none{_ADVICE}") from exc


class Ledger:
    """The counts of one kind, such as "verdicts".  folder: state_folder() where None."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self._state = state_folder() if folder is None else folder
        self._folder = self._state / kind

    def take(self, names: Sequence[str], limit: int) -> int | None:
        """Count one more under each of these names; return the largest count, or None beyond the limit.

        Beyond the limit nothing is counted.  names: file names.  Raises UsageError where the counts cannot be kept.
        """
        with self._kept(), self._locked():
            counts = {name: self._read(name) + 1 for name in names}
            if max(counts.values()) > limit:
                return None
            for name, count in counts.items():
                self._write(name, count)
            return max(counts.values())

    def spent(self, name: str) -> int:
        with self._kept(), self._locked():
            return self._read(name)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._refused(exc.strerror or str(exc)) from exc

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        for folder in (self._state, self._folder):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._wait_for_lock(handle)
            yield
        finally:
            os.close(handle)  # which releases it

    def _wait_for_lock(self, handle: int) -> None:
        """flock: it also excludes other threads of this process, and goes when its holder dies."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._refused(f"a lock that another process holds for {_LOCK_SECONDS:g} s") from None
                time.sleep(_RETRY_SECONDS)

    def _read(self, name: str) -> int:
        path = self._folder / f"{name}.json"
        try:
            text = path.read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        except UnicodeDecodeError:
            text = ""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            count = json.loads(text)["count"]
            if type(count) is int and count >= 0:
                return count
        raise UsageError(f"{path}: expected a count, got something else: nothing is allowed until it is repaired")

    def _write(self, name: str, count: int) -> None:
        """Whole or not at all; the lock keeps others from the temporary file."""
        temporary = self._folder / ".new"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(json.dumps({"count": count}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / f"{name}.json")
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the new name too
        finally:
            os.close(folder)

    def _refused(self, found: str) -> UsageError:
        return UsageError(
            f"{self._folder}: expected a folder in which {self._folder.name} can be counted, got: {found}{_ADVICE}"
        )
