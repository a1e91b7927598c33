"""A party that has failed once takes no further part in its run.

A program is Python and may catch what a check raises. The probability that a wrong value is accepted is that of one
batch only if nobody gets a second chance (docs/security.md), so a caught failure is raised again by whatever the
party does next: a message, a proof, an opening, a write, an answer to a client, the end of the run.
"""

from __future__ import annotations

from types import TracebackType


class Finality:
    """failure: what ended this party's part in the run; the first one counts."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None

    def check(self) -> None:
        """Raises the failure of this party, if it has one."""
        if self.failure is not None:
            raise self.failure

    def guard(self) -> Finality:
        """Whatever goes wrong in this block is the end of the run. Raises the earlier failure before it begins."""
        return self

    def __enter__(self) -> None:
        self.check()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        if exc is not None and self.failure is None:  # an interrupt too: it may have left half a message behind
            self.failure = exc
