"""Pads of a key are handed out once, whatever becomes of the draws."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.kernels.threads import on_threads
from mpc_tamper.engines.rep3.protocol import prss
from mpc_tamper.engines.rep3.protocol.prss import Purpose, Stream

MANY = 1 << 20


@pytest.mark.parametrize("failing", [1, 4])
def test_what_a_draw_that_fails_may_have_made_is_never_made_again(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, real = Stream(b"k" * 32, Purpose.ZERO), prss._encrypt
    drawn = [stream.draw(MANY)]

    def encrypt_and_fail(encryptor, out) -> None:  # type: ignore[no-untyped-def]
        real(encryptor, out)
        raise MemoryError

    monkeypatch.setattr(prss, "_encrypt", encrypt_and_fail)
    with on_threads(failing), pytest.raises(MemoryError):
        stream.draw(MANY)
    monkeypatch.setattr(prss, "_encrypt", real)
    for threads in (4, 1, 4):
        with on_threads(threads):
            drawn += [stream.draw(MANY), stream.draw(3)]
    words = np.concatenate(drawn)
    assert len(np.unique(words)) == len(words)
    # Nor is it what the failed draw made: it goes on behind that.
    whole = Stream(b"k" * 32, Purpose.ZERO).draw(3 * MANY)
    np.testing.assert_array_equal(drawn[1], whole[2 * MANY :])


def test_few_words_are_made_ahead_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """And twice as many each time, up to 2^14. They are those of one long draw."""
    made, real = [], Stream._generate

    def generate(stream: Stream, rest: np.ndarray, count: int) -> np.ndarray:
        made.append(count)
        return real(stream, rest, count)

    monkeypatch.setattr(Stream, "_generate", generate)
    stream = Stream(b"k" * 32, Purpose.ZERO)
    words = np.concatenate([stream.draw(100) for _ in range(500)])
    assert made == [128 << i for i in range(7)] + [1 << 14] * 3
    np.testing.assert_array_equal(words, Stream(b"k" * 32, Purpose.ZERO).draw(50_000))


@pytest.mark.parametrize("size", [0, 8, 1 << 20, (1 << 20) + 8, 3 << 20])
def test_nothing_is_written_to_the_room_behind_pads(size: int) -> None:
    """Of parts that threads make, a neighbour's pads are there."""
    room = np.full(size + 15, 0xA5, np.uint8)
    stream = Stream(b"k" * 32, Purpose.ZERO)
    prss._encrypt(stream._at(0), room)
    assert (room[size:] == 0xA5).all()
    assert np.array_equal(room[:size].view(np.uint64), Stream(b"k" * 32, Purpose.ZERO).draw(size // 8))
