"""Small random programs in MP-SPDZ's language, as lists of statements that can be taken apart again.

Statement i computes the secret vector x<i>, of the program's one size n, or opens one. Each statement that multiplies
is a step of its own, with i + 1 as the number of its timer, so that errors can be addressed.

    input       x = sint.get_input_from(owner, size=n)        mul      x * y
    constant    sint(c, size=n)                               dot      sum of two products, in one operation
    add, sub    x + y, x - y                                  matmul   (r, r) times (r, r), n = r^2
    scale       c * x                                         less     x < y, a bit; equal: x == y
    file        write shares, read them again                 select   bit.if_else(x, y)
    open        print a value                                 shift    x >> t; mod: x % 2^t
    retry       open in a try block, twice: a party that goes on after a failure opens it here

Magnitudes are tracked: differences that are compared, and values that are shifted, stay below 2^WIDE, and no value
reaches 2^LARGEST, so that a program means the same in a ring and in a field of 64 bits. In a ring there are also inputs
and products of any size; what comes of them is multiplied, added and opened, but not compared.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mpc_tamper.engines.tampering import Domain

WIDE = 30  # bits
LARGEST = 61
_WRAPPED = 64
_SIZES = (1, 1, 2, 3, 4, 4, 9, 16, 64)
_LARGEST_INPUT = 1000
_MULTIPLYING = frozenset({"mul", "dot", "matmul", "less", "equal", "select", "shift", "mod"})
_TRUTHS = frozenset({"less", "equal"})
_OPENING = frozenset({"open", "retry"})
OWNERS = 3


@dataclass(frozen=True)
class Statement:
    """operands: the statements whose vectors it reads.  numbers: constants, or the values of an input.

    bits: no value's magnitude reaches 2^bits.  truth: all values are 0 or 1.
    """

    form: str
    operands: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    bits: int = 0
    truth: bool = False

    @property
    def opens(self) -> bool:
        return self.form in _OPENING


@dataclass(frozen=True)
class SmallProgram:
    """size: n.  statements: by number, with gaps where some were taken out.  timers: of those that have one."""

    size: int
    statements: Mapping[int, Statement]
    timers: frozenset[int]

    def text(self) -> str:
        positions = _file_positions(self)
        lines: list[str] = []
        for number, statement in self.statements.items():
            body = _lines(number, statement, self.size, positions.get(number, 0))
            timed = [f"start_timer({number + 1})", *body, f"stop_timer({number + 1})"]
            lines += timed if number in self.timers else body
        return "\n".join(lines) + "\n"

    def inputs(self) -> dict[int, str]:
        """Each owner's input file."""
        values: dict[int, list[int]] = {}
        for statement in self.statements.values():
            if statement.form == "input":
                values.setdefault(statement.numbers[0], []).extend(statement.numbers[1:])
        return {owner: " ".join(map(str, numbers)) + "\n" for owner, numbers in values.items()}

    def smaller(self) -> Iterator[SmallProgram]:
        """Programs with something taken out or made simpler, the boldest first."""
        for candidate in self._candidates():
            yield candidate._pruned()

    def _candidates(self) -> Iterator[SmallProgram]:
        openings = [n for n, s in self.statements.items() if s.opens]
        if len(openings) > 1:
            for kept in openings:
                yield replace(self, statements={n: s for n, s in self.statements.items() if n == kept or not s.opens})
        for number in reversed(list(self.statements)):
            if self.statements[number].operands and not self.statements[number].opens:
                yield self._with(number, Statement("constant", (), (1,), self.statements[number].bits, truth=True))
        for number in self.statements:
            for stand_in in self.statements[number].operands:  # its result is replaced by what it read
                yield self._without(number, stand_in)
        values = [n for n, s in self.statements.items() if not s.opens]
        for number, stand_in in itertools.pairwise(reversed(values)):
            yield self._without(number, stand_in)
        for size in (1, 2, 4, 16):
            if size < self.size:
                yield self._resized(size)
        for number in sorted(self.timers):
            yield replace(self, timers=self.timers - {number})
        for number in self.statements:
            for simple in _simpler(self.statements[number], self.size):
                yield self._with(number, simple)

    def _with(self, number: int, statement: Statement) -> SmallProgram:
        timers = self.timers if statement.form in _MULTIPLYING else self.timers - {number}
        return replace(self, statements={**self.statements, number: statement}, timers=timers)

    def _pruned(self) -> SmallProgram:
        """Without values on which nothing that is opened depends."""
        needed: set[int] = set()
        for number in reversed(list(self.statements)):
            if self.statements[number].opens or number in needed:
                needed |= {number, *self.statements[number].operands}
        kept = {n: s for n, s in self.statements.items() if n in needed}
        return replace(self, statements=kept, timers=self.timers & needed)

    def _without(self, number: int, stand_in: int) -> SmallProgram:
        kept = {
            n: replace(s, operands=tuple(stand_in if o == number else o for o in s.operands))
            for n, s in self.statements.items()
            if n != number
        }
        return replace(self, statements=kept, timers=self.timers - {number})

    def _resized(self, size: int) -> SmallProgram:
        cut = {
            n: replace(s, numbers=s.numbers[: 1 + size]) if s.form == "input" else s for n, s in self.statements.items()
        }
        return replace(self, size=size, statements=cut)


