"""Matrix products modulo 2^64: the kernels that the parties of rep3 use (engines/kernels), and NumPy for small ones.

Numba takes most of a second to load, and programs that multiply little do without it. Once it is there, small products
go to the kernels too, which take less.
"""

from __future__ import annotations

import sys

import numpy as np

from mpc_tamper.engines.kernels import MATMUL
from mpc_tamper.engines.kernels import matmul as kernel

_SMALL = 1 << 16  # products of words


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b) times y (b, c), uint64: (a, c)."""
    # einsum: NumPy's matmul has no fast path for integers, and strides badly through a transposed one
    return np.einsum("ij,jk->ik", x, y) if _is_small(x, y) else kernel.matmul(x, y)


def trans_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a) times y (b, c), uint64: (a, c)."""
    return np.einsum("ij,ik->jk", x, y) if _is_small(x, y) else kernel.trans_matmul(x, y)


def _is_small(x: np.ndarray, y: np.ndarray) -> bool:
    return x.size * y.shape[1] < _SMALL and MATMUL not in sys.modules
