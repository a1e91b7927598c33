"""Functions that run at the same time, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_threads(*functions: Callable[[], object], seconds: float = 120) -> list[object]:
    """Results, or the exceptions raised; None of what has not ended within that time each."""
    results: list[object] = [None] * len(functions)

    def call(i: int) -> None:
        try:
            results[i] = functions[i]()
        except Exception as exc:
            results[i] = exc

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    return results
