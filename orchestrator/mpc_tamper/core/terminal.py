"""What may go to a terminal: text without anything that it would obey, escape codes only where they are wanted."""

from __future__ import annotations

import functools
import os
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format such as a change of direction, surrogates, ends of lines


def printable(text: str) -> str:
    """The text with what a terminal would obey rather than show written as backslash escapes.

    A file name could otherwise move the cursor, change the window's title, or show another name than it is.
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in _UNSEEN else c for c in text)


def escape_codes_unwanted() -> bool:
    """NO_COLOR (no-color.org) or TERM=dumb."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def takes_escape_codes(stream: TextIO | None) -> bool:
    if stream is None or escape_codes_unwanted():
        return False
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


@functools.lru_cache(maxsize=2)
def console_of(stream: TextIO) -> Console:
    """The one console of a stream: what several write there does not mix."""
    from rich.console import Console

    return Console(file=stream)