def valid(program: SmallProgram) -> bool:
    """Whether it opens something and stays within what it promises of magnitudes. Shrinking proposes others too."""
    known: dict[int, Statement] = {}
    for number, statement in program.statements.items():
        if not all(operand in known for operand in statement.operands):
            return False
        if statement.form == "matmul" and math.isqrt(program.size) ** 2 != program.size:
            return False
        if not _fits(statement, [known[operand] for operand in statement.operands]):
            return False
        if not statement.opens:
            known[number] = statement
    return any(statement.opens for statement in program.statements.values())


def random_program(
    rng: random.Random, domain: Domain, parties: int = OWNERS, longest: int = _SIZES[-1]
) -> SmallProgram:
    """parties: how many run it; no more of them than OWNERS enter inputs.  longest: no vector has more elements."""
    size, owners = rng.choice([size for size in _SIZES if size <= longest]), min(parties, OWNERS)
    statements: dict[int, Statement] = {}
    for _ in range(rng.randint(1, 3)):
        statements[len(statements)] = _input(rng, size, domain, owners)
    for _ in range(rng.randint(1, 7)):
        statement = _random_statement(rng, statements, size, domain)
        statements[len(statements)] = statement
        if not statement.opens and rng.random() < 0.3:
            statements[len(statements)] = Statement("open", (len(statements) - 1,))
    values = [n for n, s in statements.items() if not s.opens]
    statements[len(statements)] = Statement("open", (values[-1],))
    timers = frozenset(n for n, s in statements.items() if s.form in _MULTIPLYING)
    return SmallProgram(size, statements, timers)


def _input(rng: random.Random, size: int, domain: Domain, owners: int) -> Statement:
    if rng.random() < 0.2:
        return Statement("constant", (), (rng.randint(-5, 5),), 3)
    if domain is Domain.RING and rng.random() < 0.15:
        words = (rng.randint(-(1 << 63), (1 << 63) - 1) for _ in range(size))
        return Statement("input", (), (rng.randrange(owners), *words), _WRAPPED)
    largest = rng.choice((1, 10, _LARGEST_INPUT))
    values = tuple(rng.randint(0 if largest == 1 else -largest, largest) for _ in range(size))
    return Statement("input", (), (rng.randrange(owners), *values), largest.bit_length(), largest == 1)


_FORMS: dict[Domain, tuple[str, ...]] = {
    Domain.RING: (
        *("mul", "mul", "dot", "matmul", "less", "equal", "select", "shift", "mod"),
        *("add", "sub", "scale", "file", "open", "retry"),
    ),
    Domain.BITS: ("mul", "less", "equal", "add", "sub", "open"),  # MP-SPDZ's shift there forgets the sign
}
_FORMS[Domain.FIELD] = _FORMS[Domain.RING]


def _random_statement(rng: random.Random, statements: Mapping[int, Statement], size: int, domain: Domain) -> Statement:
    # In a binary circuit a truth value is one bit, and no operand beside integers.
    values = [n for n, s in statements.items() if not s.opens and not (domain is Domain.BITS and s.form in _TRUTHS)]
    while True:
        form = rng.choice(_FORMS[domain])
        if form == "matmul" and math.isqrt(size) ** 2 != size:
            continue
        count = {"dot": 4, "select": 3, "scale": 1, "shift": 1, "mod": 1, "file": 1, "open": 1, "retry": 1}.get(form, 2)
        operands = tuple(rng.choice(values) for _ in range(count))
        if form == "select":
            truths = [n for n in values if statements[n].truth]
            if not truths:
                continue
            operands = (rng.choice(truths), *operands[1:])
        factor = rng.randint(-9, 9) or 1  # times 0, MP-SPDZ makes it a public number, which cannot be opened
        numbers = {"scale": (factor,), "shift": (rng.randint(1, 8),), "mod": (rng.randint(1, 8),)}.get(form)
        read = [statements[n] for n in operands]
        statement = Statement(form, operands, numbers or (), *_result(form, read, size, numbers))
        wraps = domain is Domain.RING and form in ("mul", "dot", "matmul") and rng.random() < 0.5
        if statement.bits > LARGEST and wraps:
            statement = replace(statement, bits=_WRAPPED)
        if _fits(statement, read) and (statement.bits <= LARGEST or statement.bits == _WRAPPED):
            return statement


