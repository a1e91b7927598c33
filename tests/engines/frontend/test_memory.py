"""Large secrets are kept as the machine returned them: no copy for input, products and views of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.runs.spec import InputFiles


class Watched(ClearMachine):
    """Remembers what input returned and what the products were given."""

    def __init__(self, inputs: dict[int, InputFiles]) -> None:
        super().__init__({}, inputs)
        self.inputs: list[np.ndarray] = []
        self.factors: list[np.ndarray] = []
        self.shared_sizes: list[int] = []

    def share_public(self, values: np.ndarray) -> np.ndarray:
        self.shared_sizes.append(values.size)
        return super().share_public(values)

    def input(self, owner: int, shape: tuple[int, ...], *, binary: bool) -> np.ndarray:
        self.inputs.append(super().input(owner, shape, binary=binary))
        return self.inputs[-1]

    def matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.factors.append(x)
        return super().matmul(x, y)

    def trans_matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.factors.append(x)
        return super().trans_matmul(x, y)


@pytest.fixture
def watch(tmp_path: Path) -> Callable[[str], Watched]:
    """Runs a program where owner 0 has the numbers 0..99 in binary."""

    def run(source: str) -> Watched:
        path, data = tmp_path / "memory.mpc", tmp_path / "data"
        path.write_text(source)
        np.arange(100, dtype="<i8").tofile(data)
        program = load_program(path)
        machine = Watched({0: InputFiles(binary=data)})
        run_program(program, (), machine)
        return machine

    return run


INPUT = "X = sint.Matrix(20, 5)\nX.input_from(0, binary=True)\nw = sint.Matrix(5, 1)\nw.assign_all(1)\n"


def test_input_and_products_copy_nothing(watch: Callable[[str], Watched]) -> None:
    machine = watch(
        INPUT + "y = X.direct_mul(w)\ne = sint.Matrix(20, 1)\ne.assign_vector(y)\nX.direct_trans_mul(e)\n"
        "b = X.get_part(regint(4), 8)\nb.direct_mul(w)\nprint_ln('%s', y[1].reveal())"
    )
    assert [factor.shape for factor in machine.factors] == [(20, 5), (20, 5), (8, 5)]
    assert all(np.shares_memory(factor, machine.inputs[0]) for factor in machine.factors)
    assert 100 not in machine.shared_sizes  # no zeros were made for X first
    assert machine.text == ["35\n"]


def test_writing_a_part_leaves_the_input_as_it_was(watch: Callable[[str], Watched]) -> None:
    machine = watch(INPUT + "X[0][0] = 77\nX.direct_mul(w)\nprint_ln('%s', X[0].reveal())")
    assert machine.inputs[0][0] == 0
    assert not np.shares_memory(machine.factors[0], machine.inputs[0])
    assert machine.text == ["[77, 1, 2, 3, 4]\n"]


def test_vectors_keep_their_values_when_memory_is_written(watch: Callable[[str], Watched]) -> None:
    machine = watch(
        "a = sint.Array(3)\na.assign([1, 2, 3])\nwhole, part, element = a[:], a.get_vector(1, 2), a[1]\n"
        "a[1] = 20\na.assign_vector(sint([30, 40]), 1)\n"
        "print_ln('%s %s %s %s', whole.reveal(), part.reveal(), element.reveal(), a.reveal())"
    )
    assert machine.text == ["[1, 2, 3] [2, 3] 2 [1, 30, 40]\n"]


def test_assigned_vectors_do_not_follow_the_array(watch: Callable[[str], Watched]) -> None:
    machine = watch(
        "v = sint([1, 2])\na = sint.Array(2)\nb = sint.Array(2)\na.assign(v)\nb.assign(a)\na[0] = 9\n"
        "print_ln('%s %s %s', v.reveal(), a.reveal(), b.reveal())"
    )
    assert machine.text == ["[1, 2] [9, 2] [1, 2]\n"]


def test_unwritten_memory_is_zero(watch: Callable[[str], Watched]) -> None:
    assert watch("print_ln('%s', sint.Matrix(2, 2).reveal())").text == ["[[0, 0], [0, 0]]\n"]


def test_mem_values_are_no_aliases(watch: Callable[[str], Watched]) -> None:
    machine = watch(
        "x = sint(1)\nm = MemValue(x)\nn = MemValue(m)\nx.update(5)\nm.write(m + 1)\n"
        "print_ln('%s %s %s', x.reveal(), m.reveal(), n.reveal())"
    )
    assert machine.text == ["5 2 1\n"]


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (3, 3)])
@pytest.mark.parametrize("kind", ["sint", "cint"])
def test_a_transpose_does_not_change_with_what_it_was_made_of(tmp_path, shape, kind):
    path = tmp_path / "transpose.mpc"
    opened = ".reveal()" if kind == "sint" else ""
    path.write_text(
        f"x = {kind}.Matrix{shape}\nx.assign_all(4)\nx[0][0] = 4\nt = x.transpose()\nx[0][0] = 7\nt[0][0] += 1\n"
        f"print_ln('%s %s', x[0][0]{opened}, t[0][0]{opened})\n"
    )
    program = load_program(path)
    machine = ClearMachine(program.sites, {})
    run_program(program, (), machine)
    assert "".join(machine.text).split() == ["7", "5"]
