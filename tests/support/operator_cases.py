"""Programs that put the same numbers into every container and through every operator, a line of output for each case.

A case that an engine refuses prints its name and 'refused': what it does not offer it must not answer wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

INTEGERS, FIXED = ("sint", "cint", "regint"), ("sfix", "cfix")

# Of a type T and a list of numbers x, several or one: the value that comes out of a container.
CONTAINERS = {
    "vector": "T({x})",
    "array": "filled(T.Array({n}), {x})",
    "array[:]": "filled(T.Array({n}), {x})[:]",
    "part": "filled(T.Array({n} + 2), [0] + {x} + [0]).get_part(1, {n})[:]",
    "row": "filled(T.Matrix(2, {n}), {x} + {x})[1][:]",
    "column": "filled_rows(T.Matrix({n}, 2), [[a, a] for a in {x}]).get_column(0)",
    "tensor": "filled(T.Tensor([2, 1, {n}]), {x} + {x})[1][0][:]",
    "copy": "T({x}).get_vector(0, {n})",
    "reversed twice": "T({x}).get_reverse_vector().get_reverse_vector()",
    "registers": "updated(T({x}))",
}
SCALARS = {
    "scalar": "T({x}[0])",
    "element": "filled(T.Array(2), [0, {x}[0]])[1]",
    "run-time element": "filled(T.Array(2), [0, {x}[0]])[regint(1)]",
    "entry": "filled(T.Matrix(2, 2), [0, 0, 0, {x}[0]])[1][1]",
    "memory": "MemValue(T({x}[0]))",
    "sum": "T({x}[:1] + [0]).sum()",
    "list": "list(T({x}))[0]",
}
BINARY = ("+", "-", "*", "<", "<=", ">", ">=", "==", "!=", "//", "%", "&", "|", "^", "<<", ">>")
UNARY = (
    *("-a", "abs(a)", "a ** 0", "a ** 1", "a ** 2", "a ** 3", "a * 0", "0 * a", "a * 1", "a + 0", "0 - a", "1 - a"),
    *("a << 0", "a >> 0", "a << 3", "a >> 1", "a % 1", "a % 2", "a % 8", "a // 1", "a // 3", "a & 0", "a | 0"),
    *("a.square()", "a == a", "a < 0", "a <= 0", "a != 0", "a.sum()", "a.max(1)", "a.min(1)", "(a > 0).if_else(a, 5)"),
    *("a.mod2m(0)", "a.mod2m(4)", "a.bit_not()", "a.zero_if_not(1)", "a.right_shift(0)", "a.left_shift(2)", "~a"),
)
HEAD = """
program.set_bit_length(40)

def filled(container, numbers):
    if len(container.sizes if hasattr(container, 'sizes') else [0]) > 1:
        container.assign_vector(container.value_type(numbers))
    else:
        container.assign(numbers)
    return container

def filled_rows(matrix, rows):
    for i, row in enumerate(rows):
        matrix[i].assign(row)
    return matrix

def updated(value):
    other = type(value)(value)
    other.update(value)
    return other

def shown(number, make):
    try:
        result = make()
        result = result.read() if isinstance(result, MemValue) else result
        result = result.reveal() if hasattr(result, 'reveal') else result
        texts = [result[i] for i in range(len(result))] if hasattr(result, '__len__') else [result]
    except Exception as exc:
        print_ln('case %d: refused' % number)
        return
    print_ln('case %d:' % number + ' ' + ' '.join(['%s'] * len(texts)), *texts)
"""


def made(kind: str, form: str, numbers: Sequence[int | float]) -> str:
    return form.replace("T", kind).replace("{x}", repr(list(numbers))).replace("{n}", str(len(numbers)))


def forms(kind: str, numbers: Sequence[int | float]) -> Iterator[tuple[str, str]]:
    """Names and expressions of the values that hold these numbers."""
    for name, form in (CONTAINERS if len(numbers) > 1 else SCALARS).items():
        yield f"{kind} {name}", made(kind, form, numbers)


def cases(
    kinds: Sequence[str], x: Sequence[int | float], y: Sequence[int | float]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every form of x, alone and with plain vectors and scalars of y and with forms of its own type.

    Names, and expressions with what their variables are.
    """
    for kind in kinds:
        for name, value in forms(kind, x):
            for expression in UNARY:
                yield f"{name}: {expression}", expression, {"a": value}
            for other in (*kinds, "int"):
                number = repr(y[0]) if other == "int" else made(other, SCALARS["scalar"], y)
                for operator in BINARY:
                    yield f"{name} {operator} {other}", f"a {operator} b", {"a": value, "b": number}
                    yield f"{other} {operator} {name}", f"b {operator} a", {"a": value, "b": number}
                    if other != "int" and len(y) > 1:
                        vector = made(other, CONTAINERS["vector"], y)
                        yield f"{name} {operator} {other}s", f"a {operator} b", {"a": value, "b": vector}
            for other_name, other_value in forms(kind, y if len(x) > 1 else y[:1]):
                for operator in ("+", "-", "*", "<", "=="):
                    yield f"{name} {operator} {other_name}", f"a {operator} b", {"a": value, "b": other_value}


def program(kinds: Sequence[str], x: Sequence[int | float], y: Sequence[int | float]) -> str:
    lines = [HEAD]
    for number, (_, expression, values) in enumerate(cases(kinds, x, y)):
        made_of = f"(lambda {', '.join(values)}: {expression})({', '.join(values.values())})"
        lines.append(f"shown({number}, lambda: {made_of})")
    return "\n".join(lines) + "\n"


def answers(
    lines: Sequence[str], kinds: Sequence[str], x: Sequence[int | float], y: Sequence[int | float]
) -> dict[str, list[str]]:
    """What each case of the program gave, element by element, by its name; refused ones left out."""
    names = [name for name, _, _ in cases(kinds, x, y)]
    found = {}
    for line in lines:
        if line.startswith("case "):
            number, _, values = line.removeprefix("case ").partition(": ")
            if values != "refused":
                found[names[int(number)]] = values.split(" ")
    return found
