"""A number and what it counts, as one writes it: 1 run, 1,584 runs."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """many: where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
