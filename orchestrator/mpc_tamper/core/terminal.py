"""What may go to a terminal: text without anything that it would obey, escape codes only where they are wanted."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

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
