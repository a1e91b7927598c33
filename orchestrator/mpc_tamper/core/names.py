"""Names that a user may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_SHOWN, _COMPARED = 8, 2000


def near(name: str, known: Sequence[str]) -> str:
    """'a, b or another of 30', the closest first, for the end of a message."""
    folded = {each.casefold(): each for each in reversed(known[:_COMPARED])}
    close = [folded[each] for each in difflib.get_close_matches(name.casefold(), list(folded), n=3)]
    shown = close or list(known[:_SHOWN])
    rest = len(known) - len(shown)
    return ", ".join(map(repr, shown)) + (f" or another of {len(known):,}" if rest else "")
