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
occurrence  how often the step's timer had been started before, from 0; * is every time.
index       the element of the step's outputs, row-major, from 0; * is all. For AND gates: the bit lane.
value       an integer, added modulo 2^64; for AND gates 1, by xor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orchestrator.errors import PlanError
from orchestrator.files import write_atomically

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


class ErrorInjector:
    """Hands the errors of a plan to the multiplications of a run, in the process of the corrupt party.

    One injector serves one run. finish() raises PlanError when an entry of the plan met no output: a plan that names
    a place where the corrupt party sends nothing is a mistake, not an attack.
    """

    def __init__(self, plan: AdditiveErrorPlan) -> None:
        self._columns = plan.columns
        self._met: dict[tuple[str, int], np.ndarray] = {
            key: np.zeros(len(column.indices), dtype=bool) for key, column in plan.columns.items()
        }

    def errors(self, site: str, occurrence: int, start: int, length: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Errors for outputs start .. start + length - 1 of this occurrence of the site.

        Returns (positions int64 within the length outputs, values uint64), positions possibly repeated, or None.
        """
        keys = [(site, key) for key in (occurrence, EVERY) if (site, key) in self._columns]
        if not keys:
            return None
        found = [self._select(key, start, length) for key in keys]
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def flips(self, site: str, occurrence: int, start: int, length: int) -> np.ndarray | None:
        """For AND gates: the positions to flip, int64, each once; or None. Raises PlanError for values but 0 and 1."""
        for key in (occurrence, EVERY):
            column = self._columns.get((site, key))
            if column is not None and (column.values > 1).any():
                raise PlanError(
                    f"expected the value 1 for errors at {site}, an AND gate, got {int(column.values.max())}"
                )
        errors = self.errors(site, occurrence, start, length)
        if errors is None:
            return None
        times = np.zeros(length, np.uint64)
        np.add.at(times, *errors)
        return np.flatnonzero(times & np.uint64(1))

    def add_to(self, outputs: np.ndarray, site: str, occurrence: int, start: int) -> None:
        """Add the errors to a uint64 array of outputs, in place, modulo 2^64."""
        flat = outputs.reshape(-1)
        errors = self.errors(site, occurrence, start, flat.size)
        if errors is not None:
            np.add.at(flat, errors[0], errors[1])

    def finish(self) -> None:
        for (site, occurrence), met in self._met.items():
            if not met.all():
                index = int(self._columns[site, occurrence].indices[int(np.argmin(met))])
                raise PlanError(
                    f"the plan's error at {site} {_star(occurrence)} {_star(index)} met no output: expected a "
                    "multiplication there by which the corrupt party sends something. Check the site's name, how "
                    "often it occurs, the length of its result, and for gates the party."
                )

    def _select(self, key: tuple[str, int], start: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        column, met = self._columns[key], self._met[key]
        at_one = (column.indices >= start) & (column.indices < start + length)
        at_all = column.indices == EVERY
        if length:
            met |= at_one | at_all
        everywhere = column.values[at_all].sum(dtype=np.uint64)
        positions, values = column.indices[at_one] - start, column.values[at_one]
        if everywhere:
            positions = np.concatenate([positions, np.arange(length)])
            values = np.concatenate([values, np.full(length, everywhere, dtype=np.uint64)])
        return positions, values


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


def _star(number: int) -> str:
    return "*" if number == EVERY else str(number)


def _line(error: AdditiveError) -> str:
    signed = error.value - _MODULUS if error.value >> 63 else error.value
    return f"{error.site} {_star(error.occurrence)} {_star(error.index)} {signed}"
