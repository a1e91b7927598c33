"""Matrix products modulo 2^64 over row-major arrays.

x may hold small signed integers, int16: a private input at its owner. The hot path of training is one product by a
vector each way per iteration, over a matrix larger than the caches: each kernel reads the matrix once, four rows at a
time so that a core's loads keep its memory channel busy.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.rep3.kernels.compilation import kernel

_ROWS = 4

_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_Y = types.Array(types.uint64, 2, "C", readonly=True)
_X = [types.Array(kind, 2, "C", readonly=True) for kind in (types.uint64, types.int16)]
_MATRIX_VECTOR = [_OUT1(x, _V) for x in _X]
_MATRIX_MATRIX = [_OUT2(x, _Y) for x in _X]


@kernel(*_MATRIX_VECTOR)
def matvec(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """x (a, b) times v (b,): (a,)."""
    rows, columns = x.shape
    out = np.empty(rows, np.uint64)
    blocked = rows - rows % _ROWS
    for i in range(0, blocked, _ROWS):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        s0 = s1 = s2 = s3 = np.uint64(0)
        for j in range(columns):
            vj = v[j]
            s0 += np.uint64(x0[j]) * vj
            s1 += np.uint64(x1[j]) * vj
            s2 += np.uint64(x2[j]) * vj
            s3 += np.uint64(x3[j]) * vj
        out[i], out[i + 1], out[i + 2], out[i + 3] = s0, s1, s2, s3
    for i in range(blocked, rows):
        s = np.uint64(0)
        for j in range(columns):
            s += np.uint64(x[i, j]) * v[j]
        out[i] = s
    return out


@kernel(*_MATRIX_VECTOR)
def trans_matvec(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a) times v (b,): (a,)."""
    rows, columns = x.shape
    out = np.zeros(columns, np.uint64)
    blocked = rows - rows % _ROWS
    for i in range(0, blocked, _ROWS):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        v0, v1, v2, v3 = v[i], v[i + 1], v[i + 2], v[i + 3]
        for j in range(columns):
            upper = np.uint64(x0[j]) * v0 + np.uint64(x1[j]) * v1
            out[j] += upper + np.uint64(x2[j]) * v2 + np.uint64(x3[j]) * v3
    for i in range(blocked, rows):
        vi = v[i]
        for j in range(columns):
            out[j] += np.uint64(x[i, j]) * vi
    return out


@kernel(*_MATRIX_MATRIX)
def matmat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b) times y (b, c): (a, c). Each row of y is read once for four rows of x."""
    rows, inner = x.shape
    columns = y.shape[1]
    out = np.zeros((rows, columns), np.uint64)
    blocked = rows - rows % _ROWS
    for i in range(0, blocked, _ROWS):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        o0, o1, o2, o3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        for k in range(inner):
            a0, a1, a2, a3 = np.uint64(x0[k]), np.uint64(x1[k]), np.uint64(x2[k]), np.uint64(x3[k])
            yk = y[k]
            for j in range(columns):
                v = yk[j]
                o0[j] += a0 * v
                o1[j] += a1 * v
                o2[j] += a2 * v
                o3[j] += a3 * v
    for i in range(blocked, rows):
        for k in range(inner):
            xik = np.uint64(x[i, k])
            for j in range(columns):
                out[i, j] += xik * y[k, j]
    return out


@kernel(*_MATRIX_MATRIX)
def trans_matmat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a) times y (b, c): (a, c). Each row of the product is read once for four rows of x."""
    inner, rows = x.shape
    columns = y.shape[1]
    out = np.zeros((rows, columns), np.uint64)
    blocked = inner - inner % _ROWS
    for k in range(0, blocked, _ROWS):
        x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
        y0, y1, y2, y3 = y[k], y[k + 1], y[k + 2], y[k + 3]
        for i in range(rows):
            a0, a1, a2, a3 = np.uint64(x0[i]), np.uint64(x1[i]), np.uint64(x2[i]), np.uint64(x3[i])
            oi = out[i]
            for j in range(columns):
                oi[j] += a0 * y0[j] + a1 * y1[j] + a2 * y2[j] + a3 * y3[j]
    for k in range(blocked, inner):
        for i in range(rows):
            xki = np.uint64(x[k, i])
            for j in range(columns):
                out[i, j] += xki * y[k, j]
    return out


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b) times y (b, c): (a, c), by the kernel that suits c."""
    if y.shape[1] == 1:
        return matvec(np.ascontiguousarray(x), np.ascontiguousarray(y[:, 0])).reshape(-1, 1)
    return matmat(np.ascontiguousarray(x), np.ascontiguousarray(y))


def trans_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a) times y (b, c): (a, c)."""
    if y.shape[1] == 1:
        return trans_matvec(np.ascontiguousarray(x), np.ascontiguousarray(y[:, 0])).reshape(-1, 1)
    return trans_matmat(np.ascontiguousarray(x), np.ascontiguousarray(y))