def _result(form: str, read: Sequence[Statement], size: int, numbers: tuple[int, ...] | None) -> tuple[int, bool]:
    """Bits of the result, and whether it is a truth value."""
    bits = [each.bits for each in read]
    both = all(each.truth for each in read)
    if _WRAPPED in bits and form in ("mul", "dot", "matmul", "add", "sub", "scale"):
        return _WRAPPED, False
    if form in ("less", "equal"):
        return 1, True
    if form == "mul":
        return (1, True) if both else (bits[0] + bits[1], False)
    if form == "dot":
        return max(bits[0] + bits[2], bits[1] + bits[3]) + 1, False
    if form == "matmul":
        return bits[0] + bits[1] + size.bit_length(), False
    if form in ("add", "sub"):
        return max(bits) + 1, False
    if form == "scale":
        return bits[0] + 4, False
    if form == "select":
        return max(bits[1:]), both
    if form == "mod":
        return (numbers or (0,))[0], False
    return bits[0], read[0].truth  # shift, file, open, retry


def _fits(statement: Statement, read: Sequence[Statement]) -> bool:
    if statement.form in ("less", "equal", "shift", "mod"):
        return all(each.bits < WIDE for each in read)
    if statement.form == "select":
        return read[0].truth and all(each.bits < LARGEST for each in read)
    return True


def _simpler(statement: Statement, size: int) -> Iterator[Statement]:
    if statement.form == "input":
        owner, *values = statement.numbers
        for simple in ((0, *[1] * size), (0, *values), (owner, *[1] * size)):
            if simple != statement.numbers:
                yield replace(statement, numbers=simple)
        yield Statement("constant", (), (1,), max(1, statement.bits), statement.truth)
    elif statement.form == "constant" and statement.numbers != (1,):
        yield replace(statement, numbers=(1,))
    elif statement.form in ("dot", "matmul"):
        yield Statement("mul", statement.operands[:2], (), statement.bits)
    elif statement.form == "retry":
        yield replace(statement, form="open")


def _file_positions(program: SmallProgram) -> dict[int, int]:
    files = [n for n, s in program.statements.items() if s.form == "file"]
    return {number: place * program.size for place, number in enumerate(files)}


def _lines(number: int, statement: Statement, size: int, position: int) -> list[str]:
    x = f"x{number}"
    read = [f"x{operand}" for operand in statement.operands]
    numbers = statement.numbers
    if statement.form == "input":
        return [f"{x} = sint.get_input_from({numbers[0]}, size={size})"]
    if statement.form == "constant":
        return [f"{x} = sint({numbers[0]}, size={size})"]
    if statement.form == "dot":
        return [f"{x} = sint.dot_product([{read[0]}, {read[1]}], [{read[2]}, {read[3]}])"]
    if statement.form == "matmul":
        side = math.isqrt(size)
        a, b = f"a{number}", f"b{number}"
        matrices = [f"{m} = sint.Matrix({side}, {side})" for m in (a, b)]
        filled = [f"{m}.assign_vector({v})" for m, v in zip((a, b), read, strict=True)]
        return [*matrices, *filled, f"{x} = {a}.direct_mul({b})"]
    if statement.form == "select":
        return [f"{x} = {read[0]}.if_else({read[1]}, {read[2]})"]
    if statement.form == "file":
        return [
            f"sint.write_to_file([{read[0]}])",
            f"{x} = sint.read_from_file({position}, 1, size={size})[1][0]",
        ]
    if statement.form == "open":
        return [f"print_ln('{read[0]} = %s', {read[0]}.reveal())"]
    if statement.form == "retry":
        again = [f"    print_ln('{read[0]} = %s', {read[0]}.reveal())", "except BaseException:", "    pass"]
        return ["try:", *again, "try:", *again]
    if statement.form == "scale":
        return [f"{x} = {numbers[0]} * {read[0]}"]
    if statement.form in ("shift", "mod"):
        sign = ">>" if statement.form == "shift" else "%"
        return [f"{x} = {read[0]} {sign} {numbers[0] if statement.form == 'shift' else 1 << numbers[0]}"]
    sign = {"mul": "*", "add": "+", "sub": "-", "less": "<", "equal": "=="}[statement.form]
    return [f"{x} = {read[0]} {sign} {read[1]}"]
