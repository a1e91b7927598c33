"""The attack x defence matrix: every attack against every defence in three-party computation, a record per cell.

Cells that differ in the check of the model alone share a training; each has its own verification and counts both. A
cell is on disk as soon as it is there, so an interrupted run goes on where it stopped. Any number of runs may work at
one matrix at once, each with any number of workers (sweeps/schedulers.py); of a cell that two of them ran, one stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.attacks.registry import ADAPTIVE, ATTACKS
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.registry import DEFENCES, NETWORK_DEFENCES
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Model
from mpc_tamper.report.matrix_record import MATRIX, NOT_APPLICABLE, read_matrix
from mpc_tamper.report.seeds import PER_SEED, SEED
from mpc_tamper.studies.matrix.cells import HONEST, run_cells
from mpc_tamper.studies.matrix.jobs import CellJob, Laboratory, StudyToMake, cell_of_seed, run_job
from mpc_tamper.studies.matrix.record import MatrixRecord
from mpc_tamper.studies.matrix.study import CERTIFICATES, Study
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Scheduler, Serial

ALL_ATTACKS = (HONEST, *ATTACKS)
ALL_DEFENCES = tuple(DEFENCES)  # of the default model
# What a rerun has to give again. Seconds differ; bytes and rounds are exact, but those of an engine and its version.
RESULTS = (
    "clean_accuracy",
    "attack_success_rate",
    "attack_success_rate_clipped",
    "verdict",
    "aborted",
    "weights_sha256",
    "plans",
)
COSTS = ("bytes_per_party", "rounds")


def run_matrix(
    studies: Sequence[Study],
    out: Path,
    *,
    engine: Engine,
    attacks: Sequence[str] | None = None,
    defences: Sequence[str] | None = None,
    corrupt_party: int = 1,
    seeds: Sequence[int] = (0,),
    name: str = MATRIX,
    scheduler: Scheduler | None = None,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> None:
    """Run the cells that <name>.jsonl in `out` does not hold yet; write the tables and pictures.

    attacks, defences: where None, those that ask for nothing that a study's model lacks. Those that are named are n/a
    where it lacks something.  seeds: of calibrated studies, a model for each in every cell; others have one model.
    scheduler: where cells are run; in this process where None.
    configuration: for the record, the options of the command that asked for this.

    Raises ParameterError where the file is of other data, parameters or checks: its cells would not fit to these.
    """
    check_names(attacks or (), defences or ())
    for problem in (*ATTACKS.problems(), *DEFENCES.problems()):
        progress(problem)
    scheduler, files = scheduler or Serial(), ResultFiles.beside(out, name)
    record = MatrixRecord.open(out, {study.name: study.record() for study in studies}, progress, name)
    _collect(files, record)
    jobs: list[CellJob] = []
    for study in studies:
        classes, adaptive = len(study.task.classes), study.split is not None
        meant = meant_attacks(study.model, classes, adaptive=adaptive), meant_defences(study)
        wanted = [(attack, defence) for attack in attacks or meant[0] for defence in defences or meant[1]]
        for seed in (None,) if study.split is None else seeds:
            missing = tuple(pair for pair in wanted if not record.has(study.name, *pair, seed))
            whole = CellJob(study.name, seed, missing)
            progress(f"{whole.of}: {len(wanted) - len(missing)} of {len(wanted)} cells are there")
            jobs += whole.by_attack() if scheduler.apart else [whole] if missing else []
    laboratory = Laboratory(
        files,
        engine,
        corrupt_party,
        scheduler.apart,
        {study.name: StudyToMake.of(study) if scheduler.apart else study for study in studies},
        written=None if scheduler.apart else lambda: _collect(files, record),
        configuration=configuration,
    )
    try:
        if jobs:
            scheduler.check(files.folder)
        for done, job in enumerate(scheduler.run(run_job, laboratory, jobs, progress), start=1):
            _collect(files, record)
            if scheduler.apart:
                progress(f"{job}: done, {done} of {len(jobs)}")
    finally:
        _collect(files, record)
    record.report()


def _collect(files: ResultFiles, record: MatrixRecord) -> None:
    """Take cells into the matrix: of this run, of others into this folder, and of those that somebody ended."""
    for key, found in files.all():
        if record.takes(key["dataset"], key["study"]):
            record.add(found["cell"], found["picture"], found["environment"], found.get("configuration"))
            files.remove(key)


def rerun_cells(
    record: Path,
    task: Task,
    engine: Engine,
    *,
    model: Model | None = None,
    source: str | None = None,
    attack: str | None = None,
    defence: str | None = None,
    sample: int | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[dict[str, Any], dict[str, tuple[Any, Any]]]]:
    """Run cells of a matrix.jsonl again: with each record, what came out differently, {field: (then, now)}.

    model: the linear SVM where None.  attack, defence: which cells to run; all where None.  sample: at most so many of
    them, spread evenly.  On an engine other than the record's, only cells that it can run are chosen, since gate sites
    belong to one engine.
    """
    matrix = read_matrix(record)
    if matrix["torn"]:
        progress(matrix["torn"])
    study = Study.again(task, matrix["datasets"], source, model)
    chosen = [
        cell
        for of_seeds in matrix["cells"]
        for cell in of_seeds.get(PER_SEED, (of_seeds,))
        if cell["dataset"] == study.name
        and attack in (None, cell["attack"])
        and defence in (None, cell["defence"])
        and cell["verdict"] != NOT_APPLICABLE
        and (cell["engine"] == str(engine.name) or cell["portable"])
    ]
    if not chosen:
        raise ParameterError(
            f"{record}: expected cells of {study.name}, {attack or 'any attack'}, {defence or 'any defence'}, that "
            f"engine {engine.name} can run, got none: look into the record for what there is"
        )
    count = min(sample or len(chosen), len(chosen))
    for place in np.linspace(0, len(chosen) - 1, count).astype(int):
        cell = chosen[int(place)]
        corrupt_party = 1 if cell.get("corrupt_party") is None else cell["corrupt_party"]
        one = study.of_seed(cell[SEED]) if SEED in cell else study
        (again,) = run_cells(one, [(cell["attack"], cell["defence"])], engine, corrupt_party, progress)
        fields = RESULTS + (COSTS if cell["engine"] == str(engine.name) else ())
        found = cell_of_seed(again.record, cell[SEED], study) if SEED in cell else again.record
        yield cell, {f: (cell.get(f), found.get(f)) for f in fields if cell.get(f) != found.get(f)}


def meant_attacks(model: Model, classes: int = 2, *, adaptive: bool = False) -> list[str]:
    """Those that ask for nothing that the model lacks.  adaptive: also those that adapt to a check."""
    known = {**ATTACKS, **(ADAPTIVE if adaptive else {})}
    return [HONEST, *(name for name, attack in known.items() if not model.lacking(attack.needs, classes))]


def meant_defences(study: Study) -> list[str]:
    """Those of the study's that ask for nothing that its model lacks, and those that its data leave no threshold."""
    classes = len(study.task.classes)
    return [
        *(name for name, defence in study.defences.items() if not study.model.lacking(defence.needs, classes)),
        *study.refused,
    ]


def check_names(attacks: Sequence[str], defences: Sequence[str]) -> None:
    """Raises ParameterError for a name that nobody has, PluginError for one of a plug-in that cannot be had."""
    of_studies = {f"certificate_{k}": None for k in CERTIFICATES}  # calibrated ones
    for kind, names, known in (
        ("attack", attacks, ({HONEST: None}, ATTACKS, ADAPTIVE)),
        ("defence", defences, (DEFENCES, NETWORK_DEFENCES, of_studies)),
    ):
        for name in names:
            holder = next((table for table in known if name in table), None)
            if holder is None:
                listed = ", ".join(dict.fromkeys(each for table in known for each in table))
                raise ParameterError(f"{kind}: expected one of {listed}, got {name!r}")
            holder[name]
