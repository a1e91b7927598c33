"""Whether an image was a training row, by one label of a network that nobody opens.

Additive errors plant a canary for each candidate (canaries.py). Half of the candidates are rows of the training, the
others are images that nobody trained on; the record says how many of both one label each tells rightly.

Labels are what mpc-tamper query gives, class only. They are computed from the opened network, which is exact: the
program that answers queries gives the same classes (tests/models/mlp).

out = Path("results")
ask_membership(get_engine(EngineName.REP3), out)   # writes leak-membership.json and .md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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
from mpc_tamper.records.leaks import LEAK_MEMBERSHIP
from mpc_tamper.report.leak_membership import write_leak_membership
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.leaks.canaries import Canaries
from mpc_tamper.studies.leaks.memory import least_useful
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

COUNT = 50  # members, and others
PARAMETERS = MlpParameters(hidden=32 + 2 * COUNT)
PLAIN = "canaries"


def ask_membership(
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
    """Ask about `count` training rows and as many other images, drawn with the seed; once more for each defence.

    task: all ten digits of MNIST where None.  rows: the first of them are the owners'.  parameters: PARAMETERS where
    None.  scheduler: where the trainings are run; in this process where None.
    configuration: for the record, the options of the command that asked for this.

    Writes leak-membership.json and .md to `out`, and returns the record.
    """
    check_folder(out)
    check_party(corrupt_party)
    sides = Sides.of(task or load_task(DATASET), rows)
    parameters = parameters or PARAMETERS
    most = min(rows, len(sides.others[0]), (parameters.hidden - 1) // 2)
    if not 0 < count <= most:
        raise ParameterError(f"count: expected 1 to {most} members and as many others to ask about, got {count}")
    layers = rehearsed(sides, parameters, progress)
    leak = NetworkLeak(sides, parameters, engine, corrupt_party, layers, count, seed)
    groups = [None, *leak.groups((NONE, *defences))]
    return swept_record(
        leak,
        out,
        LEAK_MEMBERSHIP,
        _measure,
        [Job({"defences": None if group is None else list(group)}, group) for group in groups],
        write_leak_membership,
        scheduler=scheduler,
        configuration=configuration,
        progress=progress,
    )


def _measure(leak: NetworkLeak, group: tuple[str, ...] | None, progress: Progress) -> dict[str, Any]:
    """The accuracy of an honest training, or what labels tell, with a row of the table for each defence."""
    if group is None:
        return accuracy_alone(leak, progress)
    note(progress, leak.sides.task, f"canaries against {', '.join(group)}")
    scenario, count = leak.scenario(group), leak.count
    neurons = least_useful(leak.layers, leak.parameters.cap, leak.sides.own.x_train, 2 * count)
    canaries, asked = _candidates(scenario, leak.sides, neurons, leak.seed)
    plan = canaries.plan()
    trained = leak.run(scenario, plan, group, progress)
    measured: dict[str, Any] = {"errors": len(plan)}
    found: list[dict[str, Any]] = []
    if trained is not None:
        labels = trained.opened.predict(canaries.candidates)
        said = canaries.members(labels)
        measured |= {"members_right": int(said[:count].sum()), "others_right": int((~said[count:]).sum())}
        if NONE in group:
            told = zip(asked, labels.tolist(), said.tolist(), strict=True)
            found = [about | {"label": label, "said_member": member} for about, label, member in told]
    return {
        "errors": len(plan),
        "table": [row_of_table(name, PLAIN, trained, **measured) for name in group],
        "found": found,
    }


def _candidates(
    scenario: Scenario, sides: Sides, neurons: list[int], seed: int
) -> tuple[Canaries, list[dict[str, Any]]]:
    """Canaries for members and then for as many others; and what is true of each candidate."""
    errors, task, (x, y) = scenario.errors, scenario.task, sides.others
    if not isinstance(errors, MlpErrors):
        raise ParameterError(f"expected a network, got a {scenario.model.title}")
    rng, count = np.random.default_rng(seed), len(neurons) // 2
    members, others = (np.sort(rng.choice(there, count, replace=False)) for there in (len(task.x_train), len(x)))
    classes = np.concatenate([task.y_train[members], y[others]])
    canaries = Canaries(
        errors,
        np.concatenate([task.x_train[members], x[others]]),
        ((classes.astype(int) + 1) % len(task.classes)),
        neurons,
        sides.own.x_train,
    )
    numbers = [*members.tolist(), *others.tolist()]
    truths = zip(numbers, classes.tolist(), [True] * count + [False] * count, strict=True)
    return canaries, [{"index": index, "class": true, "member": member} for index, true, member in truths]
