"""A line every so often while a party waits for the others, who may come minutes later or never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

WAITING_SECONDS = 10.0  # between two lines


@contextmanager
def patience(say: Callable[[str], None] | None, expected: Collection[int], here: Collection[int]) -> Iterator[None]:
    """Within the block say which of the expected parties are not here yet. here: changes meanwhile."""
    if say is None:
        yield
        return
    over = threading.Event()

    def remind(say: Callable[[str], None]) -> None:
        while not over.wait(WAITING_SECONDS):
            missing = [party for party in sorted(expected) if party not in here]
            if missing:
                say(f"still waiting for party {' and '.join(map(str, missing))}")

    reminder = threading.Thread(target=remind, args=(say,), daemon=True)
    reminder.start()
    try:
        yield
    finally:
        over.set()
        reminder.join()
