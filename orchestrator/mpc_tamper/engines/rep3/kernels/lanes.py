"""64 gates in a word as the rows of a proof's first level: bit a of each word stands in row a.

So a record is folded as it lies, word by word. Word 64 c + j has weight X^j w_c in GF(2^64): the 64 words of block c,
transposed, are a polynomial in X for each row, and a weighted sum of products of two rows is an AND and a carry-less
multiplication a block. Only a prover needs the sums of all pairs of rows, and transposes for them.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, kernel_unless, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import binary_field
from mpc_tamper.engines.rep3.kernels.affine import LANES, has_instruction, map_words
from mpc_tamper.engines.rep3.kernels.binary_field import (
    COLUMNS,
    add_pairs_of_sums,
    combine_columns,
    copy_piece,
    sum_of_sums,
    without_squares,
)
from mpc_tamper.engines.rep3.kernels.clmul import clmul, multiply, reduce
from mpc_tamper.engines.rep3.kernels.lane_products import (
    TILE_A,
    TILE_B,
    pairs_of_one_product,
    pairs_of_two_products,
    triangle_of_one_product,
    triangle_of_two_products,
)
from mpc_tamper.engines.rep3.kernels.transposition import ROWS, transpose_blocks
from mpc_tamper.engines.rep3.kernels.wide_clmul import WIDE, combination, has_wide_instruction, weigh_powers

# What a thread has to have for it to pay: words, and blocks whose pairs of rows are multiplied.
_WORTH, _WORTH_BLOCKS = 1 << 12, 8
_BLOCKS = 64  # that are worked on together: four arrays of 64 rows of them stay in a core's second cache
_ADDRESS = types.uintp
_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_8, _16, _24, _32, _40, _48, _56 = (np.uint64(8 * i) for i in range(1, 8))
_BYTE = np.uint64(255)


@kernel_unless(has_wide_instruction(), types.void(_OUT3, _OUT1, _OUT3))
def add_pairs(rows: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """Adds sum_c w_c (u_a v_b + v_a u_b)_c, for all a < b, and sum_c w_c (u_a v_a)_c to sums, (64, 64, 2): (low, high),
    unreduced. One product at a time."""
    columns = rows.shape[2]
    for a in range(ROWS):
        for b in range(a, ROWS):
            s_low = s_high = np.uint64(0)
            for c in range(columns):
                both = np.uint64(0)
                for i in range(0, rows.shape[0], 2):
                    both ^= rows[i, a, c] & rows[i + 1, b, c]
                    if a < b:
                        both ^= rows[i + 1, a, c] & rows[i, b, c]
                p_low, p_high = clmul(both, weights[c])
                s_low ^= p_low
                s_high ^= p_high
            sums[a, b, 0] ^= s_low
            sums[a, b, 1] ^= s_high


@kernel_where(has_wide_instruction(), add_pairs, types.void(_OUT3, _OUT1, _OUT3))
def add_pairs_wide(rows: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """The same by the wide instruction; columns: a multiple of WIDE."""
    columns = rows.shape[2]
    base, w, to = _ADDRESS(rows.ctypes.data), _ADDRESS(weights.ctypes.data), _ADDRESS(sums.ctypes.data)
    stride, matrix, vectors = _ADDRESS(8 * columns), _ADDRESS(8 * columns * ROWS), _ADDRESS(columns // WIDE)
    line = _ADDRESS(16 * ROWS)
    for a in range(0, ROWS, TILE_A):
        row, to_row = base + _ADDRESS(a) * stride, to + _ADDRESS(a) * line
        corner = to_row + _ADDRESS(16 * a)
        if rows.shape[0] == 2:
            triangle_of_one_product(row, w, stride, matrix, vectors, corner, line)
        else:
            triangle_of_two_products(row, w, stride, matrix, vectors, corner, line)
        for b in range(a + TILE_A, ROWS, TILE_B):
            other, place = base + _ADDRESS(b) * stride, to_row + _ADDRESS(16 * b)
            if rows.shape[0] == 2:
                pairs_of_one_product(row, other, w, stride, matrix, vectors, place, line)
            else:
                pairs_of_two_products(row, other, w, stride, matrix, vectors, place, line)


def pair_sums(u: np.ndarray, v: np.ndarray, u_2: np.ndarray, v_2: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """G_ab + G_ba for a < b, and G_aa, where G_ab is the weighted sum of products of row a of u and row b of v.

    u, v: words; u_2, v_2: of a second product of the same gates, or empty.  weights: a word for 64 of them.
    Zero below the diagonal.
    """
    return _pair_sums(helpers(weights.size // _WORTH_BLOCKS), u, v, u_2, v_2, weights)


@part_of_kernels
def _add_pairs_of_blocks(
    who: int,
    first: int,
    last: int,
    u: np.ndarray,
    v: np.ndarray,
    u_2: np.ndarray,
    v_2: np.ndarray,
    weights: np.ndarray,
    sums: np.ndarray,
) -> None:
    arrays = 2 if u_2.size == 0 else 4
    columns = max(WIDE, min(_BLOCKS, (last - first + WIDE - 1) // WIDE * WIDE))
    rows = np.empty((arrays, ROWS, columns), np.uint64)
    w = np.empty(columns, np.uint64)
    for start in range(first, last, columns):
        size = min(columns, last - start)
        w[size:] = np.uint64(0)
        w[:size] = weights[start : start + size]
        transpose_blocks(u, start, rows[0])
        transpose_blocks(v, start, rows[1])
        if arrays == 4:
            transpose_blocks(u_2, start, rows[2])
            transpose_blocks(v_2, start, rows[3])
        add_pairs_wide(rows, w, sums[who])


@kernel(_OUT2(NOTE, _V, _V, _V, _V, _V))
def _pair_sums(
    note: int, u: np.ndarray, v: np.ndarray, u_2: np.ndarray, v_2: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    sums, out = np.zeros((threads_of(note), ROWS, ROWS, 2), np.uint64), np.zeros((ROWS, ROWS), np.uint64)
    in_parts(_add_pairs_of_blocks, note, weights.size, WIDE, (u, v, u_2, v_2, weights, sums))
    total = sum_of_sums(sums)
    for a in range(ROWS):
        for b in range(a, ROWS):
            out[a, b] = reduce(total[a, b, 0], total[a, b, 1])
    return out


def tables(coefficients: np.ndarray) -> np.ndarray:
    """What combine_lanes takes in their place."""
    return _matrices(coefficients) if has_instruction() else _sums(coefficients)


@kernel(_OUT1(_V))
def _matrices(coefficients: np.ndarray) -> np.ndarray:
    """The linear map as affine.map_words has it: (64,)."""
    out = np.zeros(ROWS, np.uint64)
    for a in range(ROWS):
        for bit in range(64):
            place = ((bit >> 3) - (a >> 3)) % 8 * 8 + (a >> 3)
            out[place] |= (coefficients[a] >> np.uint64(bit) & np.uint64(1)) << np.uint64(8 * (7 - bit % 8) + a % 8)
    return out


@kernel_unless(has_instruction(), _OUT1(_V))
def _sums(coefficients: np.ndarray) -> np.ndarray:
    """The sums of all subsets of eight coefficients, for each of the 8 bytes of a word: (2048,)."""
    t = np.zeros(8 * 256, np.uint64)
    for a in range(ROWS):
        group, bit = (a >> 3) * 256, 1 << (a & 7)
        for low in range(bit):
            t[group + bit + low] = t[group + low] ^ coefficients[a]
    return t


def combine_lanes(t: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    """The sum over bits a of each word of coefficient_a, into out, which may be the words. t: tables(coefficients)."""
    _combine_in_parts(helpers(words.size // _WORTH), t, words, out)


@kernel_unless(has_instruction(), types.void(_V, _V, _OUT1))
def _combine_by_sums(t: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    for c in range(words.size):
        p = words[c]
        s = t[p & _BYTE] ^ t[256 + ((p >> _8) & _BYTE)] ^ t[512 + ((p >> _16) & _BYTE)]
        s ^= t[768 + ((p >> _24) & _BYTE)] ^ t[1024 + ((p >> _32) & _BYTE)] ^ t[1280 + ((p >> _40) & _BYTE)]
        out[c] = s ^ t[1536 + ((p >> _48) & _BYTE)] ^ t[1792 + (p >> _56)]


@kernel_where(has_instruction(), _combine_by_sums, types.void(_V, _V, _OUT1))
def _combine_lanes(t: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    base, vectors = _ADDRESS(t.ctypes.data), words.size // LANES
    map_words(base, _ADDRESS(words.ctypes.data), _ADDRESS(out.ctypes.data), _ADDRESS(vectors))
    rest = np.zeros(LANES, np.uint64)
    for c in range(vectors * LANES, words.size):
        rest[c - vectors * LANES] = words[c]
    map_words(base, _ADDRESS(rest.ctypes.data), _ADDRESS(rest.ctypes.data), _ADDRESS(1))
    for c in range(vectors * LANES, words.size):
        out[c] = rest[c - vectors * LANES]


@part_of_kernels
def _combine_some(who: int, first: int, last: int, t: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    _combine_lanes(t, words[first:last], out[first:last])


@kernel(types.void(NOTE, _V, _V, _OUT1))
def _combine_in_parts(note: int, t: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    in_parts(_combine_some, note, words.size, ROWS, (t, words, out))


def weigh_lanes(weights: np.ndarray, x: np.ndarray) -> None:
    """X^j w_c x_(64 c + j) in place of x_(64 c + j); weights: one for 64 elements."""
    _weigh_in_parts(helpers(x.size // _WORTH), weights, x)


@kernel_unless(has_wide_instruction(), types.void(_V, _OUT1))
def _weigh_one_by_one(weights: np.ndarray, x: np.ndarray) -> None:
    for c in range(weights.size):
        w = weights[c]
        for i in range(64 * c, min(64 * c + 64, x.size)):
            x[i] = multiply(w, x[i])
            w = reduce(w << np.uint64(1), w >> np.uint64(63))


@kernel_where(has_wide_instruction(), _weigh_one_by_one, types.void(_V, _OUT1))
def _weigh_lanes(weights: np.ndarray, x: np.ndarray) -> None:
    whole = min(weights.size, x.size // ROWS)
    weigh_powers(_ADDRESS(weights.ctypes.data), _ADDRESS(whole), _ADDRESS(ROWS), _ADDRESS(x.ctypes.data))
    _weigh_one_by_one(weights[whole:], x[ROWS * whole :])


@part_of_kernels
def _weigh_some(who: int, first: int, last: int, weights: np.ndarray, x: np.ndarray) -> None:
    _weigh_lanes(weights[first:last], x[ROWS * first : ROWS * last])


@kernel(types.void(NOTE, _V, _OUT1))
def _weigh_in_parts(note: int, weights: np.ndarray, x: np.ndarray) -> None:
    in_parts(_weigh_some, note, weights.size, 1, (weights, x))


def weighed_pair_sums(u: np.ndarray, weights: np.ndarray, v: np.ndarray) -> np.ndarray:
    """binary_field.pair_sums of rows u, (k, n), and of what weigh_lanes makes of the elements of v, row after row.

    weights: one for 64 elements; elements that have none are zeros.
    """
    if _rows_begin_with_weights(v, weights):
        return _weighed_pair_sums(helpers(v.size // _WORTH), u, weights, v)
    weighed = v.copy()
    weigh_lanes(weights, weighed.reshape(-1))
    return binary_field.pair_sums(u, weighed)


def _rows_begin_with_weights(rows: np.ndarray, weights: np.ndarray) -> bool:
    return rows.shape[1] % ROWS == 0 and rows.size == ROWS * weights.size


@part_of_kernels
def _add_weighed_pairs(
    who: int, first: int, last: int, u: np.ndarray, weights: np.ndarray, v: np.ndarray, sums: np.ndarray
) -> None:
    k, blocks = len(u), u.shape[1] // ROWS
    some_u, some_v = np.empty((k, COLUMNS), np.uint64), np.empty((k, COLUMNS), np.uint64)
    for start in range(first, last, COLUMNS // ROWS):
        stop = min(start + COLUMNS // ROWS, last)
        size = ROWS * (stop - start)
        for a in range(k):
            copy_piece(some_u[a], u[a, ROWS * start : ROWS * stop])
            copy_piece(some_v[a], v[a, ROWS * start : ROWS * stop])
            _weigh_lanes(weights[a * blocks + start : a * blocks + stop], some_v[a, :size])
        add_pairs_of_sums(some_u, some_v, size, sums[who])


@kernel(_OUT2(NOTE, _M, _V, _M))
def _weighed_pair_sums(note: int, u: np.ndarray, weights: np.ndarray, v: np.ndarray) -> np.ndarray:
    sums = np.zeros((threads_of(note), len(u), len(u), 2), np.uint64)
    in_parts(_add_weighed_pairs, note, u.shape[1] // ROWS, COLUMNS // ROWS, (u, weights, v, sums))
    return without_squares(sum_of_sums(sums))


@kernel_unless(has_wide_instruction(), types.void(_M, types.int64, _M, _OUT1))
def _combine_blocks_one_by_one(factors: np.ndarray, first: int, rows: np.ndarray, out: np.ndarray) -> None:
    """sum_a factor_ca rows_ai, for each i of the 64 columns of block first + c."""
    start = ROWS * first
    for i in range(ROWS * len(factors)):
        low = high = np.uint64(0)
        for a in range(len(rows)):
            p_low, p_high = clmul(factors[i // ROWS, a], rows[a, start + i])
            low ^= p_low
            high ^= p_high
        out[start + i] = reduce(low, high)


@kernel_where(has_wide_instruction(), _combine_blocks_one_by_one, types.void(_M, types.int64, _M, _OUT1))
def _combine_blocks(factors: np.ndarray, first: int, rows: np.ndarray, out: np.ndarray) -> None:
    """The same by the wide instruction."""
    count, vectors, stride = _ADDRESS(len(rows)), _ADDRESS(ROWS // WIDE), _ADDRESS(8 * rows.shape[1])
    of_block, base, to = _ADDRESS(factors.ctypes.data), _ADDRESS(rows.ctypes.data), _ADDRESS(out.ctypes.data)
    for c in range(len(factors)):
        place = _ADDRESS(8 * ROWS * (first + c))
        combination(of_block + _ADDRESS(8 * c) * count, base + place, stride, count, vectors, to + place)


@part_of_kernels
def _combine_weighed_blocks(
    who: int,
    first: int,
    last: int,
    coefficients: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:
    """sum_a coefficient_a X^j w_ac rows_a,(64 c + j), where w_a are the weights of row a: X^j is left to the end."""
    blocks = out.size // ROWS
    factors = np.empty((last - first, len(rows)), np.uint64)
    for a in range(len(rows)):
        for c in range(first, last):
            factors[c - first, a] = multiply(coefficients[a], weights[a * blocks + c])
    _combine_blocks(factors, first, rows, out)
    _weigh_lanes(np.ones(last - first, np.uint64), out[ROWS * first : ROWS * last])


@kernel(types.void(NOTE, _V, _V, _M, _OUT1))
def _combine_weighed(
    note: int, coefficients: np.ndarray, weights: np.ndarray, rows: np.ndarray, out: np.ndarray
) -> None:
    in_parts(_combine_weighed_blocks, note, out.size // ROWS, 1, (coefficients, weights, rows, out))


def combine_weighed(coefficients: np.ndarray, weights: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """The combination of rows (k, n), into out (n,), of what weigh_lanes makes of their elements, row after row.

    weights: one for 64 elements; elements that have none are zeros.
    """
    if _rows_begin_with_weights(rows, weights):
        _combine_weighed(helpers(rows.size // _WORTH), coefficients, weights, rows, out)
        return
    weighed = rows.copy()
    weigh_lanes(weights, weighed.reshape(-1))
    binary_field.combine_to(coefficients, weighed, out)


def weighted_sum(rho: np.ndarray, weights: np.ndarray, words: np.ndarray) -> np.uint64:
    """The sum over words 64 c + j and their bits a of X^j w_c rho_a. rho: (64,); weights: one for 64 words."""
    found: np.uint64 = _weighted_sum(helpers(words.size // _WORTH), rho, weights, words)
    return found


@part_of_kernels
def _add_weighted(
    who: int, first: int, last: int, rho: np.ndarray, weights: np.ndarray, words: np.ndarray, sums: np.ndarray
) -> None:
    """Each block's row, transposed, is a polynomial in X: rows are combined before they are weighed."""
    columns = max(1, min(_BLOCKS, last - first))
    rows, combined = np.empty((ROWS, columns), np.uint64), np.empty(columns, np.uint64)
    low = high = np.uint64(0)
    for start in range(first, last, columns):
        size = min(columns, last - start)
        transpose_blocks(words, start, rows)
        combine_columns(rho, rows, 0, columns, combined)
        for c in range(size):
            p_low, p_high = clmul(weights[start + c], combined[c])
            low ^= p_low
            high ^= p_high
    sums[who, 0] ^= low
    sums[who, 1] ^= high


@kernel(types.uint64(NOTE, _V, _V, _V))
def _weighted_sum(note: int, rho: np.ndarray, weights: np.ndarray, words: np.ndarray) -> np.uint64:
    sums = np.zeros((threads_of(note), LANES), np.uint64)  # a line of the cache for each
    in_parts(_add_weighted, note, weights.size, WIDE, (rho, weights, words, sums))
    low = high = np.uint64(0)
    for who in range(len(sums)):
        low ^= sums[who, 0]
        high ^= sums[who, 1]
    return reduce(low, high)
