"""What must hold once a command has ended, whatever struck it: its words, its files, an honest run afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import ShareFileError, TamperError, UsageError
from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine
from mpc_tamper.studies.faults.fault import Fault, Right
from mpc_tamper.studies.faults.work import RUN_DIR, Work

_OTHERS = 0o077
_SECRET = ("*.key", "*.data", "additive_errors.txt")
_MAY_LAST = f"mpc-tamper-{os.getuid()}"  # the user's folder for compiled code, which is there for the next command


@dataclass(frozen=True)
class Ended:
    """exit_code: negative for a signal.  struck: whether the fault did before the end."""

    exit_code: int
    stdout: str
    stderr: str
    struck: bool

    @property
    def line(self) -> str:
        """What it said of its end: the last line on standard error."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


def violations(ended: Ended, fault: Fault, work: Work, folder: Path) -> Iterator[str]:
    """What is wrong, a sentence each."""
    yield from _words(ended, fault, work, folder)
    yield from _files(folder, killed=fault.right == Right.KILLED and ended.exit_code < 0)


def _words(ended: Ended, fault: Fault, work: Work, folder: Path) -> Iterator[str]:
    if ended.exit_code == 0:
        if wrong := work.wrong(folder, ended.stdout):
            yield f"exit code 0, but {wrong}"
        if ended.stderr.strip() and fault.foreign is None:
            yield f"exit code 0, but on standard error {_short(ended.stderr)}"
        return
    if wrong := work.early(ended.stdout):
        yield f"exit code {ended.exit_code}, and {wrong}"
    if fault.right == Right.KILLED and ended.struck and ended.exit_code < 0:
        return
    if fault.right == Right.GOES_ON or not ended.struck:
        yield f"expected the right result, got exit code {ended.exit_code}: {_short(ended.stderr)}"
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    own = [line for line in lines if fault.foreign is None or not re.match(fault.foreign, line)]
    if lines and not own:
        return  # the library has ended the process and named the cause
    lines = own
    if ended.exit_code < 0 and not _is_interrupt(ended):
        yield f"the command was killed by signal {-ended.exit_code}: {_short(ended.stderr)}"
    elif len(lines) != 1 or not lines[0].startswith(("error: ", "interrupted")):
        yield f"expected one line on standard error, got {len(lines)}: {_short(ended.stderr)}"
    elif not re.search(fault.expected_cause(), lines[0]):
        yield f"expected a line that names the cause ({fault.expected_cause()}), got {_short(lines[0])}"


def _is_interrupt(ended: Ended) -> bool:
    """CPython ends by SIGINT, which a shell shows as 130 too, where the interrupt struck in an eval() of text, even if
    the exception was caught and the exit code chosen."""
    return ended.exit_code == -signal.SIGINT and ended.line == "interrupted"


def _files(folder: Path, *, killed: bool) -> Iterator[str]:
    """Only a command that is killed may leave a file that it was writing."""
    temporary = [path for path in folder.with_name("temporary").iterdir() if path.name != _MAY_LAST]
    for path in temporary:
        yield f"a temporary file or folder is left: {path.name}"
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or not path.exists() or (folder / "clear") in path.parents:
            continue
        name = path.relative_to(folder)
        if any(path.match(pattern) for pattern in _SECRET) and path.stat().st_mode & _OTHERS:
            yield f"{name} can be read by others"
        if path.name.startswith(".") and not killed:
            yield f"{name} is left, a file that was being written"
        if path.suffix == ".json" and not _is_json(path):
            yield f"{name} is half written"
        if path.suffix == ".data" and path.parent.name == "Persistence":
            try:
                share_files.count(path)
            except ShareFileError as exc:
                yield f"{name} is half written: {exc}"


def honest_run_after(work: Work, folder: Path, engine: Engine) -> Iterator[str]:
    """Into the same folder, and where that is refused, into another."""
    for run_dir in (folder / RUN_DIR, folder / "fresh"):
        try:
            if wrong := work.again(folder, engine, run_dir):
                yield f"an honest run afterwards: {wrong}"
            return
        except UsageError as refusal:
            if run_dir.name != RUN_DIR:
                yield f"an honest run afterwards is refused: {refusal}"
        except TamperError as exc:
            yield f"an honest run afterwards in {run_dir.name} fails: {exc}"
            return


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 600 else f"{text[:200]} ... {text[-380:]}")
