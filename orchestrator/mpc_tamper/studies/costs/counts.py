"""Bytes and rounds of each way to a model, measured as jobs beside each other: they do not depend on what else runs.

Seconds do, so there are none here; what a network takes at the least, without any computing, follows from the counts.

counts([get_engine(EngineName.REP3)], Path("results"), scheduler=Processes(4))   # costs-counts.json and .md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.records.costs import COUNTS
from mpc_tamper.report.counts import COUNTS_JSON, write_counts
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.studies.costs.measure import (
    DATASET,
    NETWORKS,
    Grid,
    Measured,
    check_engines,
    first_rows_of,
    grids,
    measure_training,
    measure_verifications,
    model_shares,
    protocols_of,
    verifying,
)
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Scheduler, Serial
from mpc_tamper.studies.sweeps.sweep import Job, sweep

NAME = "costs-counts"


@dataclass(frozen=True)
class _Phase:
    """engine: its place among the engines.  iterations: of a training of so many rows; None for a verification of so
    many examples, once public and once secret."""

    engine: int
    protocol: ProtocolName
    rows: int
    iterations: int | None


@dataclass(frozen=True, eq=False)
class _Given:
    task: Task
    engines: tuple[Engine, ...]


def counts(
    engines: Sequence[Engine],
    out: Path,
    *,
    grid: Grid | None = None,
    scheduler: Scheduler | None = None,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Count, write costs-counts.json and .md to `out`, and return the record.

    grid: the same sizes for every engine and protocol, instead of those of costs().  scheduler: where runs take place;
    in this process where None.  configuration: for the record, the options of the command that asked for this.
    """
    check_engines(engines)
    check_folder(out)
    task = load_task(DATASET)
    phases: list[_Phase] = []
    for place, engine in enumerate(engines):
        for sizes in (grid,) if grid is not None else grids(engine, engines):
            phases += _phases(place, engine, task, sizes)
    phases = list(dict.fromkeys(phases))
    about = {"costs": "counts", "data_sha256": task.sha256}
    jobs = [Job(about | asdict(each) | {"engine": str(engines[each.engine].name)}, each) for each in phases]
    with sweep(
        ResultFiles.beside(out, NAME), scheduler or Serial(), _measure, _Given(task, tuple(engines)), jobs, progress
    ) as found:
        record = {
            "dataset": DATASET,
            "columns": task.x_train.shape[1] + 1,
            "networks": [asdict(network) for network in NETWORKS],
            "runs": [run for result in found for run in result["runs"]],
            "left_out": sorted({result["left_out"] for result in found if result["left_out"]}),
            "configuration": configuration,
            "environment": environment(),
        }
        record = COUNTS.write(out / COUNTS_JSON, record, indent=2)
        write_counts(out)
    return record


def _phases(place: int, engine: Engine, task: Task, grid: Grid) -> list[_Phase]:
    wanted = protocols_of(engine, grid)
    rows = tuple(min(m, len(task.x_train)) for m in grid.rows)
    trainings = [_Phase(place, p, m, t) for m, t in replace(grid, rows=rows).sizes() for p in wanted]
    examples = min(grid.examples, len(task.x_test))
    return [*trainings, *(_Phase(place, p, examples, None) for p in verifying(wanted))]


def _measure(given: _Given, phase: _Phase, progress: Progress) -> dict[str, Any]:
    engine, task = given.engines[phase.engine], given.task
    progress(f"{engine.name} {phase.protocol}: {'verification' if phase.iterations is None else 'training'}")
    try:
        if phase.iterations is None:
            with model_shares(engine, phase.protocol, task) as shares:
                found = list(measure_verifications(engine, phase.protocol, shares, task, phase.rows, 1))
        else:
            rows = first_rows_of(task, phase.rows)
            found = [measure_training(engine, phase.protocol, rows, phase.iterations, 1)]
    except EngineUnavailable as reason:
        return {"runs": [], "left_out": str(reason)}
    return {"runs": [_counted(each) for each in found], "left_out": ""}


def _counted(run: Measured) -> dict[str, Any]:
    """Without seconds; least_seconds: on each network, if computing took none."""
    still = replace(run, seconds=0.0)
    kept = {key: value for key, value in asdict(still).items() if key not in ("seconds", "repeats")}
    return kept | {"active": run.protocol.active, "least_seconds": {n.name: still.on(n) for n in NETWORKS}}
