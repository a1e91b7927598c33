"""Private input by party i: x_{i+1} = 0, x_{i-1} is a pad known to parties i-1 and i, x_i = x - x_{i-1} goes to i+1.

The owner also keeps small values as they are: passive.py multiplies by them. Rows larger than memory go to files, block
by block (engines/mapped.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc_tamper.engines.mapped import freeze, release
from mpc_tamper.engines.rep3.protocol.context import Party, as_bytes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.prss import Purpose
from mpc_tamper.engines.rep3.protocol.share import RepShare, zeros
from mpc_tamper.engines.rep3.transport.frame import HEADER_BYTES
from mpc_tamper.runs.result import Cost

_INT16 = np.iinfo(np.int16)
_CHUNK = 1 << 20  # values per message: bounds the memory beyond the shares themselves


def cost(values: int) -> Cost:
    """Of the owner; it waits for nothing. The next party counts a round per message, the third none."""
    chunks = -(-values // _CHUNK)
    return Cost(rounds=0, bytes_sent=WORD_BYTES * values + HEADER_BYTES * chunks)


def share_input(party: Party, owner: int, shape: tuple[int, ...], read: Callable[[int], np.ndarray]) -> RepShare:
    """Shares of prod(shape) integers of the owner; read(count) yields the next ones, at the owner only."""
    count = int(np.prod(shape))
    role = (party.party_id - owner) % 3
    own = zeros(shape) if role == 1 else party.storage.zeros(shape, stays=True)  # x_{owner+1} = 0
    previous = zeros(shape) if role == 2 else party.storage.zeros(shape, stays=True)
    plain = party.storage.zeros(shape, np.int16, stays=True) if role == 0 else None
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        part = slice(start, start + size)
        if role == 0:
            pad = party.prss.previous[Purpose.INPUT].draw(size)
            previous.reshape(-1)[part] = pad
            values = read(size)
            own.reshape(-1)[part] = values - pad
            plain = _keep_small(plain, part, values.view(np.int64))
            party.channel.exchange("input", {party.channel.next: as_bytes(own.reshape(-1)[part])}, {})
        elif role == 1:
            party.channel.exchange("input", {}, {party.channel.previous: as_bytes(previous.reshape(-1)[part])})
        else:
            own.reshape(-1)[part] = party.prss.own[Purpose.INPUT].draw(size)
        for array in (own, previous, plain):
            if array is not None:
                release(array.reshape(-1)[part])
    freeze(own)
    freeze(previous)
    return RepShare(own, previous, owner, plain)


def _keep_small(plain: np.ndarray | None, part: slice, values: np.ndarray) -> np.ndarray | None:
    """plain with the values in its part, or None once some do not fit."""
    if plain is None or values.min() < _INT16.min or values.max() > _INT16.max:
        return None
    plain.reshape(-1)[part] = values
    return plain
