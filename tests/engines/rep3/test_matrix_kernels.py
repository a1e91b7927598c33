"""Kernels that take many matrices to a call, against NumPy and Python's integers: of all shapes, of none, and of what
does not lie in memory as they take it."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.kernels.threads import on_threads
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS
from tests.support.products_of_matrices import pairs_of_rows

matrices = importlib.import_module(f"{kernels.__name__}.matrices")
Matrices = matrices.Matrices
# (outer, inner, vectors) of products: what networks have, single rows and columns, and sizes of 0.
LONG = [(2100, 600, 3), (600, 2100, 2), (3, 9000, 1)]
SHAPES = [(16, 21, 10), (1, 3, 1), (5, 1, 3), (5, 9, 3), (9, 64, SUBSETS), (0, 4, 2), (3, 0, 2), (4, 5, 0)]


def words(*shape: int, seed: int = 0) -> np.ndarray:
    """Random ones, the first and the last of them the largest."""
    drawn = np.random.default_rng(seed).integers(0, 2**64, shape, np.uint64)
    if drawn.size:
        drawn.reshape(-1)[:: max(1, drawn.size - 1)] = 2**64 - 1
    return drawn


def indicators(members: np.ndarray) -> np.ndarray:
    return members >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)


@pytest.mark.parametrize("shapes", [SHAPES, SHAPES[::-1], LONG], ids=["all", "reversed", "long"])
@pytest.mark.parametrize("threads", [1, 3])
def test_sums_over_subsets(shapes, threads):
    """Of rows, of columns, and where there is no x; of either component. What is long is cut."""
    members, x, t, out, want = [words(0)], [], [], [], []
    total = words(2, SUBSETS, SUBSETS, seed=9)
    want_total = total.copy()
    kinds = [(number % 3, shape) for number, shape in enumerate(shapes)]
    for kind, (outer, inner, vectors) in kinds:
        members.append(words(outer, seed=1) >> np.uint64(64 - SUBSETS))
        t.append(words(outer, vectors, seed=2))
        x.append([words(outer, inner), words(inner, outer), None][kind])
        out.append(None if kind == 2 else words(SUBSETS, inner, seed=3))
        of_rows = [x[-1], x[-1].T, None][kind] if kind < 2 else None
        want.append(None if of_rows is None else indicators(members[-1]) @ of_rows)
        want_total[:, :, :vectors] += indicators(members[-1]) @ t[-1]
    of_rows = matrices.SubsetsOfRows.of(members[1:], [kind == 1 for kind, _ in kinds])
    units = matrices.units_of(*zip(*[shape[:2] for shape in shapes], strict=True))
    nothing = Matrices.of([np.empty((0, shape[1]), np.uint64) for shape in shapes])
    outs = [[None if each is None else each.copy() for each in out] for _ in range(2)]
    no_terms = np.zeros(len(shapes), np.bool_)
    sides = [matrices.Side(Matrices.of(x), Matrices.of(to), nothing, Matrices.of(t), no_terms) for to in outs]
    products = np.zeros((SUBSETS, SUBSETS, 2), np.uint64)
    with on_threads(threads):
        matrices.compress(of_rows, units, *sides, total, products)
    assert np.array_equal(total, want_total)
    assert not products.any()
    for out in outs:
        for found, right in zip(out, want, strict=True):
            assert right is None or np.array_equal(found, right)


def test_sums_that_have_been_made_are_kept():
    """Of one component: those of the other are still to be made."""
    made, x, members = words(SUBSETS, 5, seed=1), words(7, 5), words(7, seed=2) >> np.uint64(64 - SUBSETS)
    own_rows, rows = made.copy(), words(SUBSETS, 5, seed=3)
    t, y, no_term = Matrices.of([words(7, 0)]), Matrices.of([words(0, 5)]), np.zeros(1, np.bool_)
    own = matrices.Side(Matrices.of([None]), Matrices.of([own_rows]), y, t, no_term)
    previous = matrices.Side(Matrices.of([x]), Matrices.of([rows]), y, t, no_term)
    for sides in ((own, previous), (previous, own)):
        sums = np.zeros((2, SUBSETS, SUBSETS), np.uint64), np.zeros((SUBSETS, SUBSETS, 2), np.uint64)
        matrices.compress(matrices.SubsetsOfRows.of([members], [False]), matrices.units_of([7], [5]), *sides, *sums)
        assert np.array_equal(own_rows, made)
        assert np.array_equal(rows, indicators(members) @ x)


def test_units_are_all_columns_once():
    """Long ones are cut into an even number of about equal pieces; of each there is one at least, also where there are
    no columns."""
    outer, inner = [1, 785, 3, 0, 12_665, 4_096, 10**6], [3, 12_665, 0, 9, 785, 600, 257]
    units = matrices.units_of(outer, inner)
    for number, columns in enumerate(inner):
        of_matrix = [(first, last) for index, first, last in units.tolist() if index == number]
        assert [column for first, last in of_matrix for column in range(first, last)] == list(range(columns))
        assert of_matrix[0][0] == 0
    assert [index for index, *_ in units.tolist()] == sorted(index for index, *_ in units.tolist())
    assert len(units) > len(inner)
    sizes = [[last - first for index, first, last in units.tolist() if index == number] for number in (4, 5, 6)]
    assert sizes == [[200, 200, 200, 185], [152, 152, 152, 144], [136, 121]]
    assert matrices.units_of([], []).shape == (0, 3)


def sides() -> tuple[list[np.ndarray | None], list[np.ndarray | None]]:
    """x, one of which is not there, and y."""
    x = [words(SUBSETS, inner, seed=number) for number, (_, inner, _) in enumerate(SHAPES)]
    y = [words(vectors, inner, seed=10 + number) for number, (_, inner, vectors) in enumerate(SHAPES)]
    return [None, *x[1:]], y


def test_products_of_all_pairs_of_rows():
    x, y = sides()
    want = np.zeros((SUBSETS, SUBSETS), object)
    for a, b in zip(x, y, strict=True):
        if a is not None:
            want[:, : len(b)] += a.astype(object) @ b.T.astype(object)
    total, low = pairs_of_rows(x, y)
    assert np.array_equal(total[..., 0].astype(object) + (total[..., 1].astype(object) << 64), want % 2**128)
    assert np.array_equal(low, total[..., 0])


def test_products_of_long_rows():
    """They are cut, and each piece begins where the one before ends."""
    x, y = [words(SUBSETS, 603, seed=1)], [words(3, 603, seed=2)]
    outer = 10**6
    assert len(matrices.units_of([outer], [603])) > 1
    total, low = pairs_of_rows(x, y, outer=outer)
    want = x[0].astype(object) @ y[0].T.astype(object) % 2**128
    assert np.array_equal(total[:, :3, 0].astype(object) + (total[:, :3, 1].astype(object) << 64), want)
    assert np.array_equal(low, total[..., 0])


def test_products_of_those_that_have_the_term():
    x, y = sides()
    there = [number % 2 == 1 for number in range(len(x))]
    _, found = pairs_of_rows(x, y, there)
    some = [each if is_there else None for each, is_there in zip(x, there, strict=True)]
    _, want = pairs_of_rows(some, y)
    assert want.any()
    assert np.array_equal(found, want)


def test_combinations_go_where_they_belong():
    factors = words(SUBSETS, 2)
    as_integers = factors[:, 0].astype(object) + (factors[:, 1].astype(object) << 64)
    for side in (*sides(), []):
        lengths = [0 if rows is None else rows.shape[1] for rows in side]
        outs, places = [words(sum(lengths) + 9, 2, seed=seed) for seed in (1, 2)], np.full((2, len(side)), -1)
        before = [out.copy() for out in outs]
        ends = np.cumsum(lengths)
        for index, (rows, length) in enumerate(zip(side, lengths, strict=True)):
            if rows is not None:
                places[0, index] = -1 if index % 3 == 0 else ends[index] - length
                places[1, index] = -1 if index % 3 == 1 else ends[-1] + 9 - ends[index]  # the other way round
        units = matrices.units_of([0] * len(side), lengths)
        matrices.combine(factors, Matrices.of(side), units, *zip(outs, places, strict=True))
        for rows, *to in zip(side, *places, strict=True):
            for place, out, was in zip(to, outs, before, strict=True):
                if rows is not None and place >= 0:
                    found = out[place : place + rows.shape[1]]
                    want = sum(a * row for a, row in zip(as_integers, rows.astype(object), strict=False)) % 2**128
                    assert np.all(found[:, 0].astype(object) + (found[:, 1].astype(object) << 64) == want)
                    was[place : place + rows.shape[1]] = found
        assert all(map(np.array_equal, outs, before))  # nothing else was written


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 31])
@pytest.mark.parametrize("m", [0, 1, 8, 15, 17])
def test_transposes(m, n):
    x, y = words(m, n), words(m, n, seed=1)
    assert np.array_equal(matrices.turned(x), x.T)
    for one, other in ((x, y), (words(n, m).T, np.broadcast_to(np.uint64(3), (m, n)))):
        both = matrices.both_turned(one, other)
        assert np.array_equal(both, [one.T, other.T])
        assert both.flags.c_contiguous


def test_what_lies_otherwise_is_copied():
    """Columns of a matrix, and words that begin between two."""
    aligned = words(SUBSETS, 12)
    odd = np.frombuffer(b"\0" + aligned.tobytes(), np.uint64, offset=1).reshape(aligned.shape)
    other = words(4, 12, seed=1)
    same = (aligned, odd, np.asfortranarray(aligned), np.repeat(aligned, 2, axis=1)[:, ::2])
    found = [pairs_of_rows([x], [other])[1] for x in same]
    assert found[0].any()
    assert all(np.array_equal(each, found[0]) for each in found)


def test_addresses():
    """Of what lies anyhow, without a copy: a zero without memory too."""
    x = words(6, 9)
    odd = np.frombuffer(b"\0" + x.tobytes(), np.uint64, offset=1).reshape(x.shape)
    views = [x, x[1:, 2:], x.T, x[::-1], odd, odd[2:, ::3], np.broadcast_to(np.uint64(0), x.shape), x[:0], x[:, :0]]
    for one, other in zip(views, views[::-1], strict=True):
        want = tuple(each.__array_interface__["data"][0] for each in (one, other))
        assert matrices.addresses(one, other) == want


def test_a_kernel_that_forgets_a_number_is_not_used(monkeypatch):
    compress = matrices._compress

    def forgetful(note, members, *others):
        members = members.copy()
        members[-1] = 0
        compress(note, members, *others)

    matrices.check()
    monkeypatch.setattr(matrices, "_compress", forgetful)
    with pytest.raises(EngineUnavailable, match="expected the sums over subsets that NumPy finds"):
        matrices.check()


def test_new_matrices_stand_one_after_the_other():
    """Those without columns are not there, and others may be elsewhere."""
    other = words(48, 3, seed=4)
    found = Matrices.new(48, [5, 0, 2, 3], {3: other})
    given = [words(48, 5, seed=1), None, words(48, 2, seed=2), other]
    assert [row[1:].tolist() for row in found.table] == [row[1:].tolist() for row in Matrices.of(given).table]
    assert found.table[2, 0] - found.table[0, 0] == 8 * 48 * 5
    assert found.table[3, 0] == other.ctypes.data
    assert len(found) == 4
    assert not found.table[1].any()
    assert len(Matrices.new(48, [], {})) == 0


def test_sizes_that_do_not_fit_are_refused():
    """A row of Z that nobody adds up would be a row that nobody verifies."""
    m, n, k = 6, 5, 4

    def attempt(**others):
        given = {"members": words(m), "x": words(m, n), "y": words(k, n), "t": words(m, k), "units": [[0, 0, n]]}
        given |= others
        width = others.get("width", 3)
        of_x = np.zeros((SUBSETS, others.get("length", n)), np.uint64)
        matrix = (Matrices.of([each]) for each in (given["x"], of_x, given["y"], given["t"]))
        side = matrices.Side(*matrix, np.ones(1, np.bool_))
        of_rows = matrices.SubsetsOfRows.of([given["members"]], [False])
        of_rows = replace(of_rows, starts=of_rows.starts + np.array(others.get("starts", [0, 0])))
        sums = np.zeros((2, SUBSETS, SUBSETS), np.uint64), np.zeros((SUBSETS, SUBSETS, 2), np.uint64)
        matrices.compress(of_rows, np.array(given["units"], np.int64).reshape(-1, width), side, side, *sums)

    attempt()
    for wrong in (
        {"members": words(m - 1)},
        {"members": words(m + 1)},
        {"x": words(m, n - 1)},
        {"x": words(n, m)},
        {"y": words(k, n + 1)},
        {"y": words(SUBSETS + 1, n)},
        {"t": words(m - 1, k)},
        {"t": words(m, SUBSETS + 1)},
        {"length": n - 1},
        {"units": []},
        {"units": [[0, 0, n - 1]]},
        {"units": [[0, 1, n]]},
        {"units": [[0, 0, n], [0, 0, n]]},
        {"units": [[0, 0, 0], [0, 0, n]]},  # messages would be added twice
        {"units": [[0, 0, n], [0, n, n]]},
        {"units": [[0, 0, n - 1], [0, n - 2, n]]},
        {"units": [[0, 0, n + 1]]},
        {"units": [[1, 0, n]]},
        {"units": [[0, 0]], "width": 2},
        {"members": words(m - 1), "starts": [0, 1]},
        {"members": words(m + 1), "starts": [1, 0]},
    ):
        with pytest.raises(ValueError, match="expected X, Y and Z = X Y of sizes that fit"):
            attempt(**wrong)
