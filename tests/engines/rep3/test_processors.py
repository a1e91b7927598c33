"""What other processors compute, and which instructions Numba may use there."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper
from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS

gate_sums, lookups, recording, ring_128, row_sums, rows_128, subsets = (
    importlib.import_module(f"{kernels.__name__}.{name}")
    for name in ("gate_sums", "lookups", "recording", "ring_128", "row_sums", "rows_128", "subsets")
)
FEATURES = ("avx512f", "avx512ifma", "avx512dq", "gfni", "pclmul")


def usable(**variables: str) -> list[bool]:
    """May Numba use these instructions here, with such an environment?"""
    code = "import sys; from mpc_tamper.engines.kernels.features import may_use; print(*map(may_use, sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": str(Path(str(mpc_tamper.__file__)).parents[1])} | variables
    shown = subprocess.run(
        [sys.executable, "-c", code, *FEATURES], capture_output=True, text=True, check=True, env=environment
    )
    return [each == "True" for each in shown.stdout.split()]


def test_instructions_that_numba_may_not_use():
    """Numba leaves AVX out when told so, and on processors that a virtual machine calls by some old names."""
    assert not any(usable(NUMBA_ENABLE_AVX="0")[:3])
    assert not any(usable(NUMBA_CPU_NAME="generic"))
    assert usable(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="+avx512f,-gfni") == [True, *[False] * 4]


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (1, 1), (131, 70), (1501, 9)])
def test_sums_over_subsets_where_there_is_no_instruction(m, n):
    rng = np.random.default_rng(1)
    x, of_rows, of_columns = (rng.integers(0, 2**64, shape, np.uint64) for shape in ((m, n), m, n))
    of_rows, of_columns = of_rows >> np.uint64(64 - SUBSETS), of_columns >> np.uint64(64 - SUBSETS)
    found = subsets.sums_of_rows(of_rows, x), subsets.sums_of_columns(of_columns, x)
    without = np.zeros((SUBSETS, n), np.uint64), np.zeros((SUBSETS, m), np.uint64)
    row_sums.add_rows(row_sums.offsets_of(of_rows), x, 0, n, without[0])
    row_sums.add_columns(row_sums.offsets_of(of_columns), x, 0, m, without[1])
    for with_it, without_it, members, matrix in zip(found, without, (of_rows, of_columns), (x, x.T), strict=True):
        in_subset = (members >> np.arange(SUBSETS, dtype=np.uint64)[:, None]) & np.uint64(1)
        assert np.array_equal(with_it, in_subset @ matrix)
        assert np.array_equal(with_it, without_it)


@pytest.mark.parametrize("vectors", [1023, 1024, 1025])
def test_the_largest_sums_of_middle_limbs(vectors):
    """Of 2^53 - 1, whose limbs are 2^52 - 1 and 1, all three products that make up the middle limb are largest. Of
    words and elements of 2^64 - 1 and 2^128 - 1 only one or two are."""
    word, n = 2**53 - 1, 8 * vectors
    words = np.full((1, n), word, np.uint64)
    total = np.zeros((1, 1, 2), np.uint64)
    rows_128.add_of_words(words, words, 0, n, total)
    assert number(total[0, 0]) == n * word**2 % 2**128
    for high in (0, 2**40 - 1, 2**64 - 1):
        element = word + (high << 64)
        elements = np.empty((1, n, 2), np.uint64)
        elements[..., 0], elements[..., 1] = word, high
        assert number(ring_128.row_products(elements, elements)[0, 0]) == n * element**2 % 2**128
        total = np.zeros((1, 1, 2), np.uint64)
        rows_128.add_by_words(words, 0, elements, 0, n, total)
        assert number(total[0, 0]) == n * word * element % 2**128
        factors, out = elements[0, :vectors], np.empty((8, 2), np.uint64)
        ring_128.combine_words(factors, np.full((vectors, 8), word, np.uint64), out)
        assert number(out[7]) == vectors * word * element % 2**128
        rows = np.broadcast_to(factors[:, None], (vectors, 8, 2)).copy()
        assert number(ring_128.combine(factors, rows)[7]) == vectors * element**2 % 2**128


def number(element: np.ndarray) -> int:
    return int(element[0]) | int(element[1]) << 64


@pytest.mark.parametrize("name", ["sums_of_rows", "sums_of_columns"])
def test_a_kernel_that_forgets_a_number_is_not_used(monkeypatch, name):
    sums = getattr(subsets, name)

    def forgetful(members, x):
        members = members.copy()
        members[-1] = 0
        return sums(members, x)

    subsets.check()
    monkeypatch.setattr(subsets, name, forgetful)
    with pytest.raises(EngineUnavailable, match="expected the sums over subsets that NumPy finds"):
        subsets.check()


def test_a_kernel_that_forgets_a_gate_is_not_used(monkeypatch):
    add = gate_sums._add_in_parts

    def forgetful(note, members, *rest):
        members = members.copy()
        members[-1] = 0
        add(note, members, *rest)

    gate_sums.check()
    monkeypatch.setattr(gate_sums, "_add_in_parts", forgetful)
    with pytest.raises(EngineUnavailable, match="expected the sums over subsets that NumPy finds"):
        gate_sums.check()


@pytest.mark.parametrize("name", ["ands", "majorities", "products", "conversions"])
def test_a_kernel_that_does_not_record_a_gate_is_not_used(monkeypatch, name):
    record = getattr(recording, name)

    def forgetful(*arguments):
        *gates, t, factors = arguments
        record(*gates, t, factors)
        factors[-1, -1] = 0

    recording.check()
    monkeypatch.setattr(recording, name, forgetful)
    with pytest.raises(EngineUnavailable, match="expected gates to be recorded as NumPy does it"):
        recording.check()


# Loads the kernels of proofs and prints a hash of what all of them compute, of sizes that are not whole vectors.
COMPUTE = """
import hashlib, importlib
import numpy as np

