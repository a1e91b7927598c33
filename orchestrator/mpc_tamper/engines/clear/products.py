"""Matrix products modulo 2^64, through float64 where that is exact and pays.

NumPy has no fast integer product, and principal components take one of all rows by ten columns in each iteration. If x
holds small signed values, y is cut into limbs so short that no sum leaves the 53 bits that float64 holds exactly.
"""

from __future__ import annotations

import numpy as np

_EXACT_BITS = 53
_MIN_COLUMNS = 4  # a product by fewer reads x once, which is what turning it into floats costs
_MIN_LIMB_BITS = 16


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b) times y (b, c), uint64: (a, c)."""
    bits = _limb_bits(x, y)
    # einsum: NumPy's matmul has no fast path for integers, and strides badly through a transposed one
    return _by_limbs(x, y, bits, transpose=False) if bits else np.einsum("ij,jk->ik", x, y)


def trans_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a) times y (b, c), uint64: (a, c)."""
    bits = _limb_bits(x.T, y)
    return _by_limbs(x, y, bits, transpose=True) if bits else np.einsum("ij,ik->jk", x, y)


def _limb_bits(x: np.ndarray, y: np.ndarray) -> int:
    """How long y's limbs may be; 0 where einsum is the better way."""
    if y.shape[1] < _MIN_COLUMNS or x.size == 0:
        return 0
    signed = x.view(np.int64)
    largest = max(int(signed.max()), -int(signed.min()))
    bits = _EXACT_BITS - (largest * x.shape[1]).bit_length()
    return bits if bits >= _MIN_LIMB_BITS else 0


def _by_limbs(x: np.ndarray, y: np.ndarray, bits: int, *, transpose: bool) -> np.ndarray:
    real = x.view(np.int64).astype(np.float64)
    if transpose:
        real = real.T
    product = np.zeros((real.shape[0], y.shape[1]), np.uint64)
    mask = np.uint64((1 << bits) - 1)
    for start in range(0, 64, bits):
        limb = ((y >> np.uint64(start)) & mask).astype(np.float64)
        product += (real @ limb).astype(np.int64).view(np.uint64) << np.uint64(start)
    return product
