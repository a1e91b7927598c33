"""What proofs need of gates, written to the record (protocol/proof/record.py).

Each kernel ends with: done, first, count, t, factors. Of the gates that it is given, `count` from number `done` on
become the entries from `first` on of a block: of the rows of t, which are t_right and t_left, and of those of factors,
which are what the products of this kind of gate name, in their order.

All three roles take what they prove and verify from here, so that check() compares with NumPy when this is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.rep3.kernels.expectation import RECORDED_GATES, expect

_WORDS = types.Array(types.uint64, 1, "C", readonly=True)
_PLANES = types.Array(types.uint64, 2, "C", readonly=True)
_INDICES = types.Array(types.intp, 1, "C", readonly=True)
_PLACE = (types.int64, types.int64, types.int64, types.uint64[:, ::1], types.uint64[:, ::1])
_MINUS_TWO = np.uint64(2**64 - 2)


@part_of_kernels
def _within(column: np.ndarray, start: int, size: int) -> slice:
    """Which of `size` words that would stand in the column from `start` on have a place in it."""
    first = min(max(0, -start), size)
    return slice(first, max(first, min(size, column.size - start)))


# Loops count from 0, as a place that might be negative costs Numba the vectors.
@part_of_kernels
def _copy(column: np.ndarray, words: np.ndarray) -> None:
    """column[:] = words, for which Numba takes about twice as long."""
    for e in range(column.size):
        column[e] = words[e]


@part_of_kernels
def _put(column: np.ndarray, start: int, words: np.ndarray) -> None:
    here = _within(column, start, words.size)
    _copy(column[start + here.start : start + here.stop], words[here])


@part_of_kernels
def _put_times(column: np.ndarray, start: int, words: np.ndarray, factor: np.uint64) -> None:
    here = _within(column, start, words.size)
    to, words = column[start + here.start : start + here.stop], words[here]
    for e in range(to.size):
        to[e] = factor * words[e]


@part_of_kernels
def _put_difference(column: np.ndarray, start: int, words: np.ndarray, less: np.ndarray) -> None:
    here = _within(column, start, words.size)
    to, words, less = column[start + here.start : start + here.stop], words[here], less[here]
    for e in range(to.size):
        to[e] = words[e] - less[e]


@part_of_kernels
def _put_sum(column: np.ndarray, words: np.ndarray, others: np.ndarray) -> None:
    """Of bits."""
    for e in range(column.size):
        column[e] = words[e] ^ others[e]


@part_of_kernels
def _subtract_products(x: np.ndarray, y: np.ndarray, inner: int, t: np.ndarray) -> None:
    """Of each gate, the dot product of its `inner` words."""
    if inner == 1:
        for g in range(t.size):
            t[g] -= x[g] * y[g]
        return
    for g in range(t.size):
        own_x, own_y = x[g * inner : (g + 1) * inner], y[g * inner : (g + 1) * inner]
        for e in range(inner):
            t[g] -= own_x[e] * own_y[e]


@kernel(types.void(*[_PLANES] * 2, *[_INDICES] * 2, *[_PLANES] * 3, *_PLACE))
def ands(
    own: np.ndarray,
    previous: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    z_previous: np.ndarray,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    done: int,
    first: int,
    count: int,
    t: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Of planes (p, words): those at `left` & those at `right`. factors: own x, previous y, previous x, own y."""
    words, here, to = own.shape[1], slice(done, done + count), slice(first, first + count)
    came, pads, t_right = z_previous.reshape(-1)[here], pad_previous.reshape(-1)[here], t[0, to]
    x_own, y_previous, x_previous, y_own = factors[0, to], factors[1, to], factors[2, to], factors[3, to]
    start = 0
    while start < count:
        i, w = divmod(done + start, words)
        part = slice(start, min(start + words - w, count))
        of_plane = slice(w, w + part.stop - part.start)
        _copy(x_own[part], own[left[i], of_plane])
        _copy(y_previous[part], previous[right[i], of_plane])
        _copy(x_previous[part], previous[left[i], of_plane])
        _copy(y_own[part], own[right[i], of_plane])
        start = part.stop
    for e in range(count):
        t_right[e] = (x_previous[e] & y_previous[e]) ^ came[e] ^ pads[e]
    _copy(t[1, to], pad_own.reshape(-1)[here])


