"""Comparisons and shifts whose result nobody has asked for yet: those that meet here share their rounds.

They wait until a result is used, another operation communicates, or the step ends, whichever comes first. So what a
step costs and where its errors go stays with the step; all parties run the same program, and wait for the same.
"""

from __future__ import annotations

import math

import numpy as np

from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.rounds import Begun, Rounds, together
from mpc_tamper.engines.rep3.protocol.share import RepShare


class Pending:
    """The operations of one party that wait."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._waiting: list[tuple[PendingShare, Begun]] = []

    def add(self, operation: Rounds[RepShare], shape: tuple[int, ...]) -> RepShare:
        """Its result, of this shape, which is there as soon as somebody looks at it.

        The operation begins at once, so that whatever it works on may change afterwards.
        """
        try:
            begun = Begun(operation, next(operation))
        except StopIteration as end:  # it has nothing to say
            result: RepShare = end.value
            return result.reshape(*shape)
        share = PendingShare(self, shape)
        self._waiting.append((share, begun))
        return share

    def complete(self) -> None:
        """Their rounds. Raises what the channel or a proof raises, and ends the run then."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            with self._party.channel.final.guard():
                results = together(self._party, [begun for _, begun in waiting])
            for (share, _), result in zip(waiting, results, strict=True):
                share.settle(result)


class PendingShare(RepShare):
    """The result of an operation that may still wait; looking at its components completes it, and all that wait."""

    def __init__(self, pending: Pending, shape: tuple[int, ...]) -> None:
        self._pending, self._shape = pending, shape
        self._result: RepShare | None = None
        self.owner, self.plain, self.shifts, self.inputs = None, None, None, ()

    def settle(self, result: RepShare) -> None:
        self._result = result.reshape(*self._shape)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def own(self) -> np.ndarray:  # type: ignore[override]
        return self._settled().own

    @property
    def previous(self) -> np.ndarray:  # type: ignore[override]
        return self._settled().previous

    def reshape(self, *shape: int) -> RepShare:
        return self if shape == self._shape or _flat(shape, self._shape) else super().reshape(*shape)

    def _settled(self) -> RepShare:
        if self._result is None:
            self._pending.complete()
        if self._result is None:
            raise AssertionError("an operation that was completed has no result")
        return self._result


def _flat(shape: tuple[int, ...], of: tuple[int, ...]) -> bool:
    return len(of) == 1 and shape in ((-1,), (math.prod(of),))
