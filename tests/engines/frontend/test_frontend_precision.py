"""Fixed-point numbers of a precision of their own, put into containers and taken out again, revealed or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpc_tamper.core.errors import ProgramError
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import load_program, run_program

SECRETS = "sfix.set_precision(10, 40)\nsfix.round_nearest = True\n"  # cfix keeps MP-SPDZ's 16 of 31 bits
ARRAY = SECRETS + "a = sfix.Array(3)\na.assign([1.5, -2.25, 3])\n"
MATRIX = SECRETS + "M = sfix.Matrix(2, 2)\nM.assign([[1.5, -2], [0.25, 3]])\n"
FINE = "x = sfix([1.5, -2.25], 40, 20)\n"  # of 20 fraction bits, where the default is 10


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[str, str], str]:
    """What a program prints of an expression."""

    def run(source: str, expression: str) -> str:
        path = tmp_path / "precision.mpc"
        path.write_text(f"{source}print_str('%s', {expression})\n")
        machine = ClearMachine({}, {})
        run_program(load_program(path), (), machine)
        return "".join(machine.text)

    return run


@pytest.mark.parametrize(
    ("source", "expression", "shown"),
    [
        (ARRAY, "a.reveal()", "[1.5, -2.25, 3]"),
        (ARRAY, "a.reveal()[1]", "-2.25"),
        (ARRAY, "a.reveal()[0:3:2]", "[1.5, 3]"),
        (ARRAY, "a.reveal().get_part(1, 2)", "[-2.25, 3]"),
        (ARRAY, "a.reveal()[:] + cfix(0.5, 40, 10)", "[2, -1.75, 3.5]"),
        (ARRAY, "a.reveal().same_shape().assign(a.reveal())", "[1.5, -2.25, 3]"),
        (ARRAY, "Array.create_from(a.reveal())", "[1.5, -2.25, 3]"),
        (ARRAY, "a.reveal().concat(a.reveal())", "[1.5, -2.25, 3, 1.5, -2.25, 3]"),
        (ARRAY, "(a.reveal()[0].f, a.reveal()[0].k)", "[10, 40]"),
        (ARRAY, "a.reveal().expand_to_vector(1, 2)", "[-2.25, -2.25]"),
        (ARRAY, "MemValue(a.reveal()[:])", "[1.5, -2.25, 3]"),
        (MATRIX, "M.reveal()", "[[1.5, -2], [0.25, 3]]"),
        (MATRIX, "M.reveal()[1]", "[0.25, 3]"),
        (MATRIX, "M.reveal().transpose()", "[[1.5, 0.25], [-2, 3]]"),
        (MATRIX, "M.reveal().get_column(1)", "[-2, 3]"),
        (MATRIX, "(M.reveal() + M.reveal())", "[[3, -4], [0.5, 6]]"),
        (MATRIX, "M.dot(M).reveal()", "[[1.75, -9], [1.125, 8.5]]"),
    ],
)
def test_what_is_revealed_has_the_precision_of_the_secrets(
    printed: Callable[[str, str], str], source: str, expression: str, shown: str
) -> None:
    assert printed(source, expression) == shown


@pytest.mark.parametrize(
    ("source", "expression", "shown"),
    [
        ("a = Array.create_from(x)\n", "a.reveal()", "[1.5, -2.25]"),
        ("a = Array.create_from(x)\n", "(a[0].f, a[0].k)", "[20, 40]"),
        ("a = Array.create_from(x)\na[0] = 0.5\n", "a.reveal()", "[0.5, -2.25]"),
        ("a = Array.create_from(x)\na[0] = sfix(0.5)\n", "a.reveal()", "[0.5, -2.25]"),  # takes the array's precision
        ("a = Array.create_from(x)\na.assign_all(0.5)\n", "a.reveal()", "[0.5, 0.5]"),
        ("a = Array.create_from(x)\na[:] = sfix([0.5, 4])\n", "(a[1].f, a[1].reveal())", "[10, 4]"),  # all is replaced
        ("a = sfix.Array(2)\na[1] = x[1]\n", "a.reveal()", "[0, -2.25]"),
        ("a = sfix.Array(2)\na.assign([2, 3])\na[1] = x[1]\n", "a.reveal()", "[2, -2.25]"),
        ("M = sfix.Matrix(1, 2)\nM[0] = x\nN = M.transpose()\n", "N.reveal()", "[1.5, -2.25]"),
        ("M = sfix.Matrix(2, 2)\nM.set_column(1, x)\n", "M.reveal()", "[[0, 1.5], [0, -2.25]]"),
        ("M = Matrix.create_from([x, x])\n", "M.dot(Array.create_from(x)).reveal()", "[7.3125, 7.3125]"),
    ],
)
def test_a_container_has_the_precision_of_what_it_holds(
    printed: Callable[[str, str], str], source: str, expression: str, shown: str
) -> None:
    assert printed(SECRETS + FINE + source, expression) == shown


def test_matrices_of_different_precision_are_not_multiplied(printed: Callable[[str, str], str]) -> None:
    with pytest.raises(ProgramError, match=r"line 6: expected 20 fraction bits, got 10"):
        printed(SECRETS + FINE + "M, b = Matrix.create_from([x]), sfix.Array(2)\nb.assign([1, 2])\n", "M.dot(b)")


def test_a_precision_set_later_is_that_of_what_is_written_later(printed: Callable[[str, str], str]) -> None:
    source = ARRAY + "sfix.set_precision(12, 40)\nb = sfix.Array(2)\nb.assign([0.5, 7])\n"
    assert printed(source, "(a.reveal(), b.reveal(), b[0].f)") == "[[1.5, -2.25, 3], [0.5, 7], 12]"
