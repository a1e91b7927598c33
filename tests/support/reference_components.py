"""The slow twin of pca.mpc, in Python integers: it checks that nothing that is shortened has left 64 bits."""

from __future__ import annotations

from math import isqrt
from random import Random

import numpy as np

STEPS = 6


def shortened(values: np.ndarray, bits: int) -> np.ndarray:
    """Rounded to nearest, halves upward."""
    assert max(abs(int(v)) for v in values.flat) + (1 << (bits - 1)) < 1 << 63
    return (values + (1 << (bits - 1))) >> bits


def newton_schulz(gram: np.ndarray, diagonal: int, slope: int, doublings: int, bits: int, last: int) -> np.ndarray:
    identity = np.eye(len(gram), dtype=int).astype(object)
    p = identity << bits
    for step in range(STEPS):
        t = diagonal * identity - slope * gram
        if step == STEPS - 1:
            p = shortened(p @ t, 20 + doublings + bits - last)
        else:
            p = shortened((p @ t) << (20 + doublings), 40 + 2 * doublings)
            gram = shortened(t.T @ (gram @ t), 40 + 2 * doublings)
    return p


def reference_components(images: np.ndarray, components: int, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """V, (n, k) at scale 2^16, and the mean, (n,).  images: (m, n) pixels."""
    x = images.astype(object)
    m, n = x.shape
    mean = shortened(x.sum(axis=0) * round(2**40 / m), 40)
    x = x - mean
    top = max(24, (m * n * 2**14 - 1).bit_length())
    scale, spread = 61 - top, int((x * x).sum())
    factor = 1
    while factor < 2**16 and 2 * factor * spread <= 2**top:
        factor *= 2
    signs, size = Random(1), 2**scale // (isqrt(n * components) + 1)
    flat = [size if signs.getrandbits(1) else -size for _ in range(n * components)]
    q = np.array(flat, dtype=object).reshape(n, components)
    for i in range(iterations):
        last = i == iterations - 1
        bits = 26 if last else scale - 7
        w = shortened(factor * (x.T @ (x @ q)), 61 - bits)
        gram = shortened(w.T @ w, 2 * bits - 20)
        p = newton_schulz(gram, 2496766, 2, 0, 15, 15 if last else 7)
        q = shortened(w @ p, 19) if last else w @ p
    gram = shortened(q.T @ q, 24)
    v = shortened(q @ newton_schulz(gram, 3 << 20, 1, 1, 16, 16), 22)
    return v.astype(np.int64), mean.astype(np.int64)
