"""Arrays, matrices, input, share files. Every expectation was printed by MP-SPDZ v0.4.2 (replicated-ring, -R 64)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpc_tamper.runs.result import RunResult

Case = tuple[str, str]  # a statement, or what to print; what is printed ("" for a statement)

ARRAYS: tuple[Case, ...] = (
    ("a = sint.Array(5)", ""),
    ("a.assign([1, -2, 3, -4, 5])", ""),
    ("a.reveal()", "[1, -2, 3, -4, 5]"),
    ("a[:].reveal()", "[1, -2, 3, -4, 5]"),
    ("a[-1].reveal()", "5"),
    ("a[1:3].reveal()", "[-2, 3]"),
    ("a[0:5:2].reveal()", "[1, 3, 5]"),
    ("a.get_vector(1, 2).reveal()", "[-2, 3]"),
    ("a.assign(sint([7, 8]))", ""),
    ("a.assign_vector(sint([9]), 4)", ""),
    ("a.reveal()", "[7, 8, 3, -4, 9]"),
    ("p = a.get_part(regint(2), 2)", ""),
    ("p.assign_all(6)", ""),
    ("a.reveal()", "[7, 8, 6, 6, 9]"),  # a part is a view
    ("v = a[:]", ""),
    ("a[0] = 70", ""),
    ("v[0].reveal()", "7"),  # a vector is a copy
    ("a[1:3] = sint([50, 60])", ""),
    ("a[0:5:2] = sint([1, 2, 3])", ""),
    ("a.reveal()", "[1, 50, 2, 6, 3]"),
    ("b = a.same_shape()", ""),
    ("b.assign(a)", ""),
    ("b[0] = 77", ""),
    ("a += b", ""),
    ("a.reveal()", "[78, 100, 4, 12, 6]"),
    ("(a + b).reveal()", "[155, 150, 6, 18, 9]"),
    ("(10 - a).reveal()", "[-68, -90, 6, -2, 4]"),
    ("(a - a[:]).reveal()", "[0, 0, 0, 0, 0]"),
    ("(a * 2).reveal()", "[156, 200, 8, 24, 12]"),
    ("(a[:] > b[:]).reveal()", "[1, 1, 1, 1, 1]"),
    ("(a.reveal()[:] * b[:]).reveal()", "[6006, 5000, 8, 72, 18]"),
    ("a.sum().reveal()", "200"),
    ("a.dot(b).reveal()", "11104"),
    ("a.concat(b).get_sub(4, 6).reveal()", "[6, 77]"),
    ("a.reveal_list()", "[78, 100, 4, 12, 6]"),
    ("[x.reveal() for x in a.get_range(0, 2)]", "[78, 100]"),
    ("a.get_reverse_vector().reveal()", "[6, 12, 4, 100, 78]"),
    ("Array.create_from(sint([3, 4])).reveal()", "[3, 4]"),
    ("c = cint.Array(2)", ""),
    ("c.assign_all(-4)", ""),
    ("c", "[-4, -4]"),
    ("r = regint.Array(2)", ""),
    ("r.assign([5, 6])", ""),
    ("r", "5"),  # the first element of a regint vector
    ("one = sint.Array(1)", ""),
    ("one[0] = 7", ""),
    ("one.reveal()", "7"),
    ("f = cfix.Array(2)", ""),
    ("f.assign([0.25, 1e-3])", ""),
    ("f", "[0.25, 0.00100708]"),
    ("f[:] + 1", "[1.25, 1.00101]"),
)

MATRICES: tuple[Case, ...] = (
    ("M = sint.Matrix(3, 2)", ""),
    ("M.assign([[1, 2], [3, 4], [5, 6]])", ""),
    ("M.reveal()", "[[1, 2], [3, 4], [5, 6]]"),
    ("M[1].reveal()", "[3, 4]"),
    ("M[:].reveal()", "[1, 2, 3, 4, 5, 6]"),
    ("M.get_part_vector(1, 2).reveal()", "[3, 4, 5, 6]"),
    ("M.get_vector(1, 3).reveal()", "[2, 3, 4]"),
    ("M.assign_part_vector(sint([7, 8]), 1)", ""),
    ("M[0] = [9, 10]", ""),
    ("M.reveal()", "[[9, 10], [7, 8], [5, 6]]"),
    ("P = M.get_part(MemValue(1), 2)", ""),
    ("P[1][0] = 50", ""),
    ("M[2][0] = M[2][0] + 1", ""),
    ("P.reveal()", "[[7, 8], [51, 6]]"),  # a part is a view
    ("M.get_column(regint(1)).reveal()", "[10, 8, 6]"),
    ("M.set_column(1, sint([1, 2, 3]))", ""),
    ("M.reveal()", "[[9, 1], [7, 2], [51, 3]]"),
    ("M.transpose().reveal()", "[[9, 7, 51], [1, 2, 3]]"),
    ("(M + M).reveal()", "[[18, 2], [14, 4], [102, 6]]"),
    ("(M - M).reveal()", "[[0, 0], [0, 0], [0, 0]]"),
    ("M.schur(M).reveal()", "[[81, 1], [49, 4], [2601, 9]]"),
    ("w = sint.Array(2)", ""),
    ("w.assign([2, -3])", ""),
    ("(M * w).reveal()", "[15, 8, 93]"),
    ("(M * w[:]).reveal()", "[15, 8, 93]"),
    ("M.direct_mul(w).reveal()", "[15, 8, 93]"),
    ("M.direct_mul(w.to_column_matrix()).reveal()", "[15, 8, 93]"),
    ("P.direct_mul(w.to_column_matrix()).reveal()", "[8, 93]"),
    ("P.direct_trans_mul(w.to_column_matrix()).reveal()", "[-139, -5]"),
    ("M.dot(M.transpose()).reveal()", "[[82, 65, 462], [65, 53, 363], [462, 363, 2610]]"),
    ("M.direct_trans_mul(M).reveal()", "[2731, 176, 176, 14]"),
    ("M.trans_mul(M).reveal()", "[[2731, 176], [176, 14]]"),
    ("M.direct_mul_trans(P).reveal()", "[65, 462, 53, 363, 363, 2610]"),
    ("M.mul_trans(P).reveal()", "[[65, 462], [53, 363], [363, 2610]]"),
    ("sint.dot_product(M[0], w).reveal()", "15"),
    ("T = sint.Tensor([2, 2, 2])", ""),
    ("T.assign_vector(sint(regint.inc(8)))", ""),
    ("T.reveal()", "[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]"),
    ("T[1].reveal()", "[[4, 5], [6, 7]]"),
    ("T[1][0].reveal()", "[4, 5]"),
    ("T.get_part_vector(1, 1).reveal()", "[4, 5, 6, 7]"),
    ("row = sint.Matrix(1, 3)", ""),
    ("row.assign_all(5)", ""),
    ("row.reveal()", "[[5, 5, 5]]"),
    ("row.transpose().reveal()", "[5, 5, 5]"),  # a matrix of one column prints as a vector
    ("M.reveal_nested()", "[[9, 1], [7, 2], [51, 3]]"),
    ("Matrix.create_from([[sint(1), sint(2)], [sint(3), sint(4)]]).trace().reveal()", "5"),
)

FILES: tuple[Case, ...] = (
    ("a = sint.Array(6)", ""),
    ("a.input_from(0)", ""),
    ("a.reveal()", "[1, -2, 3, 4, 5, 6]"),
    ("B = sint.Matrix(2, 2)", ""),
    ("B.input_from(1, binary=True)", ""),
    ("B.reveal()", f"[[1, -2], [{2**62}, {-(2**63)}]]"),
    ("sint.get_input_from(0).reveal()", "7"),
    ("sint.get_input_from(0, size=2).reveal()", "[8, 9]"),
    ("a.write_to_file()", ""),
    ("sint.write_to_file(sint([17, 18]))", ""),
    ("sint.write_to_file([sint(19), sint(20)])", ""),
    ("b = sint.Array(3)", ""),
    ("stop = b.read_from_file(5)", ""),
    ("b.reveal()", "[6, 17, 18]"),
    ("stop", "8"),
    ("stop, parts = sint.read_from_file(1, 2, size=2)", ""),
    ("stop", "5"),
    ("[part.reveal() for part in parts]", "[[-2, 3], [4, 5]]"),
    ("sint.write_to_file(sint([70]), 1)", ""),
    ("M = sint.Matrix(2, 5)", ""),
    ("M.read_from_file(0)", ""),
    ("M.reveal()", "[[1, 70, 3, 4, 5], [6, 17, 18, 19, 20]]"),
    ("sint.read_from_file(9)[0]", "-1"),  # the end of the file
)


def source(_: str, cases: tuple[Case, ...]) -> str:
    return "".join(f"print_ln('%s', {code})\n" if shown else f"{code}\n" for code, shown in cases)


@pytest.mark.parametrize("cases", [ARRAYS, MATRICES, FILES], ids=["arrays", "matrices", "files"])
def test_prints_what_mp_spdz_prints(run_source: Callable[..., RunResult], cases: tuple[Case, ...]) -> None:
    lines = run_source(source("", cases)).lines
    expected = [(code, shown) for code, shown in cases if shown]
    assert [(code, line) for (code, _), line in zip(expected, lines, strict=True)] == expected


def test_binary_output(run_source: Callable[..., RunResult]) -> None:
    program = (
        "a = sint.Array(3)\na.assign([1, -2, 2**62])\n"
        "cint(-5).binary_output()\na.reveal_to_binary_output()\nregint(6).binary_output()\n"
    )
    assert run_source(program).binary_output == (-5, 1, -2, 2**62, 6)
