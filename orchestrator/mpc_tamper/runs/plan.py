"""Additive errors: what a corrupt party adds to the outputs of multiplications, fixed before the run.

The additive-attack model of Genkin et al., STOC'14: in a passively secure honest-majority protocol a malicious party
can add a constant to the output of any multiplication gate, and nothing else.

A plan is a text file, read alike by every engine:

    additive-error-plan 1
    # site  occurrence|*  index|*  value
    GRADIENT * 407 -1234
    HINGE/csa 3 17 1

site        an operation: the name (or number) of a timer of the program. The errors go to the outputs of the
            multiplication, dot product or matrix product of that step. Portable between engines.
            a gate: STEP/GATE, a message inside a primitive of the embedded engine, such as HINGE/csa or HINGE/b2a.z.
            background, message: for audits alone (engines/tampering.py).
occurrence  how often the step's timer had been started before, from 0; * is every time.
index       the element of the step's outputs, row-major, from 0; * is all. For AND gates: the bit lane.
value       an integer, added modulo 2^64; for AND gates 1, by xor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mpc_tamper.core.errors import PlanError
from mpc_tamper.core.files import write_atomically

if TYPE_CHECKING:
    import numpy as np

HEADER = "additive-error-plan 1"
EVERY = -1  # stands for * in occurrences and indices
_MODULUS = 1 << 64
_PLACES = 1 << 63  # occurrences and indices are below


@dataclass(frozen=True)
class AdditiveError:
    """One line of a plan. occurrence and index: EVERY stands for all of them. value: modulo 2^64."""

    site: str
    occurrence: int
    index: int
    value: int


@dataclass(frozen=True)
class _Column:
    """The errors of one (site, occurrence): indices int64, EVERY for all; values uint64."""

    indices: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class AdditiveErrorPlan:
    """Errors grouped by (site, occurrence). Build one with from_errors, parse or read; two plans add."""

    columns: Mapping[tuple[str, int], _Column] = field(default_factory=dict)

    @classmethod
    def from_errors(cls, errors: Iterable[AdditiveError]) -> AdditiveErrorPlan:
        import numpy as np  # not for every command line, which all import this module

        groups: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        for error in errors:
            _check(error)
            indices, values = groups.setdefault((error.site, error.occurrence), ([], []))
            indices.append(error.index)
            values.append(error.value % _MODULUS)
        return cls(
            {
                key: _Column(np.array(indices, dtype=np.int64), np.array(values, dtype=np.uint64))
                for key, (indices, values) in groups.items()
            }
        )

    @classmethod
    def parse(cls, text: str, source: str = "plan") -> AdditiveErrorPlan:
        """Raises PlanError with the line that does not read."""
        lines = text.splitlines()
        if not lines or lines[0].strip() != HEADER:
            got = lines[0][:60] if lines else "an empty file"
            raise PlanError(f"{source}: expected {HEADER!r} as the first line, got {got!r}")
        return cls.from_errors(_parse_lines(lines[1:], source))

    @classmethod
    def read(cls, path: Path) -> AdditiveErrorPlan:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise PlanError(f"{path}: expected a readable text file of additive errors: {exc}") from exc
        return cls.parse(text, str(path))

    def write(self, path: Path) -> None:
        write_atomically(path, self.text())

    def text(self) -> str:
        """The plan's file. Equal plans in equal order have equal text."""
        return "\n".join([HEADER, *(_line(e) for e in self)]) + "\n"

    def sha256(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()

    def sites(self) -> set[str]:
        return {site for site, _ in self.columns}

    def __iter__(self) -> Iterator[AdditiveError]:
        for (site, occurrence), column in self.columns.items():
            for index, value in zip(column.indices.tolist(), column.values.tolist(), strict=True):
                yield AdditiveError(site, occurrence, index, value)

    def __len__(self) -> int:
        return sum(len(column.indices) for column in self.columns.values())

    def __add__(self, other: AdditiveErrorPlan) -> AdditiveErrorPlan:
        return AdditiveErrorPlan.from_errors([*self, *other])


def _check(error: AdditiveError) -> None:
    if not error.site or len(error.site.split()) != 1 or error.site.startswith("#"):
        raise PlanError(f"expected a site's name without spaces, got {error.site!r}")
    if not (EVERY <= error.occurrence < _PLACES and EVERY <= error.index < _PLACES):
        raise PlanError(
            f"expected occurrence and index from 0 to 2^63 - 1, or * for all, got {error.occurrence} {error.index}"
        )
    if not -(1 << 63) <= error.value < _MODULUS:
        raise PlanError(f"expected a value from -2^63 to 2^64 - 1, got {error.value}")


def _parse_lines(lines: Iterable[str], source: str) -> Iterator[AdditiveError]:
    for number, line in enumerate(lines, start=2):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            site, occurrence, index, value = words
            yield AdditiveError(site, _number(occurrence), _number(index), int(value))
        except ValueError as exc:
            raise PlanError(
                f"{source}, line {number}: expected 'site occurrence|* index|* value', got {line[:80]!r}"
            ) from exc


def _number(word: str) -> int:
    if word == "*":
        return EVERY
    number = int(word)
    if not 0 <= number < _PLACES:
        raise ValueError(word)
    return number


def star(number: int) -> str:
    return "*" if number == EVERY else str(number)


def _line(error: AdditiveError) -> str:
    signed = error.value - _MODULUS if error.value >> 63 else error.value
    return f"{error.site} {star(error.occurrence)} {star(error.index)} {signed}"