fields, lanes, matrices, ring, subsets, gate_rows, gate_sums = (
    importlib.import_module("mpc_tamper.engines.rep3.kernels." + name)
    for name in ("binary_field", "lanes", "matrices", "ring_128", "subsets", "gate_rows", "gate_sums")
)
rng, found = np.random.default_rng(1), hashlib.sha256()


def words(*shape):
    drawn = rng.integers(0, 2**64, shape, np.uint64)
    drawn.reshape(-1)[:3] = 2**64 - 1
    return drawn


def put(*arrays):
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())


u, v, u_2, v_2, weights = *(words(581) for _ in range(4)), words(10)
put(lanes.pair_sums(u, v, u_2, v_2, weights), lanes.pair_sums(u, v, u[:0], v[:0], weights))
put(lanes.weighted_sum(words(64), weights, u))
out = np.empty(u.size, np.uint64)
lanes.combine_lanes(lanes.tables(words(64)), u, out)
lanes.weigh_lanes(weights, out)
put(out, fields.pair_sums(words(5, 77), words(5, 77)), fields.combine(words(5), words(5, 77)))
members, x = words(133) >> np.uint64(16), words(133, 75)
put(subsets.sums_of_rows(members, x), subsets.sums_of_columns(members, np.ascontiguousarray(x.T)))
for m, n in [(1, 1), (127, 9), (129, 8), (300, 5), (257, 70)]:  # whole blocks and vectors, and what is left of them
    members, x = words(m), words(m, n)
    put(subsets.sums_of_rows(members, x), subsets.sums_of_columns(members, np.ascontiguousarray(x.T)))
for n, inner in [(3, 1), (257, 0), (600, 3), (4353, 1)]:  # in blocks, and with carries in between
    products, sums = np.zeros((48, 2), np.uint64), np.zeros((2, 48), np.uint64)
    gate_sums.add_gates(words(n), [(words(n * inner), words(n * inner))], (words(n), words(n)), products, sums)
    put(products, sums)
many, low = np.zeros((48, 48, 2), np.uint64), np.zeros((2, 48, 48), np.uint64)
of_rows = matrices.SubsetsOfRows.of([words(13) >> np.uint64(16), words(13) >> np.uint64(16)], [False, True])
units = matrices.units_of([13, 13], [130, 21])
sides = []
for _ in range(2):
    given, sums, y, t = ([words(*shape) for shape in shapes] for shapes in (
        [(13, 130), (21, 13)], [(48, 130), (48, 21)], [(9, 130), (48, 21)], [(13, 5), (13, 48)]
    ))
    sides.append((matrices.Side(*map(matrices.Matrices.of, (given, sums, y, t)), np.array([True, False])), sums))
matrices.compress(of_rows, units, sides[0][0], sides[1][0], low, many)
outs, places = words(2, 151, 2), np.array([[0, 130], [-1, 0]])
matrices.combine(words(48, 2), sides[0][0].y, units, *zip(outs, places, strict=True))
put(outs, matrices.turned(words(19, 23)), *sides[0][1], *sides[1][1])
put(many, low, ring.row_products(words(3, 20, 2), words(3, 20, 2)))
beta, rho, folded, of_words = words(4, 2), words(48, 2), np.empty((2, 146, 2), np.uint64), np.empty((146, 2), np.uint64)
pairs = [(u, v), (u_2, v_2)]
square, products, sums = (np.zeros(shape, np.uint64) for shape in ((4, 4, 2), (48, 2), (2, 48)))
members = words(581)
gate_sums.add_gates(members, pairs, (v_2, u), products, sums)
gate_rows.add_row_products(gate_rows.tables_of(rho), members, pairs, square)
gate_rows.fold(gate_rows.tables_of_rows(rho, beta), members, [(u, folded[0]), (v, folded[1])])
ring.fold_words(beta, u, of_words)
put(products, sums, square, folded, of_words)
print(found.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("features", ["", "+avx,+avx2,+pclmul,+vpclmulqdq"])
def test_other_processors_compute_the_same(features, tmp_path):
    """Without any of the instructions, and with vectors of 256 bits."""
    if features and not may_use("vpclmulqdq", "avx2"):
        pytest.skip("the processor has no VPCLMULQDQ")
    if features and not (may_use("avx512f") or may_use("gfni")):
        pytest.skip("the processor's own kernels have these instructions and no others")
    package = {"PYTHONPATH": str(Path(str(mpc_tamper.__file__)).parents[1])}
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    shown = [
        subprocess.run(
            [sys.executable, "-c", COMPUTE], capture_output=True, text=True, check=True, env=os.environ | package | more
        ).stdout
        for more in ({}, other)
    ]
    assert shown[0] == shown[1]
