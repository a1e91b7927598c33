"""How a batch is proved: in turn, or beside what comes after it.

Gates wait for messages, and Python computes little of them on more than one core. So where all parties have a second
thread, that one computes what a proof's messages hold while the program goes on, and the messages are exchanged at
places that all parties have in common: how far the next record is filled. Nothing but this is different. The thread
that runs the program is the only one that uses the channel.

What that means for the argument is in docs/security.md: a batch is closed before the next one begins, and proved before
the next one is closed, an input or output that asks for proofs waits for both, and nothing is opened in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpc_tamper.engines.kernels.threads import SetAside
from mpc_tamper.engines.rep3.protocol.proof.batch import CLOSING, CONCLUDING, OF_LEVEL, Exchange, Exchanges
from mpc_tamper.engines.rep3.transport.channel import Channel

if TYPE_CHECKING:
    from concurrent.futures import Future

# How full the next record is when the messages of the first level are exchanged, which take as long to compute as all
# others, and when those of the last one are. What answers a level takes no time, and is exchanged at once.
_FIRST, _LAST = 0.5, 0.9


def in_turn(channel: Channel, exchanges: Exchanges) -> None:
    """The whole proof, now. Raises what it raises."""
    for each in exchanges:
        _exchange(channel, exchanges, each)


class Beside:
    """A proof that is under way. Its batch is closed when this has been made.

    exchanges: of the proof.  levels: of it.  Whatever is called here raises what the proof raises, or the channel; a
    proof that has failed is never asked for anything again.
    """

    def __init__(self, channel: Channel, exchanges: Exchanges, levels: int) -> None:
        self._channel, self._exchanges = channel, exchanges
        self._thread = SetAside()
        self._places = _places(levels)
        self._accepted = self._failed = False
        self._computed: Future[Exchange | None] = self._compute()
        self.advance(0.0)

    def advance(self, filled: float) -> None:
        """filled: the next record, as a share of what it is proved at."""
        if self._failed:
            raise AssertionError("expected a proof that goes on, got one that has failed")
        try:
            self._advance(filled)
        except BaseException:
            self._failed = True
            self._thread.back()  # there is nothing more to compute
            raise

    def _advance(self, filled: float) -> None:
        while self._places and filled >= self._places[-1]:
            self._places.pop()
            exchange = self._computed.result()
            if exchange is None:
                raise AssertionError("a proof has fewer messages than its levels say")
            _exchange(self._channel, self._exchanges, exchange)
            self._computed = self._compute()
            if not self._places:
                self._end()

    def finish(self) -> None:
        """Nothing else is computed meanwhile: the kernels of the proof have all threads. Raises unless it is accepted,
        and where it has failed before, too."""
        self._thread.back()
        self.advance(1.0)
        if not self._accepted:
            raise AssertionError("expected a proof that has been accepted at its end, got another one")

    def _end(self) -> None:
        self._thread.back()
        if self._computed.result() is not None:
            raise AssertionError("a proof has more messages than its levels say")
        self._accepted = True

    def _compute(self) -> Future[Exchange | None]:
        return self._thread.compute(next, self._exchanges, None)


def _places(levels: int) -> list[float]:
    """Of each exchange, the first one last: it is the next."""
    of_levels = [_FIRST + (_LAST - _FIRST) * number / max(1, levels - 1) for number in range(levels)]
    places = [0.0] * CLOSING + [place for place in of_levels for _ in range(OF_LEVEL)] + of_levels[-1:] * CONCLUDING
    return places[::-1]


def _exchange(channel: Channel, exchanges: Exchanges, each: Exchange) -> None:
    """The proof hears of a failure: a verdict of this party's own comes before it."""
    if not (each.send or each.receive):
        return
    try:
        channel.exchange(each.tag, each.send, each.receive)
    except Exception as exc:
        exchanges.throw(exc)
        raise
