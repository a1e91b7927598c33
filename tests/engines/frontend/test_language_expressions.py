"""What expressions print. Every expectation was printed by MP-SPDZ v0.4.2 (replicated-ring, -R 64)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpc_tamper.runs.result import RunResult

Case = tuple[str, str]

PUBLIC: tuple[Case, ...] = (
    ("regint(-5)", "-5"),
    ("cint(2**63 - 1)", "9223372036854775807"),
    ("cint(2**63)", "-9223372036854775808"),
    ("cint([1, -2, 3])", "[1, -2, 3]"),
    ("cint([7])", "7"),
    ("regint.inc(3)", "0"),  # the first element only
    ("cint([1, -2, 3]) < 2", "1"),  # a regint vector
    ("cint(3) < 4", "1"),
    ("cint(-1) > 1", "0"),
    ("cint(-1) >= 1", "0"),
    ("regint(3) != 3", "0"),
    ("cint(-2**63) < cint(2**63 - 1)", "1"),
    ("regint(-7) // 2", "-3"),
    ("regint(-7) // -2", "3"),
    ("cint(-7) // 3", "-2"),
    ("7 // cint(2)", "3"),
    ("regint(-7) % 3", "-1"),
    ("regint(7) % -3", "1"),
    ("cint(-7) % 3", "2"),
    ("cint(7) % cint(-3)", "-2"),
    ("cint(-8) >> 1", "9223372036854775804"),
    ("regint(-7) >> 1", "-3"),
    ("regint(-9) >> regint(1)", "9223372036854775803"),
    ("1 << cint(4)", "16"),
    ("cint(6) & 3", "2"),
    ("cint(6) | 3", "7"),
    ("cint(6) ^ 3", "5"),
    ("~cint(5)", "9223372036854775802"),
    ("abs(cint(-5))", "5"),
    ("regint(0).if_else(4, 5)", "5"),
    ("regint(1).bit_xor(regint(0))", "1"),
    ("cint(3) ** 3", "27"),
    ("[1, 2, cint(3)]", "[1, 2, 3]"),
    ("(regint(1), 'x')", "[1, x]"),
    ("2.5", "2.5"),
    ("get_number_of_players()", "3"),
    ("program.bit_length", "63"),
    ("MemValue(3) + 4", "7"),
)

SECRET: tuple[Case, ...] = (
    ("sint(2**63).reveal()", "-9223372036854775808"),
    ("(s * sint(3)).reveal()", "[3, 6, 9]"),
    ("(2 * s - 1).reveal()", "[1, 3, 5]"),
    ("(10 - s).reveal()", "[9, 8, 7]"),
    ("(s == sint([1, 5, 3])).reveal()", "[1, 0, 1]"),
    ("(sint([5, 4]) != 5).reveal()", "[0, 1]"),
    ("sint(256).equal(0, 8).reveal()", "1"),
    ("edges.greater_than(0, 8).reveal()", "[0, 1, 1, 1, 1, 1]"),
    ("edges.less_than(0, 8).reveal()", "[1, 0, 0, 1, 1, 0]"),
    ("sint([5, 4, 6]).greater_equal(5, 16).reveal()", "[1, 0, 1]"),
    ("sint([5, 4, 6]).less_equal(sint(5), 16).reveal()", "[1, 1, 0]"),
    ("(sint([2**63 - 1, -2**63, 2**62, -2**62 - 1]) < 0).reveal()", "[0, 1, 0, 1]"),
    ("(sint(-2**63) < sint(1)).reveal()", "0"),  # the difference wraps
    ("(sint(-2**63) == sint(0)).reveal()", "1"),  # its low 63 bits are equal
    ("sint([-2**63, 2**63 - 1, -1, 1, 7]).right_shift(3, 64).reveal()", f"[{-(2**60)}, {2**60 - 1}, -1, 0, 0]"),
    ("(sint([-2**61, 2**61 - 1, -1, 1, 7]) >> 3).reveal()", f"[{-(2**58)}, {2**58 - 1}, -1, 0, 0]"),
    ("sint(-2**63).right_shift(63, 64).reveal()", "-1"),
    ("sint([-5, 5, -8]).mod2m(3).reveal()", "[3, 5, 0]"),
    ("(sint(-5) % 4).reveal()", "3"),
    ("(sint(-5) << 3).reveal()", "-40"),
    ("abs(sint([-5, 5, 0])).reveal()", "[5, 5, 0]"),
    ("(sint(3) ** 3).reveal()", "27"),
    ("sint(3).max(sint(5)).reveal()", "5"),
    ("(s > 1).if_else(s, -s).reveal()", "[-1, 2, 3]"),
    ("sint(1).if_else(sint(2), 3).reveal()", "2"),
    ("sint(1).bit_or(sint(0)).reveal()", "1"),
    ("[x.reveal() for x in sint(1).cond_swap(sint(3), sint(4))]", "[4, 3]"),
    ("s.sum().reveal()", "6"),
    ("sum(s).reveal()", "6"),
    ("s[1].reveal()", "2"),
    ("[x.reveal() for x in s[1:]]", "[2, 3]"),
    ("s.get_vector(1, 2).reveal()", "[2, 3]"),
    ("s.get_reverse_vector().reveal()", "[3, 2, 1]"),
    ("sint.concat([s, sint(4)]).reveal()", "[1, 2, 3, 4]"),
    ("sint.dot_product(s, s).reveal()", "14"),
    ("sint.dot_product([sint(1), sint(2)], [sint(3), sint(4)]).reveal()", "11"),
    ("sint.dot_product([sint([1, 2]), sint([3, 4])], [sint([5, 6]), sint([7, 8])]).reveal()", "[26, 44]"),
    ("(MemValue(s) + 1).reveal()", "[2, 3, 4]"),
    ("(cint([1, 2, 3]) * s).reveal()", "[1, 4, 9]"),
    ("len(s)", "3"),
)

FIXED: tuple[Case, ...] = (
    *((f"cfix({x})", shown) for x, shown in [(0, "0"), (1, "1"), (-0.25, "-0.25"), (3.14159, "3.14159")]),
    *((f"cfix({x})", shown) for x, shown in [(12345.678, "12345.7"), (-0.0001, "-0.000106812"), (2e-5, "1.52588e-05")]),
    *((f"cfix({x})", shown) for x, shown in [(-16383.99, "-16384"), (123456, "123456"), (1234567, "1.23457e+06")]),
    ("cfix(1.5) * cfix(-2.25)", "-3.375"),
    ("cfix(-1.3) * cfix(-2.7)", "3.50999"),
    ("cfix(1.3) * cfix(-2.7)", "-3.50999"),
    ("cfix(2**15) * cfix(2**15)", "NaN"),
    ("2 - cfix(0.25)", "1.75"),
    ("cfix(-1) < 0", "1"),
    ("cint(cfix(2.5))", "3"),
    ("cint(cfix(-2.5))", "-2"),
    ("(x + 1).reveal()", "2.10001"),
    ("(2 - y).reveal()", "2.7"),
    ("(x * y).v.reveal()", "-50463"),
    ("(x * 3).reveal()", "3.30002"),
    ("(x * -0.3).reveal()", "-0.330002"),
    ("(x * cfix(0.3)).reveal()", "0.330002"),
    ("(cfix(0.3) * sint(3)).reveal()", "0.900009"),
    ("(0.5 < x).reveal()", "1"),
    ("(cfix(2) <= y).reveal()", "0"),
    ("(x == y).reveal()", "0"),
    ("(x < y).if_else(x, y).reveal()", "-0.699997"),
    ("sint(sfix(2.5)).reveal()", "3"),
    ("sint(sfix(-2.5)).reveal()", "-2"),
    ("sfix(sint(5)).reveal()", "5"),
    ("sfix._new(sint(98304)).reveal()", "1.5"),
    ("abs(sfix(-2.5)).reveal()", "2.5"),
    ("(A[:] * A[:]).v.reveal()", "[655, 2621, 5898, 1048576]"),
    ("(A * 2).reveal()", "[0.200012, -0.399994, 0.600006, 8]"),
    ("sum(A).reveal()", "4.20001"),
    ("A.dot(A).reveal()", "16.14"),
    ("sfix.dot_product(A, A).reveal()", "16.14"),
    ("M.dot(v)[0].v.reveal()", "-91750"),  # rounded once
    ("M.direct_mul(v).v.reveal()", "[-91750, -180226]"),
    ("(M * N).reveal()", "[[-0.800018, -0.800018], [-1.10004, -0.800049]]"),
    ("M.transpose().reveal()", "[[0.100006, 0.399994], [0.199997, 0.5], [-0.300003, -0.600006]]"),
)

PRELUDES = {
    "public": "",
    "secret": "s = sint([1, 2, 3])\nedges = sint([1000, -1000, 255, 256, -256, -257])\n",
    "fixed": (
        "sfix.set_precision(16, 47)\ncfix.set_precision(16, 47)\nsfix.round_nearest = True\n"
        "x, y = sfix(1.1), sfix(-0.7)\n"
        "A = sfix.Array(4)\nA.assign([0.1, -0.2, 0.3, 4])\n"
        "M = sfix.Matrix(2, 3)\nM.assign_vector(sfix([0.1, 0.2, -0.3, 0.4, 0.5, -0.6]))\n"
        "v = sfix.Array(3)\nv.assign([1.5, -2.5, 3.5])\n"
        "N = sint.Matrix(3, 2)\nN.assign_vector(sint([1, 2, 3, 4, 5, 6]))\n"
    ),
}


def source(prelude: str, cases: tuple[Case, ...]) -> str:
    return PRELUDES[prelude] + "".join(f"print_ln('%s', {expression})\n" for expression, _ in cases)


@pytest.mark.parametrize(("prelude", "cases"), [("public", PUBLIC), ("secret", SECRET), ("fixed", FIXED)])
def test_prints_what_mp_spdz_prints(
    run_source: Callable[..., RunResult], prelude: str, cases: tuple[Case, ...]
) -> None:
    lines = run_source(source(prelude, cases)).lines
    printed = [(expression, line) for (expression, _), line in zip(cases, lines, strict=True)]
    assert printed == list(cases)
