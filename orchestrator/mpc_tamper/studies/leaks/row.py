"""A training row of an owner, read off an opened model: why training opens nothing.

The paper (section 1) finds that in this setting it "appears to be much more difficult to break privacy".
A corrupt server that adds errors to MARGIN alone silences all rows but one (gradient zeroing, of both classes), and
keeps that one on the near side of the hinge. Then every step of its batch adds a multiple of y x to the weights, x
being that row and y its label, and no other step adds anything: the model, once opened, is the row. Each weight is a
known function of one pixel, in exact integers, which the attacker tabulates for the levels 0 to 255 and either label.

How fine that table is depends on public parameters. A level has to move a weight by at least one unit of 2^-16: with
mini-batches of 128 rows and alpha = 0.5 it does. Weight decay takes a unit from each positive weight in every step, by
the floor of the shift, and with it the darkest pixels of rows of class 1. In the paper's plain setting on all of MNIST,
full batches and alpha = 0.1, a white pixel moves a weight by half a unit; the floors leave the silhouette of a row of
class 0, and nothing of one of class 1.

out = Path("results")
leak_rows(get_engine(EngineName.REP3), out)   # writes leak-row.json, .md and .png, and leaks.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.rehearsal import single_row_weights
from mpc_tamper.records.leaks import LEAK_ROW
from mpc_tamper.report.leak_row import LEAK_ROW_JSON, write_leak_row
from mpc_tamper.report.leaks import write_leaks
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Scheduler, Serial
from mpc_tamper.studies.sweeps.sweep import Job, sweep
from mpc_tamper.workflows.training import train, train_and_open

NAME = "leak-row"
DATASET = "mnist_0_1"
BATCH = 128
PARAMETERS = SvmParameters(learning_rate=0.5, regularisation=0.0, batch_size=BATCH, iterations=5)
ROWS = 8  # that are read, one training each, where nobody chose some


@dataclass(frozen=True)
class _Training:
    """row: that is read; None for an honest training."""

    row: int | None
    active: bool = False


@dataclass(frozen=True, eq=False)
class _Given:
    task: Task
    parameters: SvmParameters
    engine: Engine
    corrupt_party: int


def leak_rows(
    engine: Engine,
    out: Path,
    *,
    task: Task | None = None,
    rows: Sequence[int] | None = None,
    parameters: SvmParameters | None = None,
    corrupt_party: int = 1,
    seed: int = 1,
    scheduler: Scheduler | None = None,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Read rows off opened models, a training for each, and try one under the engine's active protocol.

    task: all of MNIST 0/1 where None.  rows: indices of training rows; ROWS drawn with the seed where None.
    parameters: PARAMETERS where None, in smaller batches where there are fewer rows.  scheduler: where the trainings
    are run; in this process where None.  configuration: for the record, the options of the command that asked for this.

    Writes leak-row.json, .md and .png to `out`, and returns the record.
    """
    check_folder(out)
    task = task or load_task(DATASET)
    parameters = parameters or replace(PARAMETERS, batch_size=min(BATCH, len(task.x_train)))
    scenario = Scenario.plain(task, parameters)
    if rows is None:
        rows = np.sort(np.random.default_rng(seed).choice(len(task.x_train), ROWS, replace=False)).tolist()
    for row in rows:
        scenario.errors.only_row(row)  # refuses rows that there are not
    about = {"data_sha256": task.sha256, "rows": len(task.x_train), "parameters": asdict(parameters)}
    about |= {"engine": str(engine.name), "corrupt_party": corrupt_party}
    trainings = [_Training(None), *(_Training(row) for row in rows), _Training(rows[0], active=True)]
    with sweep(
        ResultFiles.beside(out, NAME),
        scheduler or Serial(),
        _measure,
        _Given(task, parameters, engine, corrupt_party),
        [Job(about | asdict(training), training) for training in trainings],
        progress,
    ) as (honest, *found, active):
        record = {
            "dataset": task.name,
            "image_shape": list(task.image_shape),
            "protocol": str(ProtocolName.RING),
            "seed": seed,
            "honest_accuracy": honest["accuracy"],
            "found": found,
            "active": active or None,
            "configuration": configuration,
            "environment": environment(),
        } | about
        record = LEAK_ROW.write(out / LEAK_ROW_JSON, record)
        write_leak_row(out)
        write_leaks(out)
    return record


def read_row(scenario: Scenario, weights: np.ndarray, row: int) -> tuple[np.ndarray, int]:
    """The pixels, (n,) uint8, and the label, 0 or 1, of the row that an opened model, (n + 1,) int64, is."""
    levels = np.append(np.arange(MAX_PIXEL + 1), BIAS)

    def table(label: int) -> np.ndarray:
        signed = levels if label else -levels
        return single_row_weights(scenario.parameters, scenario.constants, len(scenario.task.x_train), row, signed)

    tables = [table(0), table(1)]
    label = int(np.argmin([abs(int(each[-1]) - int(weights[0])) for each in tables]))
    distances = np.abs(weights[1:, None] - tables[label][None, :-1])
    return distances.argmin(axis=1).astype(np.uint8), label


def _measure(given: _Given, training: _Training, progress: Progress) -> dict[str, Any]:
    """What a training gives: the accuracy of an honest one, the row that is read, or how an active one ends."""
    task, parameters = given.task, given.parameters
    if training.row is None:
        progress(f"{task.name}: an honest training")
        honest = train_and_open(task, parameters, engine=given.engine, progress=progress)
        return {"accuracy": float((honest.predict(task.x_test) == task.y_test).mean())}
    scenario = Scenario.plain(task, parameters)
    corruption = Corruption(given.corrupt_party, scenario.errors.only_row(training.row))
    if training.active:
        return _under_active(given, corruption, progress)
    progress(f"{task.name}: row {training.row}")
    attacked = train_and_open(task, parameters, engine=given.engine, corruption=corruption, progress=progress)
    pixels, label = read_row(scenario, attacked.weights, training.row)
    return _compared(task, training.row, pixels, label)


def _compared(task: Task, row: int, pixels: np.ndarray, label: int) -> dict[str, Any]:
    truth = task.x_train[row]
    off = np.abs(pixels.astype(np.int64) - truth)
    return {
        "row": row,
        "label": label,
        "true_label": int(task.y_train[row]),
        "pixels": len(truth),
        "exact": int((off == 0).sum()),
        "largest_difference": int(off.max()),
        "image": truth.tolist(),
        "reconstruction": pixels.tolist(),
    }


def _under_active(given: _Given, corruption: Corruption, progress: Progress) -> dict[str, Any]:
    """What an attack comes to in active training; nothing where the engine has none."""
    protocol = given.engine.active_protocol()
    if protocol is None:
        return {}
    progress(f"{given.task.name}: the same under {protocol}")
    try:
        train(given.task, given.parameters, engine=given.engine, protocol=protocol, corruption=corruption)
    except ProtocolAbort as abort:
        return {"protocol": str(protocol), "aborted": True, "message": str(abort)}
    return {"protocol": str(protocol), "aborted": False, "message": ""}
