"""Every container and operator against plain Python numbers, by property, and against MP-SPDZ's compiler.

What a case does not offer it refuses; a value that it gives is right, and as long as its longest operand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import ProgramError, UnsupportedName
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import Program, run_program
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import RunSpec
from tests.support.operator_cases import FIXED, SCALARS, answers, cases, made, program

# MP-SPDZ makes these of a vector an int of Python; here a vector keeps its size.
ONE_ZERO = {"a * 0", "0 * a", "a % 1", "a.mod2m(0)"}
# Of these the language's answer is not Python's: words are unsigned, quotients are rounded toward zero.
OWN_RULES = re.compile(r"\.|~|//|%|>>|&|\||\^")

Numbers = Sequence[int | float]


def answered(engine: Engine, kind: str, x: Numbers, y: Numbers, folder: Path) -> dict[str, list[str]]:
    path = folder / "operators.mpc"
    path.write_text(program([kind], x, y))
    return answers(engine.run(RunSpec(path, run_dir=folder / "run", timeout_seconds=300)).lines, [kind], x, y)


def expected(kind: str, expression: str, values: dict[str, str], x: Numbers, y: Numbers) -> list[int | float] | None:
    """Element by element, in Python's numbers; None where the language has rules of its own."""
    if OWN_RULES.search(expression) or ("<<" in expression and kind in FIXED):
        return None
    left = list(x)  # of several numbers in every form, else of one
    scalars = {repr(y[0]), made(kind, SCALARS["scalar"], y)}
    right = [y[0]] if len(x) == 1 or values.get("b") in scalars else list(y)
    size = max(len(left), len(right) if re.search(r"\bb\b", expression) else 1)
    left, right = (part * (size // len(part)) if len(part) == 1 else part for part in (left, right))
    try:
        return [eval(expression, {"abs": abs, "a": a, "b": b}) for a, b in zip(left, right, strict=True)]
    except ValueError:  # a negative shift
        return None


def compare(kind: str, x: Numbers, y: Numbers, folder: Path) -> None:
    found = answered(ClearEngine(), kind, x, y, folder)
    compared = 0
    for name, expression, values in cases([kind], x, y):
        right = expected(kind, expression, values, x, y) if name in found else None
        if right is None:
            continue
        compared += 1
        assert len(found[name]) == len(right), f"{name}: {found[name]}, not {right}"
        for text, value in zip(found[name], right, strict=True):
            if kind in FIXED:
                assert float(text) == pytest.approx(float(value), abs=2**-12, rel=1e-5), f"{name}: {found[name]}"
            else:
                assert (int(text) - int(value)) % 2**64 == 0, f"{name}: {found[name]}, not {right}"
    assert compared > 100


integers = st.integers(-(2**12), 2**12)
fractions = st.integers(-(2**7), 2**7).map(lambda n: n / 16)
UNBOUNDED = settings(max_examples=2, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])


@UNBOUNDED
@given(data=st.data())
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("kind", ["sint", "cint"])
def test_integers(kind: str, size: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    numbers = st.lists(integers, min_size=size, max_size=size)
    compare(kind, data.draw(numbers), data.draw(numbers), tmp_path_factory.mktemp("operators"))


@UNBOUNDED
@given(x=integers, y=integers)
def test_clear_registers(x: int, y: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare("regint", [x], [y], tmp_path_factory.mktemp("operators"))


@UNBOUNDED
@given(data=st.data())
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("kind", FIXED)
def test_fixed_point(kind: str, size: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    numbers = st.lists(fractions, min_size=size, max_size=size)
    compare(kind, data.draw(numbers), data.draw(numbers), tmp_path_factory.mktemp("operators"))


@pytest.mark.mp_spdz
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "x", "y"),
    [
        ("sint", [3, -4, 1], [2, -1, 5]),
        ("sint", [-7], [3]),
        ("cint", [3, 4, 1], [2, 1, 5]),  # a public shift by less than 0 crashes MP-SPDZ's parties
        ("cint", [7], [3]),
        ("regint", [3], [2]),
        ("regint", [7], [3]),
        ("sfix", [1.5, -0.25, 0.0], [2.75, -1.0, 0.5]),
        ("cfix", [1.5, -0.25, 0.0], [2.75, -1.0, 0.5]),
    ],
)
def test_mp_spdz_gives_the_same(kind: str, x: list[Any], y: list[Any], tmp_path: Path) -> None:
    """Where both answer. One program for all cases, as compiling takes long."""
    (tmp_path / "clear").mkdir()
    (tmp_path / "mp-spdz").mkdir()
    ours = answered(ClearEngine(), kind, x, y, tmp_path / "clear")
    theirs = answered(get_engine(EngineName.MP_SPDZ), kind, x, y, tmp_path / "mp-spdz")
    both = [name for name in ours if name in theirs]
    different = {
        name: (ours[name], theirs[name])
        for name in both
        if ours[name] != theirs[name] and not (theirs[name] == ["0"] and name.split(": ")[-1] in ONE_ZERO)
    }
    assert not different
    assert len(both) > 200


TYPES = {
    **{name: f"{name}(3)" for name in ("sint", "cint", "regint")},
    **{name: f"{name}(1.5)" for name in ("sfix", "cfix")},
    **{"array": "sint.Array(2)", "matrix": "sint.Matrix(2, 2)", "memory": "MemValue(sint(3))"},
    **{"int": "3", "float": "1.5", "list": "[1, 2]", "text": "'a'", "nothing": "None"},
}
PYTHONS = {"int", "float", "list", "text", "nothing"}
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "@", "<", "<=", ">", ">=")
CALLS = ("-x", "+x", "~x", "abs(x)", "round(x)", "divmod(x, 2)", "pow(x, 2, 3)", "f'{x:.2f}'", "hash(x)", "x()")


@pytest.mark.parametrize("left", TYPES)
def test_an_operator_that_a_type_lacks_is_refused_by_name(left: str) -> None:
    """By its types, as other names are, and never as an error of Python's alone."""
    expressions = [f"{TYPES[left]} {operator} {TYPES[right]}" for operator in OPERATORS for right in TYPES]
    expressions = [e for e in expressions if any(TYPES[name] in e for name in TYPES if name not in PYTHONS)]
    if left not in PYTHONS:
        expressions += [f"(lambda x: {call})({TYPES[left]})" for call in CALLS]
    for expression in expressions:
        try:
            run_program(Program(Path("one.mpc"), f"\nresult = {expression}\n"), (), ClearMachine({}, {}))
        except ProgramError as exc:
            told = str(exc)
        else:
            continue
        assert "one.mpc, line 2: " in told, expression
        if "Error: " in told:
            assert "list" in told or "str" in told, f"{expression}: {told}"  # Python's own types are at fault


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("x = cint(7) / 2", 1, "division cint / int .* use // or >>"),
        ("x = 2 / regint(7)", 1, "division int / regint"),
        ("x = sint(7) / sint(2)", 1, "division sint / sint"),
        ("x = sint(7) // 2", 1, "division of secrets"),
        ("x = MemValue(cint(7)) / 2", 1, "division cint / int"),
        ("x = cint(4) << cint(-1)", 1, "expected a shift by 0 bits or more, got -1"),
        ("x = cint(4) >> cint(-2)", 1, "got -2"),
        ("x = cint(4) << -1", 1, "got -1"),
        ("x = cint(4) >> -1", 1, "got -1"),
        ("x = regint(4) << -1", 1, "got -1"),
        ("x = regint(4) >> -1", 1, "got -1"),
        ("x = regint(4) << regint(-1)", 1, "got -1"),
        ("x = 4 << cint(-1)", 1, "got -1"),
        ("x = 4 >> regint(-1)", 1, "got -1"),
        ("x = cint([1, 2]) << cint([1, -3])", 1, "got -3"),
        ("x = sint(4) << -1", 1, "got -1"),
        ("x = sint(4) << cint(-1)", 1, "got -1"),
        ("x = sint(4) >> -1", 1, "expected a shift from 0 to 63, got -1"),
        ("x = sint(4).mod2m(-1)", 1, "got -1"),
        ("x = cint(4).mod2m(-1)", 1, "got -1"),
        ("x = MemValue(cint(4)) << -1", 1, "got -1"),
        ("x = sint(4) << sint(1)", 1, "secret number of bits"),
        ("t = sint(0)\n@if_(cint(1))\ndef _():\n    t = t + 1", 4, "expected a value in 't'.*update"),
        ("def f(d):\n    @for_range(2)\n    def _(k):\n        x = d[k]\n        d = x\nf([1, 2])", 4, "value in 'd'"),
        ("@for_range(2)\ndef _(i):\n    y = i\nprint_ln('%s', y)", 4, "expected a value in 'y'.*MemValue"),
        ("def f():\n    def g():\n        return u\n    g()\n    u = 1\nf()", 3, "expected a value in 'u'"),
        ("print_ln('%s', nobody_knows)", 1, "nobody_knows is not known here"),
    ],
)
def test_what_is_refused_with_its_line(code: str, line: int, words: str) -> None:
    with pytest.raises(ProgramError, match=rf"refused\.mpc, line {line}: .*{words}") as caught:
        run_program(Program(Path("refused.mpc"), code + "\n"), (), ClearMachine({}, {}))
    if "expected a value" in words:
        assert "mp-spdz" not in str(caught.value)  # where it fails too
        assert not isinstance(caught.value, UnsupportedName)


def test_shifts_by_many_bits_give_nothing(tmp_path: Path) -> None:
    """As MP-SPDZ's machine has them."""
    code = "print_ln('%s %s %s', cint(5) << cint(64), cint(5) >> cint(70), cint(-1) >> cint(63))\n"
    (tmp_path / "shift.mpc").write_text(code)
    assert ClearEngine().run(RunSpec(tmp_path / "shift.mpc", run_dir=tmp_path / "run")).lines == ("0 0 1",)
