"""What MP-SPDZ refuses, or compiles to something else than eager Python would do, is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_tamper.core.errors import (
    CompileTimeState,
    DataError,
    ProgramCrash,
    ProgramError,
    ShapeError,
    ShareFileError,
    TamperError,
    UnsupportedName,
)
from mpc_tamper.core.generators import other_threads_draw
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import load_program, run_program

PRELUDE = "s = sint(5)\nc = s.reveal()\na = sint.Array(3)\nl = [1, 2, 3]\nM = sint.Matrix(2, 3)\n"
FIRST = PRELUDE.count("\n") + 1


def loop(body: str, header: str = "@for_range(2)") -> str:
    return f"{header}\ndef _(i):\n" + "".join(f"    {line}\n" for line in body.splitlines())


RUN_TIME_VALUES = {
    "truth of sint": ("if s: pass", "truth value"),
    "truth of cint": ("if c > 3: pass", "truth value"),
    "truth of regint": ("x = 1 if regint(1) else 2", "truth value"),
    "truth of sfix": ("if sfix(1): pass", "truth value"),
    "truth of cfix": ("while cfix(1): pass", "truth value"),
    "truth of MemValue": ("if MemValue(1): pass", "truth value"),
    "truth of an array": ("if a: pass", "truth value"),
    "and": ("x = (c > 1) and (c < 9)", "truth value"),
    "not": ("x = not c", "truth value"),
    "membership": ("x = c in [1, 2]", "truth value"),
    "python min": ("x = min(c, cint(4))", "truth value"),
    "int()": ("x = int(c)", "Python int"),
    "float()": ("x = float(c)", "Python float"),
    "list index": ("x = l[c]", "list's index"),
    "list index by loop": (loop("x = l[i]"), "list's index"),
    "range()": ("for i in range(c): pass", "Python int"),
    "vector index": ("x = sint([1, 2])[regint(0)]", "Array"),
    "secret index": ("x = a[s]", "public index"),
    "length of an array": ("b = sint.Array(regint(3))", "compile-time length"),
    "length of a slice": ("b = a[0:regint(2)]", "get_vector"),
    "secret condition": ("@if_(s > 3)\ndef _(): pass", "secret"),
    "secret condition of if_e": ("@if_e(s)\ndef _(): pass", "secret"),
    "run-time timer": ("start_timer(regint(1))", "compile-time number"),
}

PYTHON_STATE = {
    "global": (loop("global n\nn = i"), "'n'"),
    "global rebound": (loop("global l\nl = [i]"), "'l'"),
    "global register": (loop("global s\ns = s + 1"), "'s'"),
    "list append": (loop("l.append(i)"), "l (list)"),
    "list item": (loop("l[0] = i"), "l (list)"),
    "nested list": ("d = {'k': [[1]]}\n" + loop("d['k'][0].append(2)"), "list"),
    "dict": ("d = {}\n" + loop("d['x'] = 1"), "'x'"),
    "set": ("d = set()\n" + loop("d.add(3)"), "set"),
    "object": ("class C: pass\nd = C()\n" + loop("d.x = 1"), "'x'"),
    "nonlocal": (
        "def f():\n    n = 0\n    @for_range(2)\n    def _(i):\n        nonlocal n\n        n += 1\nf()",
        "'n'",
    ),
    "closure's list": (
        "def f():\n    n = []\n    @for_range(2)\n    def _(i):\n        n.append(1)\nf()",
        "n (list)",
    ),
    "through a function": ("def g():\n    l.append(1)\n" + loop("g()"), "l (list)"),
    "for_range_opt": (loop("l.append(i)", "@for_range_opt(2)"), "l (list)"),
    "for_range_parallel": (loop("l.append(i)", "@for_range_parallel(2, 2)"), "l (list)"),
    "for_range_multithread": (loop("l.append(i)", "@for_range_multithread(2, 1, 2)"), "l (list)"),
    "for_range_opt_multithread": (loop("l.append(i)", "@for_range_opt_multithread(2, 2)"), "l (list)"),
    "while_do": ("@while_do(lambda: c > 4)\ndef _():\n    l.append(1)\n    c.update(0)", "l (list)"),
    "if_": ("@if_(c > 4)\ndef _():\n    l.append(1)", "l (list)"),
    "if_e": ("@if_e(c > 4)\ndef _():\n    l.append(1)\n@else_\ndef _():\n    pass", "l (list)"),
    "else_": ("@if_e(c > 5)\ndef _():\n    pass\n@else_\ndef _():\n    l.append(1)", "l (list)"),
    "global in a branch not taken": ("@if_(c > 5)\ndef _():\n    global n\n    n = 1", "'n'"),
    "global in a loop of no rounds": (loop("global n\nn = 1", "@for_range(0)"), "'n'"),
    "global through a function": ("def g():\n    global n\n    n = 1\n" + loop("g()"), "'n'"),
    "cell through a function": (
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n"
        "    @for_range(2)\n    def _(i):\n        g()\nf()",
        "variable n",
    ),
    "in a later round of a Python loop": (
        "for n in range(3):\n    @for_range(2)\n    def _(i):\n        if n == 2: l.append(1)",
        "l (list)",
    ),
    "in an inner loop": (
        "@for_range(2)\ndef _(i):\n    @for_range(2)\n    def _(j):\n        l.append(1)",
        "l (list)",
    ),
    "condition of while_do": ("@while_do(lambda: l.pop() > 1)\ndef _():\n    pass", "l (list)"),
    "class attribute": ("class C: n = 0\n" + loop("C.n += 1"), "C 'n'"),
    "class attribute through an instance": ("class C: n = []\nd = C()\n" + loop("d.n.append(1)"), "list"),
    "slot": ("class C:\n    __slots__ = ('n',)\nd = C()\nd.n = 1\n" + loop("d.n = 2"), "d 'n'"),
    "function attribute": ("def f(): f.n += 1\nf.n = 0\n" + loop("f()"), "f 'n'"),
    "attribute of another's instance": (
        "from types import SimpleNamespace\nd = SimpleNamespace(n=0)\n" + loop("d.n += 1"),
        "d 'n'",
    ),
    "list in another's instance": (
        "from types import SimpleNamespace\nd = SimpleNamespace(n=[])\n" + loop("d.n.append(1)"),
        "d.n (list)",
    ),
    "module attribute": ("import string\n" + loop("string.digits += '1'"), "string 'digits'"),
    "bound method": ("add = [].append\n" + loop("add(1)"), "add (list)"),
    "partial": ("from functools import partial\nadd = partial([].append, 1)\n" + loop("add()"), "add (list)"),
    "deque": ("from collections import deque\nd = deque([1, 2])\n" + loop("d.popleft()"), "d (deque)"),
    "array.array": ("from array import array\nd = array('q', [1])\n" + loop("d[0] += 1"), "d (array)"),
    "bytearray": ("d = bytearray(2)\n" + loop("d[0] += 1"), "d (bytearray)"),
    "ndarray": ("import numpy as np\nd = np.zeros(3)\n" + loop("d[1] += 1"), "d (ndarray)"),
    "ndarray of no dimension": ("import numpy as np\nd = np.array(3)\n" + loop("d[()] += 1"), "d (ndarray)"),
    "strided ndarray": ("import numpy as np\nd = np.eye(4)[::2, 1:]\n" + loop("d[0] = 2"), "d (ndarray)"),
    "ndarray of objects": ("import numpy as np\nd = np.array([[], 1], object)\n" + loop("d[1] = 2"), "d (ndarray)"),
    "count": ("import itertools\nd = itertools.count()\n" + loop("x = next(d)"), "d (count)"),
    "iterator": ("d = iter([1, 2])\n" + loop("x = next(d)"), "d (list_iterator)"),
    "generator": ("d = (1 for _ in range(9))\n" + loop("x = next(d)"), "d (generator)"),
    "generator through a function": ("d = iter([1, 2])\ndef f(): return next(d)\n" + loop("x = f()"), "iterator"),
    "iterator in an instance": (
        "class C:\n    def __init__(self): self.n = iter([1, 2])\nd = C()\n" + loop("next(d.n)"),
        "d.n (list_iterator)",
    ),
    "iterator in a closure": (
        "def f():\n    n = iter([1, 2])\n    @for_range(2)\n    def _(i):\n        next(n)\nf()",
        "n (list_iterator)",
    ),
    "random": ("import random\nrandom.seed(1)\n" + loop("x = random.randrange(9)"), "random"),
    "random imported in the body": (loop("import random\nx = random.random()"), "random"),
    "random.Random": ("import random\nd = random.Random(1)\n" + loop("x = d.random()"), "d (Random)"),
    "numpy.random": ("import numpy as np\n" + loop("x = np.random.rand()"), "numpy.random"),
    "numpy's Generator": (
        "import numpy as np\nd = np.random.default_rng(1)\n" + loop("x = d.integers(9)"),
        "d (Generator)",
    ),
    "numpy's RandomState": (
        "import numpy as np\nd = np.random.RandomState(1)\n" + loop("x = d.rand()"),
        "d (RandomState)",
    ),
    "returned value": (loop("return i"), "return value"),
    "returned value of a branch": ("@if_(c > 4)\ndef _():\n    return 1", "return value"),
    "register of another thread": (
        "x = regint(0)\n" + loop("x.update(1)", "@for_range_opt_multithread(2, 2)"),
        "MemValue",
    ),
}

UNSUPPORTED = {
    "name": ("x = sfloat(1)", "sfloat"),
    "function": ("x = map_sum_opt(1, 2, [sint])", "map_sum_opt"),
    "method of a value": ("x = s.bit_decompose()", "sint.bit_decompose"),
    "method of a type": ("x = sint.get_random_bit()", "sint.get_random_bit"),
    "method of an array": ("a.sort()", "Array.sort"),
    "method of a matrix": ("M.diag()", "Matrix.diag"),
    "program option": ("program.use_split(3)", "ProgramFacts.use_split"),
    "module of the compiler": ("from Compiler import ml", "Compiler"),
    "module of the compiler inside a function": ("def f():\n    import Compiler.sorting\nf()", "Compiler.sorting"),
    "secret division": ("x = s / 2", "division"),
    "secret shift amount": ("x = s >> sint(1)", "right shift"),
    "input of sfix": ("x = sfix.get_input_from(0)", "input of sfix"),
    "regint of a list": ("x = regint([1, 2])", "regint.Array"),
    "break in an optimised loop": (loop("break_loop()", "@for_range_opt(2)"), "break_loop"),
}

SHAPES = {
    "vectors": ("x = sint([1, 2]) + sint([1, 2, 3])", "2 and 3"),
    "public vectors": ("x = cint([1, 2]) * cint([1, 2, 3])", "2 and 3"),
    "products": ("x = sint([1, 2]) * sint([1, 2, 3])", "2 and 3"),
    "comparisons": ("x = sint([1, 2]) < sint([1, 2, 3])", "2 and 3"),
    "update": ("s.update(sint([1, 2]))", "update"),
    "matrix product": ("x = M * a.get_part(0, 2)", "does not fit"),
    "transposed product": ("x = M.direct_trans_mul(a)", "does not fit"),
    "slice of one value": ("a[:] = 9", "assign_all"),
    "slice too short": ("a[0:2] = sint([1, 2, 3])", "2 elements"),
    "vector to one element": ("a[0] = sint([1, 2])", "one value"),
    "too long": ("a.assign_vector(sint([1, 2, 3, 4]))", "3 elements"),
    "part beyond the end": ("x = a.get_part(2, 2)", "1 elements"),
    "negative slice": ("x = a[-2:]", "ends from 0"),
    "empty slice": ("x = a[2:2]", "at least one"),
    "slice of a matrix": ("x = M[0:1]", "get_part"),
    "row": ("M[0] = [1, 2]", "3 elements"),
    "vector to all": ("a.assign_all(sint([1, 2, 3]))", "one value"),
    "sum of matrices": ("x = M + sint.Matrix(3, 2)", "(2, 3)"),
    "dot product": ("x = sint.dot_product([s], [s, s])", "equal length"),
}

OTHERS = {
    "crash": ("crash()", ProgramCrash, "crash()"),
    "runtime_error": ("runtime_error('wrong %s', c)", ProgramCrash, "wrong 5"),
    "runtime_error_if": ("runtime_error_if(c == 5, 'wrong %s', c)", ProgramCrash, "wrong 5"),
    "run-time index": ("x = a[regint(3)]", ProgramCrash, "overflow: 3"),
    "compile-time index": ("x = a[3]", ProgramError, "IndexError"),
    "print a secret": ("print_ln('%s', s)", ProgramError, "reveal()"),
    "print too little": ("print_ln('%s %s', c)", ProgramError, "2 values"),
    "secret to public": ("x = cint(s)", ProgramError, "reveal()"),
    "float to integer": ("x = sint(2.5)", ProgramError, "float"),
    "wide integer": ("x = cint(2**64)", ProgramError, "2^64"),
    "wide comparison": ("x = s.less_than(0, 64)", ProgramError, "1 to 63"),
    "wide shift": ("x = s.right_shift(64, 64)", ProgramError, "0 to 63"),
    "division by zero": ("x = c // 0", ProgramError, "zero"),
    "random rounding": ("x = sfix(1) * sfix(2)", ProgramError, "round_nearest"),
    "wide fixed point": (
        "sfix.round_nearest = True\nsfix.set_precision(20, 50)\nx = sfix(1) * sfix(2)",
        ProgramError,
        "set_precision",
    ),
    "number out of fixed point": ("x = sfix(2**20)", ProgramError, "set_precision"),
    "timer running": ("start_timer(4)\nstart_timer(4)", CompileTimeState, "timer 4"),
    "timer 0": ("start_timer(0)", CompileTimeState, "timer 0"),
    "timer stopped": ("stop_timer(4)", CompileTimeState, "timer 4"),
    "else_ alone": ("@else_\ndef _(): pass", ProgramError, "@if_e"),
    "missing input": ("x = sint.get_input_from(2)", DataError, "owner 2"),
    "python error": ("raise ValueError('rows: expected a number')", ProgramError, "ValueError: rows"),
    "python exit": ("raise SystemExit(3)", ProgramError, "SystemExit"),
}


def refused(tmp_path: Path, code: str, error: type[TamperError]) -> str:
    path = tmp_path / "refused.mpc"
    path.write_text(PRELUDE + code)
    program = load_program(path)
    with pytest.raises(error) as caught:
        run_program(program, (), ClearMachine(program.sites, {}))
    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize(("code", "words"), RUN_TIME_VALUES.values(), ids=RUN_TIME_VALUES)
def test_run_time_values_in_compile_time_places(tmp_path: Path, code: str, words: str) -> None:
    message = refused(tmp_path, code, CompileTimeState)
    assert words in message
    assert "refused.mpc, line" in message


@pytest.mark.parametrize(("code", "words"), PYTHON_STATE.values(), ids=PYTHON_STATE)
def test_python_state_changed_in_a_body(tmp_path: Path, code: str, words: str) -> None:
    message = refused(tmp_path, code, CompileTimeState)
    assert words in message
    assert "refused.mpc, line" in message


@pytest.mark.parametrize(("code", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_names_outside_the_supported_part(tmp_path: Path, code: str, words: str) -> None:
    message = refused(tmp_path, code, UnsupportedName)
    assert words in message
    assert "--engine mp-spdz" in message
    assert "refused.mpc, line" in message


@pytest.mark.parametrize(("code", "words"), SHAPES.values(), ids=SHAPES)
def test_shapes_that_do_not_fit(tmp_path: Path, code: str, words: str) -> None:
    message = refused(tmp_path, code, ShapeError)
    assert words in message
    assert f"refused.mpc, line {FIRST}" in message


@pytest.mark.parametrize(("code", "error", "words"), OTHERS.values(), ids=OTHERS)
def test_other_refusals(tmp_path: Path, code: str, error: type[TamperError], words: str) -> None:
    message = refused(tmp_path, code, error)
    assert words in message
    assert "refused.mpc, line" in message or error is DataError


def test_the_line_is_where_the_program_failed(tmp_path: Path) -> None:
    message = refused(tmp_path, "def f(x):\n    y = x\n    return bool(y)\n\nf(c)\n", CompileTimeState)
    assert f"refused.mpc, line {FIRST + 2}:" in message


def test_an_open_branch(tmp_path: Path) -> None:
    assert "@else_" in refused(tmp_path, "@if_e(c > 4)\ndef _():\n    pass\n", ProgramError)


def test_a_share_file_that_is_too_short(tmp_path: Path) -> None:
    assert "Persistence not found" in refused(tmp_path, "a.read_from_file(0)", ShareFileError)
    assert "got a file of 3" in refused(tmp_path, "a.write_to_file()\na.read_from_file(1)", ShareFileError)


def test_python_state_that_stays_is_no_matter(tmp_path: Path) -> None:
    """Reading Python state in a body, and changing run-time values and local variables, is allowed."""
    path = tmp_path / "allowed.mpc"
    path.write_text(
        PRELUDE
        + "values = [sint(1), sint(2)]\nd = {'k': a}\n"
        + "import functools, pathlib, re\nimport numpy as np\nfrom random import Random\n"
        + "unused = iter([1])\nunused_too = (n for n in l)\nrng = Random(1)\nk = np.arange(6).reshape(2, 3)\n"
        + "here = pathlib.Path('x')\n@functools.lru_cache\ndef two(): return 2\n"
        + loop("str(here)\nre.compile('x[a]y')\nfor n in l: two()\nx = int(k[1, 2]) + sum(j for j in l)")
        + loop("local = [i]\nlocal.append(l[0])\nd['k'][i] = values[1] + l[2]\ns.update(s + 1)\nM[0][i] = i")
        + "print_ln('%s %s', a.get_part(0, 2).reveal(), s.reveal())"
    )
    program = load_program(path)
    machine = ClearMachine(program.sites, {})
    run_program(program, (), machine)
    assert "".join(machine.text) == "[5, 5] 7\n"


def test_where_other_threads_draw_a_change_of_a_global_generator_is_not_the_bodys(tmp_path: Path) -> None:
    path = tmp_path / "draws.mpc"
    path.write_text("import random\nimport numpy as np\n" + loop("random.random()\nnp.random.rand()"))
    program = load_program(path)
    with other_threads_draw():
        run_program(program, (), ClearMachine(program.sites, {}))
    with pytest.raises(CompileTimeState):
        run_program(program, (), ClearMachine(program.sites, {}))
