"""Matrix products against plain Python, for every shape and however their arrays lie in memory."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.clear import products
from mpc_tamper.engines.kernels import MATMUL
from mpc_tamper.engines.kernels.threads import on_threads
from tests.support import naive
from tests.support.memory import at_the_end_of_memory

matmul = importlib.import_module(MATMUL)  # itself, not what stands for it until it is used
EDGES = {np.uint64: [0, 1, 2**64 - 1, 2**63, 2**63 - 1, 2**32], np.int16: [0, 1, -1, 2**15 - 1, -(2**15)]}
KINDS = [np.uint64, np.int16]
# Around the sizes of vectors, tiles and blocks: 4, 8 and 16 lanes, 8 rows, 160 terms, 256 rows of the product; and, of
# columns that leave a vector empty, up to half of one and more, with terms that fill the last vector and others.
SHAPES = [
    *((0, 3, 2), (3, 0, 2), (1, 1, 1), (7, 16, 1), (9, 17, 1), (8, 8, 16), (9, 161, 17), (259, 5, 3), (3, 33, 40)),
    *((16, 32, 10), (17, 33, 11), (8, 7, 10), (1, 8, 2), (9, 15, 3), (5, 168, 4), (8, 9, 9), (7, 16, 13), (10, 12, 28)),
]


def random(rng: np.random.Generator, shape: tuple[int, int], kind: type) -> np.ndarray:
    """Uniform, with a value from the edges in every third place."""
    values = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, kind, endpoint=True)
    values.reshape(-1)[::3] = np.array(EDGES[kind], kind)[rng.integers(len(EDGES[kind]), size=values[:].size)[::3]]
    return values


def check(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """x y and the transpose of x times z; x: (a, b), y: (b, c), z: (a, c). Nothing that is given changes."""
    before = [each.copy() for each in (x, y, z)]
    numbers, c = x.astype(object) % 2**64, y.shape[1]
    for got, want in (
        (matmul.matmul(x, y), naive.matmul(numbers.tolist(), y.tolist())),
        (matmul.trans_matmul(x, z), naive.trans_matmul(numbers.tolist(), z.tolist()) if len(x) else None),
    ):
        assert got.dtype == np.uint64
        assert got.tolist() == ([[0] * c for _ in range(len(got))] if want is None or not x.size else want)
    assert all(np.array_equal(a, b) for a, b in zip(before, (x, y, z), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape: tuple[int, int, int], kind: type) -> None:
    a, b, c = shape
    rng = np.random.default_rng(shape)
    check(random(rng, (a, b), kind), random(rng, (b, c), np.uint64), random(rng, (a, c), np.uint64))


@settings(max_examples=40)
@given(st.data())
def test_any_shape_on_any_number_of_threads(data: st.DataObject) -> None:
    a, b, c = (data.draw(st.integers(1, 40)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = random(rng, (a, b), data.draw(st.sampled_from(KINDS)))
    with on_threads(data.draw(st.integers(1, 3))), pytest.MonkeyPatch.context() as patched:
        patched.setattr(matmul, "_WORTH", 1)
        check(x, random(rng, (b, c), np.uint64), random(rng, (a, c), np.uint64))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [1, 5])
def test_however_the_arrays_lie(kind: type, c: int, tmp_path: Path) -> None:
    """Read-only, not contiguous, not aligned, mapped from a file, without memory of their own."""
    rng = np.random.default_rng(c)
    x, y, z = random(rng, (9, 20), kind), random(rng, (20, c), np.uint64), random(rng, (9, c), np.uint64)
    (tmp_path / "rows").write_bytes(b"head" + x.tobytes())
    mapped = np.memmap(tmp_path / "rows", kind, "r", offset=4, shape=x.shape)
    wide = np.zeros((18, 40), kind)
    wide[::2, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(bytearray(b"1" + x.tobytes()), kind, offset=1).reshape(x.shape)
    for each in (mapped, wide[::2, ::2], np.asfortranarray(x), frozen, unaligned, np.broadcast_to(x[:1], x.shape)):
        check(each, y, z)
    check(x, np.asfortranarray(y), np.broadcast_to(z[:, :1], z.shape))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_read_behind_the_arrays(shape: tuple[int, int, int], kind: type) -> None:
    """Memory ends there."""
    a, b, c = shape
    rng = np.random.default_rng(shape)
    sides = ((a, b), kind), ((b, c), np.uint64), ((a, c), np.uint64)
    x, y, z = (at_the_end_of_memory(random(rng, size, of)) for size, of in sides)
    matmul.matmul(x, y)
    matmul.trans_matmul(x, z)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 4), (7, 300, 10), (300, 700, 1), (40, 90, 20)])
def test_the_oracle_has_the_same_products_for_small_and_for_large_matrices(
    shape: tuple[int, int, int], loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the kernels are loaded, and after."""
    if not loaded:
        monkeypatch.setattr(products, "MATMUL", "not yet")
    a, b, c = shape
    rng = np.random.default_rng(shape)
    x, y, z = (random(rng, size, np.uint64) for size in ((a, b), (b, c), (a, c)))
    assert np.array_equal(products.matmul(x, y), x @ y)
    assert np.array_equal(products.trans_matmul(x, z), x.T @ z)
