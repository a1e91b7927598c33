"""Plans of additive errors: the text format, and which outputs an entry meets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_tamper.core.errors import PlanError
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.plan import EVERY, HEADER, AdditiveError, AdditiveErrorPlan

MODULUS = 1 << 64
errors = st.builds(
    AdditiveError,
    site=st.sampled_from(["GRADIENT", "HINGE", "HINGE/csa", "5"]),
    occurrence=st.one_of(st.just(EVERY), st.integers(0, 4)),
    index=st.one_of(st.just(EVERY), st.integers(0, 9)),
    value=st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), MODULUS - 1]), st.integers(-(2**63), MODULUS - 1)),
)


def plan(*lines: str) -> AdditiveErrorPlan:
    return AdditiveErrorPlan.parse("\n".join([HEADER, *lines]))


@given(st.lists(errors, max_size=8))
def test_text_and_back(entries: list[AdditiveError]) -> None:
    made = AdditiveErrorPlan.from_errors(entries)
    read = AdditiveErrorPlan.parse(made.text())
    assert list(read) == list(made)
    assert read.sha256() == made.sha256()
    assert len(made) == len(entries)


@given(st.lists(errors, max_size=8), st.integers(0, 4), st.integers(0, 6), st.integers(0, 8))
def test_errors_added_are_those_that_name_the_output(
    entries: list[AdditiveError], occurrence: int, start: int, length: int
) -> None:
    outputs = np.arange(length, dtype=np.uint64)
    ErrorInjector(AdditiveErrorPlan.from_errors(entries)).add_to(outputs, "GRADIENT", occurrence, start)
    for position, word in enumerate(outputs.tolist()):
        met = [
            e.value
            for e in entries
            if e.site == "GRADIENT" and e.occurrence in (EVERY, occurrence) and e.index in (EVERY, start + position)
        ]
        assert word == (position + sum(met)) % MODULUS


def test_the_format() -> None:
    made = plan("", "# a comment", "GRADIENT * 407 -1234", "HINGE/csa 3 17 1", "  5 0 * 18446744073709551615  ")
    assert list(made) == [
        AdditiveError("GRADIENT", EVERY, 407, MODULUS - 1234),
        AdditiveError("HINGE/csa", 3, 17, 1),
        AdditiveError("5", 0, EVERY, MODULUS - 1),
    ]
    assert made.text() == f"{HEADER}\nGRADIENT * 407 -1234\nHINGE/csa 3 17 1\n5 0 * -1\n"
    assert made.sites() == {"GRADIENT", "HINGE/csa", "5"}


@pytest.mark.parametrize(
    "line",
    [
        "GRADIENT 0 1",
        "GRADIENT 0 1 2 3",
        "GRADIENT x 1 2",
        "GRADIENT 0 -1 2",
        "GRADIENT 0 1 2.5",
        "GRADIENT 0 1 *",
        f"GRADIENT 0 {2**63} 1",
        f"GRADIENT {2**63} 0 1",
        "GRADIENT 0 99999999999999999999 1",
    ],
)
def test_lines_that_do_not_read_are_named(line: str) -> None:
    with pytest.raises(PlanError, match="line 3"):
        plan("# comment", line)


def test_places_that_no_run_reaches_are_refused() -> None:
    assert list(plan(f"GRADIENT {2**63 - 1} {2**63 - 1} 1")) == [AdditiveError("GRADIENT", 2**63 - 1, 2**63 - 1, 1)]
    for occurrence, index in ((2**63, 0), (0, 2**63)):
        with pytest.raises(PlanError, match=r"to 2\^63 - 1"):
            AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", occurrence, index, 1)])


def test_values_outside_the_ring() -> None:
    for value in (MODULUS, -(2**63) - 1):
        with pytest.raises(PlanError, match=r"2\^64"):
            plan(f"GRADIENT 0 0 {value}")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    made = plan("GRADIENT 0 1 2")
    made.write(path)
    assert list(AdditiveErrorPlan.read(path)) == list(made)
    path.write_text("GRADIENT 0 1 2\n")
    with pytest.raises(PlanError, match="first line"):
        AdditiveErrorPlan.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="readable"):
        AdditiveErrorPlan.read(path)
    with pytest.raises(PlanError, match="readable"):
        AdditiveErrorPlan.read(tmp_path / "missing")


def test_plans_add() -> None:
    both = plan("GRADIENT 0 1 2") + plan("GRADIENT 0 1 3", "HINGE 0 0 1")
    assert [error.value for error in both] == [2, 3, 1]


def test_every_entry_must_meet_an_output() -> None:
    injector = ErrorInjector(plan("GRADIENT 0 3 1", "GRADIENT 1 * 1"))
    injector.add_to(np.zeros(3, np.uint64), "GRADIENT", 0, 0)
    with pytest.raises(PlanError, match="GRADIENT 0 3"):
        injector.finish()
    injector.add_to(np.zeros(1, np.uint64), "GRADIENT", 0, 3)
    with pytest.raises(PlanError, match=r"GRADIENT 1 \*"):
        injector.finish()
    injector.add_to(np.zeros(1, np.uint64), "GRADIENT", 1, 0)
    injector.finish()


def test_a_site_without_errors_costs_nothing() -> None:
    assert ErrorInjector(plan("GRADIENT 0 3 1")).errors("HINGE", 0, 0, 10) is None
