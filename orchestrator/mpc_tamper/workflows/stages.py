"""A training as a list of stages: each is one program, from rows or an earlier stage's shares to shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine, OnStep
from mpc_tamper.models.base import DataSize, Layout, Model, ProgramCall
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.models.encoding import largest_attribute
from mpc_tamper.models.features import FeatureMap, Pixels
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import ClientRows, Owners, StoredRows
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import ClientAccess, RunSpec
from mpc_tamper.workflows.handoff import hand_off, needs_handoff

TRAIN = "train"
ROWS_STEP = "ROWS"  # of a training program, from waiting for a client to its last row


class Stage(Protocol):
    """name: the key of its errors in an attempt.  active: it has to run under an active protocol wherever it can."""

    @property
    def name(self) -> str: ...

    @property
    def active(self) -> bool: ...

    def text(self, task: Task) -> str:
        """What it does, for a progress display."""
        ...

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        """Its program with arguments and the owners' inputs, which are written to the folder.

        Raises ParameterError or DataError where a bound or the data do not fit.
        """
        ...

    def leaves(self, task: Task) -> ModelDescription | None:
        """The model that its shares are, if they are one."""
        ...


@dataclass(frozen=True)
class Training:
    """The stage that trains a model.

    carry: None where owners or clients enter the rows; else the rows are the shares of the stage before, and this many
    shares after them are to stand after the model's.
    """

    model: Model
    parameters: Any
    features: FeatureMap
    carry: int | None = None

    name = TRAIN
    active = False

    @classmethod
    def of(cls, task: Task, model: Model, parameters: Any) -> Training:
        """On the rows as they are. Raises ParameterError where the task has more classes than the model takes."""
        check_classes(model, task)
        return cls(model, parameters, Pixels(task.x_train.shape[1], largest_attribute(task.x_train)))

    def size(self, task: Task, rows: int | None = None) -> DataSize:
        """rows: all of the task's where None."""
        count = len(task.x_train) if rows is None else rows
        return DataSize(count, self.features.size, self.features.largest, len(task.classes))

    def text(self, task: Task) -> str:
        return f"training on {task.name}, {len(task.x_train):,} rows"

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        if self.carry is not None:
            rows = len(task.x_train)
            return self.model.training(self.parameters, self.size(task), StoredRows(rows, self.carry), layout)
        call = self.model.training(self.parameters, self.size(task, sum(owners.row_counts)), owners, layout)
        if isinstance(owners, ClientRows):
            return call
        x = np.asarray(self.features.features(task.x_train))
        self.model.check_rows(x, self.parameters)
        inputs = self.model.write_inputs(folder, x, task.y_train, owners, self.parameters, len(task.classes))
        return replace(call, inputs=inputs)

    def leaves(self, task: Task) -> ModelDescription:
        size = self.size(task)
        return ModelDescription(
            self.model.name,
            size.features,
            self.model.shares(self.parameters, size),
            image_shape=(task.image_shape or None) if isinstance(self.features, Pixels) else None,
            classes=size.classes,
            architecture=self.model.architecture(self.parameters, size),
            feature_names=task.feature_names if isinstance(self.features, Pixels) else (),
        )


def check_classes(model: Model, task: Task) -> None:
    """Raises ParameterError where the task has more classes than the model takes."""
    if len(task.classes) > 2 and Capability.MANY_CLASSES not in model.capabilities:
        raise ParameterError(
            f"{task.name}: expected two classes for a {model.title}, got {len(task.classes)}; choose two with "
            "--classes A,B, or a model of many classes, such as --model mlp"
        )


def run_stage(
    stage: Stage,
    task: Task,
    *,
    engine: Engine,
    run_dir: Path,
    protocol: ProtocolName = ProtocolName.RING,
    shares_from: Path | None = None,
    owners: Owners | ClientRows | None = None,
    corruption: Corruption | None = None,
    layout: Layout = Layout.ROWS,
    access: ClientAccess | None = None,
    progress: Progress = silent,
) -> RunResult:
    """Run one stage; its shares, and their description, are then in run_dir, and nothing is opened.

    shares_from: the run folder of the stage before.  owners: one owner of rows and labels where None.  access: for
    ClientRows.  protocol: of the training; an active stage takes the engine's active one instead, where it has one.
    Where that cannot read a passive run's shares, handoff.mpc runs first, in run_dir's sibling "<name>-handoff".

    Raises UsageErrors before anything starts, and what the engine raises.
    """
    trained_under, protocol = protocol, protocol_of(stage, engine, protocol)
    owners = owners or Owners.share_equally(len(task.x_train))
    if shares_from is not None and needs_handoff(shares_from, engine, protocol):
        handed = run_dir.with_name(f"{run_dir.name}-handoff")
        hand_off(shares_from, engine, protocol, handed)
        shares_from = handed
    with TemporaryFolder() as folder:
        call = stage.call(task, owners, Path(folder), layout)
        spec = RunSpec(
            program=call.program,
            args=call.args,
            protocol=protocol,
            inputs=call.inputs,
            run_dir=run_dir,
            shares_from=shares_from,
            corruption=corruption,
            clients=access or ClientAccess(),
        )
        on_step = passes(call, stage.text(task), progress)
        if isinstance(owners, ClientRows):
            result = engine.run(spec, contributions(len(owners.row_counts), on_step, progress), progress)
        else:
            result = engine.run(spec, on_step)
    if (description := stage.leaves(task)) is not None:
        of_clients = isinstance(owners, ClientRows)
        passive = not trained_under.active
        replace(description, protocol=protocol, passive=passive, of_clients=of_clients).write(run_dir)
    return result


def protocol_of(stage: Stage, engine: Engine, protocol: ProtocolName) -> ProtocolName:
    """Under which protocol the stage runs if the training runs under this one."""
    return (stage.active and not protocol.active and engine.active_protocol()) or protocol


def shares_of(run_dir: Path) -> Path:
    """The folder of a training's shares below the run_dir that a user named, or run_dir where it is that folder."""
    return run_dir / TRAIN if (run_dir / TRAIN).is_dir() else run_dir


def contributions(clients: int, on_step: OnStep | None, progress: Progress) -> OnStep:
    """Tells which clients have contributed, as well as what on_step tells."""
    seen = 0

    def told(site: str, occurrence: int) -> None:
        nonlocal seen
        done = occurrence if site == ROWS_STEP else clients
        while seen < done:
            seen += 1
            progress(f"client {seen} of {clients} has contributed")
        if on_step is not None:
            on_step(site, occurrence)

    return told


def passes(call: ProgramCall, text: str, progress: Progress) -> OnStep | None:
    """Tells how many passes of the program's main loop are done."""
    if call.loop is None:
        return None
    last, count = call.loop
    text = f"{text}, {count:,} steps"
    progress(text)

    def on_step(site: str, occurrence: int) -> None:
        if site == last:
            progress(text, (occurrence + 1) / count)

    return on_step