@kernel(types.void(*[_PLANES] * 5, *_PLACE))
def majorities(
    x_own: np.ndarray,
    x_previous: np.ndarray,
    z_previous: np.ndarray,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    done: int,
    first: int,
    count: int,
    t: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Of planes. factors: own x, previous x."""
    here, to = slice(done, done + count), slice(first, first + count)
    _put_sum(t[0, to], z_previous.reshape(-1)[here], pad_previous.reshape(-1)[here])
    _copy(t[1, to], pad_own.reshape(-1)[here])
    _copy(factors[0, to], x_own.reshape(-1)[here])
    _copy(factors[1, to], x_previous.reshape(-1)[here])


@kernel(types.void(*[_WORDS] * 7, types.int64, *[types.boolean] * 2, *_PLACE))
def products(
    x_own: np.ndarray,
    x_previous: np.ndarray,
    y_own: np.ndarray,
    y_previous: np.ndarray,
    z_previous: np.ndarray,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    inner: int,
    right_has_term: bool,
    left_has_term: bool,
    done: int,
    first: int,
    count: int,
    t: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Modulo 2^64, dot products of `inner` words each. factors: own x, previous y, previous x, own y.

    right_has_term, left_has_term: whether the product of previous, of own components is for R, for L to subtract.
    """
    words, to = slice(inner * done, inner * (done + count)), slice(inner * first, inner * (first + count))
    x, y = x_previous[words], y_previous[words]
    _copy(factors[0, to], x_own[words])
    _copy(factors[1, to], y)
    _copy(factors[2, to], x)
    _copy(factors[3, to], y_own[words])
    here = slice(done, done + count)
    t_right, t_left = t[0, first : first + count], t[1, first : first + count]
    _put_difference(t_right, 0, z_previous[here], pad_previous[here])
    _copy(t_left, pad_own[here])
    if right_has_term:
        _subtract_products(x, y, inner, t_right)
    if left_has_term:
        _subtract_products(x_own[words], y_own[words], inner, t_left)


@kernel(types.void(*[_WORDS] * 8, *[types.int64] * 3, *_PLACE))
def conversions(
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    own: np.ndarray,
    previous: np.ndarray,
    beta_1: np.ndarray,
    beta_1_here: np.ndarray,
    z_0_here: np.ndarray,
    z_2_here: np.ndarray,
    first_0: int,
    first_1: int,
    first_2: int,
    done: int,
    first: int,
    count: int,
    t: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Of bits to integers (primitives/conversion.py): what each prover sends, in the order of its roles.

    first_0, first_1, first_2: where the bits begin for which this party has that role.  factors: u, v, u as R has it, v
    as L has it.
    """
    n_0, n_1, n_2 = z_2_here.size, z_0_here.size, beta_1_here.size
    role_0, role_1 = slice(first_0, first_0 + n_0), slice(first_1, first_1 + n_1)
    role_2 = slice(first_2, first_2 + n_2)
    to = slice(first, first + count)

    u, v = factors[0, to], factors[1, to]
    _put(u, 0 - done, pad_own[role_0])
    _put_times(u, n_0 - done, own[role_1], _MINUS_TWO)
    _put(u, n_0 + n_1 - done, own[role_2])
    _put(v, 0 - done, previous[role_0])
    _put(v, n_0 - done, previous[role_1])
    _put(v, n_0 + n_1 - done, beta_1_here)

    # The previous party has role 0 where this one has role 1, and so on.
    u_right, t_right = factors[2, to], t[0, to]
    _put(u_right, 0 - done, pad_previous[role_1])
    _put_times(u_right, n_1 - done, previous[role_2], _MINUS_TWO)
    _put(u_right, n_1 + n_2 - done, previous[role_0])
    _put(t_right, 0 - done, z_0_here)
    _put_difference(t_right, n_1 - done, beta_1_here, previous[role_2])
    _put_difference(t_right, n_1 + n_2 - done, z_2_here, pad_previous[role_0])

    # The next party has role 0 where this one has role 2.
    v_left, t_left = factors[3, to], t[1, to]
    _put(v_left, 0 - done, own[role_2])
    _put(v_left, n_2 - done, own[role_0])
    _put(v_left, n_2 + n_0 - done, beta_1)
    _put(t_left, 0 - done, pad_own[role_2])
    _put_difference(t_left, n_2 - done, pad_own[role_0], own[role_0])
    _put(t_left, n_2 + n_0 - done, pad_own[role_1])


def check() -> None:
    """A gate that a kernel forgot would be a true statement about zeros, to the prover and to both verifiers.

    Raises EngineUnavailable.
    """
    n = 67  # vectors, and what is left of them
    drawn = np.arange(1, 11 * n + 1, dtype=np.uint64).reshape(11, n) * np.uint64(0x9E3779B97F4A7C15)
    planes, (came, pad, pad_previous) = drawn[:8].reshape(2, 4, n), drawn[8:]
    own, previous = planes
    left, right = np.arange(2), np.arange(2, 4)
    messages = [drawn[8 - i : 10 - i] for i in range(3)]
    factors = [own[left], previous[right], previous[left], own[right]]
    t_right = factors[2] & factors[1] ^ messages[0] ^ messages[2]
    _expect(ands, [own, previous, left, right, *messages], [t_right, messages[1]], factors)
    t = [messages[0] ^ messages[2], messages[1]]
    _expect(majorities, [own[:2], previous[:2], *messages], t, [own[:2], previous[:2]])

    x, x_previous, y, y_previous = own[0], previous[0], own[1], previous[1]
    t = [came - pad_previous - x_previous * y_previous, pad - x * y]
    gates = [x, x_previous, y, y_previous, came, pad, pad_previous]
    _expect(products, [*gates, 1, True, True], t, [x, y_previous, x_previous, y])

    cuts = [0, 20, 41, n]
    first, second, third = (slice(*cuts[i : i + 2]) for i in range(3))
    beta, beta_here, z_0, z_2 = own[2, second], own[3, third], previous[2, second], previous[3, first]
    u = [pad[first], _MINUS_TWO * x[second], x[third]]
    v = [x_previous[first], x_previous[second], beta_here]
    u_right = [pad_previous[second], _MINUS_TWO * x_previous[third], x_previous[first]]
    t_right_of = [z_0, beta_here - x_previous[third], z_2 - pad_previous[first]]
    v_left, t_left_of = [x[third], x[first], beta], [pad[third], pad[first] - x[first], pad[second]]
    _expect(
        conversions,
        [pad, pad_previous, x, x_previous, beta, beta_here, z_0, z_2, *cuts[:3]],
        [np.concatenate(each) for each in (t_right_of, t_left_of)],
        [np.concatenate(each) for each in (u, v, u_right, v_left)],
    )


def _expect(kernel_of: Callable[..., None], gates: list[Any], t: list[np.ndarray], factors: list[np.ndarray]) -> None:
    """What the kernel writes to a block of just these gates."""
    outputs = t[0].size
    found = [np.full((len(rows), outputs), np.uint64(1)) for rows in (t, factors)]
    kernel_of(*gates, 0, 0, outputs, *found)
    for got, rows in zip(found, (t, factors), strict=True):
        expect(RECORDED_GATES, got, np.stack(rows).reshape(len(rows), outputs))


check()
