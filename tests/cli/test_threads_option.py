"""--threads: each command that lets parties compute hands the number on to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from mpc_tamper.engines.base import Engine

Invoke = Callable[..., Result]
STUDIES = {
    ("matrix",): "matrix.matrix:run_matrix",
    ("rerun", "matrix.jsonl"): "matrix.matrix:rerun_cells",
    ("costs",): "costs.costs:costs",
    ("costs", "--jobs", "2"): "costs.counts:counts",
    ("leak", "row"): "leaks.row:leak_rows",
    ("leak", "reconstruct"): "leaks.reconstruct:reconstruct_rows",
    ("leak", "membership"): "leaks.membership:ask_membership",
    ("probe",): "leaks.probing:probe",
    ("pruning",): "pruning:study_pruning",
    ("faults",): "faults.campaign:campaign",
    ("faults", "--only", "3"): "faults.campaign:one",
    ("bench",): "bench:bench",
    ("reproduce",): "table1:reproduce",
}


class Reached(Exception):
    """The study was called."""


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch, invoke: Invoke, tmp_path: Path) -> Callable[..., Engine]:
    """engine_of(study, words) is the engine that the command gives to the study, which does nothing with it."""
    monkeypatch.delenv("MP_SPDZ_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(study: str, *words: str) -> Engine:
        given: list[Engine] = []

        def take(*args: Any, **settings: Any) -> Iterator[Any]:
            values = (*args, *settings.values())
            given.extend(each for value in values for each in (value if isinstance(value, list) else [value]))
            raise Reached

        module, name = study.split(":")
        monkeypatch.setattr(import_module(f"mpc_tamper.studies.{module}"), name, take)
        with pytest.raises(Reached):
            invoke(*words, "--quiet")
        (engine,) = (each for each in given if isinstance(each, Engine))
        return engine

    return run


@pytest.mark.parametrize(("words", "study"), STUDIES.items(), ids=map(" ".join, STUDIES))
def test_studies_run_on_so_many_threads(engine_of: Callable[..., Engine], words: tuple[str, ...], study: str) -> None:
    assert engine_of(study, *words, "--threads", "3").threads == 3
    assert engine_of(study, *words).threads is None


@pytest.mark.parametrize("engine", [(), ("--engine", "clear")])
def test_accuracy_trains_on_so_many_threads(
    engine: tuple[str, ...], invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It chooses an engine for each data set."""
    given: list[int | None] = []

    def take(*_: Any, engine: Engine, **__: Any) -> Any:
        given.append(engine.threads)
        raise Reached

    monkeypatch.setattr(import_module("mpc_tamper.studies.accuracy"), "train_and_open", take)
    for words in (("--threads", "3"), ()):
        with pytest.raises(Reached):
            invoke("accuracy", "--only", "wine", *engine, *words, "--out", tmp_path, "--quiet")
    assert given == [3, None]


def test_a_matrix_over_a_network(engine_of: Callable[..., Engine]) -> None:
    engine = engine_of(STUDIES["matrix",], "matrix", "--network", "20ms,500Mbit")
    assert engine.network is not None
    assert engine.network.name == "20ms,500Mbit"


def test_what_a_fault_strikes_has_as_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.runs.protocols import EngineName
    from mpc_tamper.studies.faults import campaign
    from mpc_tamper.studies.faults.processes import Launch

    launched: list[Launch] = []

    def take(launch: Launch, *_: Any) -> Any:
        launched.append(launch)
        raise Reached

    monkeypatch.setattr(campaign, "Running", take)
    for threads, words in ((None, ()), (2, ("--threads", "2"))):
        with pytest.raises(Reached):
            campaign.one(get_engine(EngineName.REP3).on_threads(threads), 3, 0, Idle())  # type: ignore[arg-type]
        assert launched[-1].words[-2:] == words or not words
        assert ("--threads" in launched[-1].words) == bool(words)


class Idle:
    """A pace that nobody measures."""

    reference_seconds = 1.0

    def factor(self) -> float:
        return 1.0
