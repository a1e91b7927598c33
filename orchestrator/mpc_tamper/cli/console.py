"""All that the command line says passes here, so that no name and no stream can end a command in a traceback.

Text goes out in the encoding of the stream, with backslash escapes for what that lacks. Names and messages have their
control characters escaped (core/terminal.py). Standard output that cannot be written is an error; standard error that
cannot be written is nobody's.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from mpc_tamper.core.errors import TamperError
from mpc_tamper.core.terminal import printable, takes_escape_codes

RED, YELLOW = "31", "33"


class OutputError(TamperError):
    """Standard output took no more: a full disk, or a reader that has gone."""


def prepare_streams() -> None:
    """At the start of the process: every stream is there and takes every text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by whoever started this; the next file opened would take its place
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Lines of results, names in them made printable. Raises OutputError."""
    exactly("\n".join(map(printable, text.split("\n"))))


def exactly(text: str) -> None:
    """As say, for what has to come out as it is: the lines of a program."""
    if sys.stdout is None:
        return
    try:
        _write(sys.stdout, text)
    except OSError as exc:
        _let_go(sys.stdout)
        raise OutputError(f"expected to write the results to standard output, got: {exc.strerror or exc}") from exc


def note(text: str) -> None:
    """Lines about the run, on standard error."""
    _complain("\n".join(map(printable, text.split("\n"))), None)


def warn(text: str) -> None:
    _complain(f"warning: {printable(text)}", YELLOW)


def fail(text: str) -> None:
    """One line, whatever the text is."""
    _complain("error: " + printable(" ".join(text.split())), RED)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Aligned columns below a title, if there is one: the first `left` ones to the left, the others to the right."""
    cells = [list(columns), *(list(map(printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [printable(title)] if title else []
    for row in cells:
        words = [w.ljust(n) if i < left else w.rjust(n) for i, (w, n) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)


def _complain(text: str, colour: str | None) -> None:
    if sys.stderr is None:
        return
    if colour is not None and takes_escape_codes(sys.stderr):
        text = f"\x1b[{colour}m{text}\x1b[0m"
    with contextlib.suppress(OSError):
        _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
    except UnicodeEncodeError:  # a stream that prepare_streams() has not met
        stream.write(text.encode("ascii", "backslashreplace").decode("ascii") + "\n")
    stream.flush()


def _let_go(stream: TextIO) -> None:
    """What is still in its buffer goes nowhere, so that the interpreter does not fail on it again when it ends."""
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, stream.fileno())
        os.close(handle)
