"""Sums over 48 random subsets at once, of the rows or columns of matrices: bit k of a member says whether one is in
subset k.

Four numbers have 16 sums, of which each subset adds one: row_sums.py, and lookups.py for columns.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.kernels.layout import row_major
from mpc_tamper.engines.kernels.parts import NOTE, in_parts
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import SUBSETS, lookups, row_sums
from mpc_tamper.engines.rep3.kernels.expectation import SUMS_OVER_SUBSETS, expect

_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_NARROW, _WIDE = 8, 64  # rows and columns that threads have a multiple of
_WORTH_ENTRIES = 1 << 13  # what a thread has to have for it to pay


def sums_of_rows(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over rows i in subset k of x_ij, modulo 2^64: (48, n). members: (m,); x: (m, n)."""
    out = np.zeros((SUBSETS, x.shape[1]), np.uint64)
    _add_rows(helpers(x.size // _WORTH_ENTRIES), members, row_major(x), out)
    return out


def sums_of_columns(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over columns j in subset k of x_ij, modulo 2^64: (48, m). members: (n,); x: (m, n)."""
    out = np.zeros((SUBSETS, len(x)), np.uint64)
    _add_columns(helpers(x.size // _WORTH_ENTRIES), members, row_major(x), out)
    return out


# What the sums of rows, or of columns, take in place of members, and how they are added: for several matrices that
# have the same.
prepared_rows, add_prepared_rows = row_sums.offsets_of, row_sums.add_rows
prepared_columns, add_prepared_columns = (
    (lookups.places_of, lookups.add_columns)
    if lookups.has_instruction()
    else (row_sums.offsets_of, row_sums.add_columns)
)


@part_of_kernels
def _add_some_rows(who: int, first: int, last: int, prepared: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    add_prepared_rows(prepared, x, first, last, out)


@part_of_kernels
def _add_some_columns(who: int, first: int, last: int, prepared: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    add_prepared_columns(prepared, x, first, last, out)


@kernel(types.void(NOTE, _V, _M, _OUT2))
def _add_rows(note: int, members: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out[k, c] += the sum of x[i, c] over the rows i in subset k."""
    in_parts(_add_some_rows, note, x.shape[1], _WIDE, (prepared_rows(members), x, out))


@kernel(types.void(NOTE, _V, _M, _OUT2))
def _add_columns(note: int, members: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out[k, i] += the sum of x[i, c] over the columns c in subset k."""
    in_parts(_add_some_columns, note, len(x), _NARROW, (prepared_columns(members), x, out))


def check() -> None:
    """Compare the sums with NumPy's, once a process has loaded them: both verifiers add up X and Z = X Y alike, so that
    rows that a kernel forgot would be missing on both sides of a claim, and an error in them would pass.

    Raises EngineUnavailable.
    """
    m, n = 132, 70  # whole blocks and strips, and what is left of them
    x = (np.arange(1, m * n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(m, n)
    x[:2], x[-2:] = np.uint64(2**64 - 1), np.uint64(2**63)
    members = np.arange(1, m + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03) >> np.uint64(64 - SUBSETS)
    for rows in (3, 5, 6, m):  # a last group of four has one, two and three rows
        some, of = members[:rows], x[:rows]
        indicators = some >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)
        for sums_of, entries in ((sums_of_rows, of), (sums_of_columns, np.ascontiguousarray(of.T))):
            expect(SUMS_OVER_SUBSETS, sums_of(some, entries), indicators @ of)


check()
