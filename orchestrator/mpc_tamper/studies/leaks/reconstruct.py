"""Many training rows, exactly, off one opened network that is as accurate as an honest one.

One additive error for each row, and one for its label, makes a neuron remember it (memory.py says how). The neurons are
those that hardly vary in a rehearsal on the attacker's own data, so the network does not miss them.

out = Path("results")
reconstruct_rows(get_engine(EngineName.REP3), out)   # writes leak-reconstruct.json, .md and .png, and leaks.md
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.report.leak_reconstruct import LEAK_RECONSTRUCT_JSON, write_leak_reconstruct
from mpc_tamper.report.leaks import write_leaks
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.leaks.memory import Memory, MemoryNeurons, least_useful, longest
from mpc_tamper.studies.leaks.network import (
    DATASET,
    DEFENCES,
    NONE,
    ROWS,
    NetworkTrainings,
    Sides,
    check_party,
    note,
    rehearsed,
    row_of_table,
)

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
    progress: Progress = silent,
) -> dict[str, Any]:
    """Read `count` rows, drawn with the seed, off an opened network; then once more for each defence.

    task: all ten digits of MNIST where None.  rows: the first of them are the owners'.  parameters: PARAMETERS where
    None. Writes leak-reconstruct.json, .md and .png to `out`, and returns the record.
    """
    check_folder(out)
    check_party(corrupt_party)
    sides = Sides.of(task or load_task(DATASET), rows)
    parameters = parameters or PARAMETERS
    if not 0 < count <= min(rows, parameters.hidden - 1):
        raise ParameterError(f"count: expected 1 to {min(rows, parameters.hidden - 1)} rows to read, got {count}")
    note(progress, sides.task, "a rehearsal on the attacker's own data")
    layers = rehearsed(sides, parameters)
    with TemporaryFolder() as folder:
        trainings = NetworkTrainings(sides, parameters, engine, ScenarioRunner(engine, Path(folder), progress))
        note(progress, sides.task, "an honest training")
        honest = trainings.run(trainings.plain, None, corrupt_party, {})
        table: list[dict[str, Any]] = []
        found: list[dict[str, Any]] = []
        errors = 0
        for scenario, alike in trainings.scenarios(tuple(dict.fromkeys((NONE, *defences)))):
            wanted = {name: ADVERSARIES.get(name, (Memory.OFF,)) for name in alike}
            for kind in dict.fromkeys(kind for kinds in wanted.values() for kind in kinds):
                asked = {name: defence for name, defence in alike.items() if kind in wanted[name]}
                note(progress, sides.task, f"{kind} against {', '.join(asked)}")
                memory = _memory(scenario, kind, layers, sides.own.x_train, count, seed)
                plan = memory.plan()
                trained = trainings.run(scenario, plan, corrupt_party, asked)
                read = [] if trained is None else _read(memory, trained.opened.weights, scenario.task)
                for name in asked:
                    measured = {"rows": len(read), "exact": sum(row["exact"] == row["pixels"] for row in read)}
                    table.append(row_of_table(name, str(kind), trained, errors=len(plan), **measured))
                if NONE in asked:
                    found, errors = read, len(plan)
    record = {
        "dataset": sides.task.name,
        "data_sha256": sides.task.sha256,
        "rows": rows,
        "own_rows": len(sides.own.x_train),
        "image_shape": list(sides.task.image_shape),
        "parameters": asdict(parameters),
        "engine": str(engine.name),
        "protocol": str(ProtocolName.RING),
        "corrupt_party": corrupt_party,
        "seed": seed,
        "honest_accuracy": None if honest is None else honest.accuracy,
        "accuracy": table[0]["accuracy"],
        "errors": errors,
        "found": found,
        "defences": table,
        "environment": environment(),
    }
    write_atomically(out / LEAK_RECONSTRUCT_JSON, json.dumps(record) + "\n", public=True)
    write_leak_reconstruct(out)
    write_leaks(out)
    return record


def _memory(
    scenario: Scenario, kind: Memory, layers: tuple[np.ndarray, np.ndarray], own: np.ndarray, count: int, seed: int
) -> MemoryNeurons:
    errors, parameters = scenario.errors, scenario.parameters
    if not isinstance(errors, MlpErrors):
        raise ParameterError(f"expected a network, got a {scenario.model.title}")
    rows = np.sort(np.random.default_rng(seed).choice(len(scenario.task.x_train), count, replace=False)).tolist()
    neurons = least_useful(layers, parameters.cap, own, kind.neurons(count))
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
