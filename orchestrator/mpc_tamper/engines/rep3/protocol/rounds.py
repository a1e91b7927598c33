"""Operations of several rounds, and how independent ones share them.

An operation is a generator: it yields what it sends in a round and is sent what has come. Alone it takes its own
rounds; with others it takes as many rounds as the longest of them, and a message carries what all of them send.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.share import RepShare

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Send:
    """What an operation sends to the next party in a round.

    values: uint64 words.  receive: how many come from the previous party, as many in this shape where None.
    """

    tag: str
    values: np.ndarray
    receive: int | None = None

    @property
    def receives(self) -> int:
        return self.values.size if self.receive is None else self.receive


Rounds = Generator[Send, np.ndarray, _Result]


@dataclass
class Begun:
    """An operation that has computed what it sends first, and so read what it works on."""

    operation: Rounds[RepShare]
    message: Send


def alone(party: Party, operation: Rounds[_Result]) -> _Result:
    """The operation's result, in its own rounds."""
    try:
        message = next(operation)
        while True:
            message = operation.send(party.shift(message.tag, message.values, message.receive))
    except StopIteration as end:
        result: _Result = end.value
        return result


def together(party: Party, begun: list[Begun]) -> list[RepShare]:
    """The operations' results, in order. Nothing is proved before all are done: their messages belong to one batch."""
    results: list[RepShare | None] = [None] * len(begun)
    going = list(range(len(begun)))
    with party.recorder.one_batch():
        while going:
            received = _exchange(party, [begun[i].message for i in going])
            for i, came in zip(tuple(going), received, strict=True):
                try:
                    begun[i].message = begun[i].operation.send(came)
                except StopIteration as end:
                    results[i] = end.value
                    going.remove(i)
    return [result for result in results if result is not None]


def _exchange(party: Party, messages: list[Send]) -> list[np.ndarray]:
    """One round for all of them."""
    if len(messages) == 1:
        return [party.shift(each.tag, each.values, each.receive) for each in messages]
    values = np.concatenate([each.values.reshape(-1) for each in messages])
    came = party.shift("+".join(each.tag for each in messages), values, sum(each.receives for each in messages))
    parts, first = [], 0
    for each in messages:
        part = came[first : first + each.receives]
        parts.append(part.reshape(each.values.shape) if each.receive is None else part)
        first += each.receives
    return parts
