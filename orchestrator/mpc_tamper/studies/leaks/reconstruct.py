"""Many training rows, exactly, off one opened network that is as accurate as an honest one.

One additive error for each row, and one for its label, makes a neuron remember it (memory.py says how). The neurons are
those that hardly vary in a rehearsal on the attacker's own data, so the network does not miss them.

out = Path("results")
reconstruct_rows(get_engine(EngineName.REP3), out)   # writes leak-reconstruct.json, .md and .png, and leaks.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.records.leaks import LEAK_RECONSTRUCT
from mpc_tamper.report.leak_reconstruct import write_leak_reconstruct
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.leaks.memory import Memory, MemoryNeurons, least_useful, longest
from mpc_tamper.studies.leaks.network import (
    DATASET,
    DEFENCES,
    NONE,
    ROWS,
    NetworkLeak,
    Sides,
    accuracy_alone,
    check_party,
    note,
    rehearsed,
    row_of_table,
)
from mpc_tamper.studies.leaks.network_record import swept_record
from mpc_tamper.studies.sweeps.schedulers import Scheduler
from mpc_tamper.studies.sweeps.sweep import Job

PARAMETERS = MlpParameters(hidden=64)
COUNT = 32  # rows that are read
ADVERSARIES = MappingProxyType(
    {
        "certificate_1": (Memory.OFF, Memory.QUIET_OFF),
        "fine_pruning_strong": (Memory.OFF, Memory.CAPPED, Memory.QUIET_CAPPED),
        "secret_start_fine_pruning": (Memory.OFF, Memory.CAPPED),
    }
)
"""Which attacks a defence is tried with: the plain one, and those of an attacker who knows the defence."""


@dataclass(frozen=True)
class _Attack:
    """defences: of one training, that are tried with it.  memory: a Memory."""

    defences: tuple[str, ...]
    memory: str


def reconstruct_rows(
    engine: Engine,
    out: Path,
    *,
    task: Task | None = None,
    rows: int = ROWS,
    parameters: MlpParameters | None = None,
    count: int = COUNT,
    defences: Sequence[str] = DEFENCES,
    corrupt_party: int = 1,
    seed: int = 1,
    scheduler: Scheduler | None = None,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Read `count` rows, drawn with the seed, off an opened network; then once more for each defence.

    task: all ten digits of MNIST where None.  rows: the first of them are the owners'.  parameters: PARAMETERS where
    None.  scheduler: where the trainings are run; in this process where None.
    configuration: for the record, the options of the command that asked for this.

    Writes leak-reconstruct.json, .md and .png to `out`, and returns the record.
    """
    check_folder(out)
    check_party(corrupt_party)
    sides = Sides.of(task or load_task(DATASET), rows)
    parameters = parameters or PARAMETERS
    if not 0 < count <= min(rows, parameters.hidden - 1):
        raise ParameterError(f"count: expected 1 to {min(rows, parameters.hidden - 1)} rows to read, got {count}")
    layers = rehearsed(sides, parameters, progress)
    leak = NetworkLeak(sides, parameters, engine, corrupt_party, layers, count, seed)
    groups = leak.groups((NONE, *defences))
    attacks = [None, *(attack for group in groups for attack in _attacks(group))]
    return swept_record(
        leak,
        out,
        LEAK_RECONSTRUCT,
        _measure,
        [Job({"attack": None if attack is None else asdict(attack)}, attack) for attack in attacks],
        write_leak_reconstruct,
        scheduler=scheduler,
        configuration=configuration,
        progress=progress,
        more={"image_shape": list(sides.task.image_shape)},
    )


def _attacks(group: tuple[str, ...]) -> list[_Attack]:
    """Those that the defences of one training are tried with, each once."""
    kinds = dict.fromkeys(kind for name in group for kind in _adversaries(name))
    return [_Attack(tuple(name for name in group if kind in _adversaries(name)), str(kind)) for kind in kinds]


def _adversaries(defence: str) -> tuple[Memory, ...]:
    return ADVERSARIES.get(defence, (Memory.OFF,))


def _measure(leak: NetworkLeak, attack: _Attack | None, progress: Progress) -> dict[str, Any]:
    """The accuracy of an honest training, or what an attack reads, with a row of the table for each defence."""
    if attack is None:
        return accuracy_alone(leak, progress)
    note(progress, leak.sides.task, f"{attack.memory} against {', '.join(attack.defences)}")
    scenario = leak.scenario(attack.defences)
    memory = _memory(leak, scenario, Memory(attack.memory))
    plan = memory.plan()
    trained = leak.run(scenario, plan, attack.defences, progress)
    read = [] if trained is None else _read(memory, trained.opened.weights, scenario.task)
    measured = {"rows": len(read), "exact": sum(row["exact"] == row["pixels"] for row in read)}
    return {
        "errors": len(plan),
        "table": [row_of_table(name, attack.memory, trained, errors=len(plan), **measured) for name in attack.defences],
        "found": read if NONE in attack.defences else [],
    }


def _memory(leak: NetworkLeak, scenario: Scenario, kind: Memory) -> MemoryNeurons:
    errors, own, count = scenario.errors, leak.sides.own.x_train, leak.count
    if not isinstance(errors, MlpErrors):
        raise ParameterError(f"expected a network, got a {scenario.model.title}")
    rows = np.sort(np.random.default_rng(leak.seed).choice(len(scenario.task.x_train), count, replace=False)).tolist()
    neurons = least_useful(leak.layers, scenario.parameters.cap, own, kind.neurons(count))
    return MemoryNeurons(errors, kind, rows, neurons, longest(own))


def _read(memory: MemoryNeurons, weights: np.ndarray, task: Task) -> list[dict[str, Any]]:
    """Each row beside what was read."""
    labels = memory.labels(weights)
    found = []
    for number, (row, pixels) in enumerate(zip(memory.rows, memory.images(weights), strict=True)):
        truth = task.x_train[row]
        off = np.abs(pixels - truth.astype(np.int64))
        found.append(
            {
                "row": row,
                "label": None if labels is None else labels[number],
                "true_label": int(task.y_train[row]),
                "pixels": len(truth),
                "exact": int((off == 0).sum()),
                "largest_difference": int(off.max()),
                "image": truth.tolist(),
                "reconstruction": np.clip(pixels, 0, 255).tolist(),
            }
        )
    return found
