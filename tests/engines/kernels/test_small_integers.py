"""Products of small integers and vectors against Python's integers: to the ends of what sums of 32 bits hold, and from
the rows on where numbers are larger."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper
from mpc_tamper.engines.kernels import MATMUL
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.kernels.threads import on_threads

matmul = importlib.import_module(MATMUL)
small_integers = importlib.import_module(f"{MATMUL.rpartition('.')[0]}.small_integers")
SMALLEST, LARGEST = 1 - small_integers.LARGEST, small_integers.LARGEST
SHORTS, BLOCK = small_integers.SHORTS, small_integers._BLOCK
# All ones; digits of 2^15 - 1; digits of -2^15, with the highest of 2^15 - 1; digits of -2^15 - 1 + 2^16
WORDS = [2**64 - 1, 0x7FFF7FFF7FFF7FFF, 0x7FFF7FFF7FFF8000, 0x8000800080008000, 2**63, 1, 0]
AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2"
# What the child does: the same products where there are vectors of 256 bits, beside NumPy's modulo 2^64.
CHILD = """
import numpy as np
from mpc_tamper.engines.kernels import matmul, small_integers
rng = np.random.default_rng(1)
for a, b, c in [(1, 40, 1), (2, 16, 1), (260, 33, 1), (9, 2100, 1), (9, 161, 6), (7, 3, 2), (40, 50, 29)]:
    for low, high in [(-255, 257), (-32768, 32768), (0, 2**64)]:
        x = rng.integers(low, high, (a, b), np.uint64 if low == 0 else np.int16)
        y, z = rng.integers(0, 2**64, (b, c), np.uint64), rng.integers(0, 2**64, (a, c), np.uint64)
        words = x.astype(np.uint64)
        assert np.array_equal(matmul.matmul(x, y), words @ y)
        assert np.array_equal(matmul.trans_matmul(x, z), words.T @ z)
print(small_integers.SHORTS, small_integers.has_instruction())
"""


def check(x: np.ndarray, v: np.ndarray, w: np.ndarray) -> None:
    """x v and the transpose of x times w."""
    for rows, factors, multiply in ((x, v, matmul.matmul), (x.T, w, matmul.trans_matmul)):
        numbers = factors.tolist()
        want = [sum(p * q for p, q in zip(row, numbers, strict=True)) % 2**64 for row in rows.tolist()]
        assert multiply(x, factors[:, None])[:, 0].tolist() == want


def words(rng: np.random.Generator, size: int) -> np.ndarray:
    """Uniform, with a value from the edges in every third place."""
    found = rng.integers(0, 2**64, size, np.uint64)
    found[::3] = rng.choice(np.array(WORDS, np.uint64), len(found[::3]))
    return found


@pytest.mark.parametrize("columns", [1, SHORTS - 1, SHORTS, SHORTS + 1, 2 * SHORTS, 3 * SHORTS + 5])
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 24])
def test_every_size(rows: int, columns: int) -> None:
    rng = np.random.default_rng((rows, columns))
    x = rng.integers(SMALLEST, LARGEST, (rows, columns), np.int16, endpoint=True)
    check(x, words(rng, columns), words(rng, rows))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("value", [SMALLEST, LARGEST])
@pytest.mark.parametrize("shape", [(5, 128 * SHORTS + 3), (BLOCK + 9, SHORTS + 1)])
def test_the_largest_sums(shape: tuple[int, int], value: int, word: int) -> None:
    """More terms than a sum of 32 bits holds, all as large as they get."""
    check(np.full(shape, value, np.int16), *(np.full(size, word, np.uint64) for size in reversed(shape)))


@pytest.mark.parametrize("value", [LARGEST + 1, SMALLEST - 1, 2**15 - 1, -(2**15)])
@pytest.mark.parametrize(
    "place", [(0, 0), (3, SHORTS), (BLOCK - 1, SHORTS + 8), (BLOCK + 1, 0), (-1, -1), (slice(None),) * 2]
)
def test_larger_numbers_anywhere(place: tuple[int, int], value: int) -> None:
    """Alone among small ones, or all over: the product is exact, whoever finds it."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (BLOCK + 11, 2 * SHORTS + 7)).astype(np.int16)
    x[place] = value
    check(x, words(rng, x.shape[1]), words(rng, len(x)))
    check(x, np.full(x.shape[1], 2**64 - 1, np.uint64), np.full(len(x), 0x7FFF7FFF7FFF8000, np.uint64))


def test_however_the_arrays_lie_and_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (41, 70)).astype(np.int16)
    v, w = words(rng, 70), words(rng, 41)
    wide = np.zeros((82, 140), np.int16)
    wide[::2, ::2] = x
    frozen = x.copy()
    for each in (frozen, v, w):
        each.flags.writeable = False
    unaligned = np.frombuffer(bytearray(b"1" + x.tobytes()), np.int16, offset=1).reshape(x.shape)
    monkeypatch.setattr(matmul, "_WORTH", 1)
    for each in (frozen, wide[::2, ::2], np.asfortranarray(x), unaligned, x[3:, :50], x[:0], x[:, :0]):
        for threads in (1, 2, 3):
            with on_threads(threads):
                check(each, v[: each.shape[1]], w[: len(each)])


@pytest.mark.slow
@pytest.mark.skipif(not may_use("avx2"), reason="needs a processor with AVX2")
@pytest.mark.skipif(not may_use("avx512f"), reason="the processor's own vectors have 256 bits")
def test_products_where_vectors_have_256_bits(tmp_path: Path) -> None:
    variables = {
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": AVX2,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(str(mpc_tamper.__file__)).parents[1]),
    }
    shown = subprocess.run([sys.executable, "-c", CHILD], env=os.environ | variables, capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("16 True\n", "")
