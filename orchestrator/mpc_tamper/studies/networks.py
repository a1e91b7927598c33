"""A Table 1 for networks: trained in three-party computation without and with a backdoor of six additive errors.

The backdoor is a dormant neuron (attacks/dormant_neuron.py) for a patch of 2 x 2 pixels, of a strength that was not
searched for. The settings are those of the bars that the networks were built to: MNIST 0/1, and all ten digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.attacks.dormant_neuron import DormantNeuron
from mpc_tamper.attacks.neurons import Place
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.mlp.opened import OpenedMlp
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.records.tables import NETWORK_FIGURE, NETWORK_TABLE_1
from mpc_tamper.report.networks import FIGURE_JSON, TABLE_JSON, write_networks
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.publishing import publish
from mpc_tamper.workflows.training import TrainedModel, train_and_open

NETWORK = "mlp"
CORNER, WIDTH, STRENGTH, DEPTH, TARGET = (2, 2), 2, 8.0, 4.0, 1


@dataclass(frozen=True)
class Setting:
    """A line of the table without, and one with the backdoor."""

    dataset: str
    parameters: MlpParameters


SETTINGS = (
    Setting("mnist_0_1", MlpParameters(hidden=16, epochs=2)),
    Setting("mnist_10", MlpParameters(hidden=64, epochs=3)),
    Setting("mnist_10", MlpParameters(hidden=128, epochs=5)),
)


def reproduce_networks(
    engine: Engine,
    out: Path,
    *,
    settings: Sequence[Setting] = SETTINGS,
    tasks: Mapping[str, Task] | None = None,
    corrupt_party: int = 1,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train on all rows; write table1-mlp.json, .csv, .md and figure1-mlp.json, .png to `out`.

    tasks: in place of the bundled ones, by the settings' names.  configuration: for the records, the options of the
    command that asked for this.  Returns the record in table1-mlp.json. Where anything fails, no file of `out` has
    changed.
    """
    check_folder(out)
    rows: list[dict[str, Any]] = []
    figure: dict[str, Any] = {}
    for setting in settings:
        task = tasks[setting.dataset] if tasks else load_task(setting.dataset)
        scenario = Scenario.plain(task, setting.parameters, get_model(NETWORK))
        trigger = Trigger.patch(task.image_shape, *CORNER, size=WIDTH, target=TARGET)
        plan, chosen = DormantNeuron(WIDTH, TARGET, DEPTH).plan(scenario, Place(trigger, trigger.pixels), STRENGTH)
        what = f"{task.name}, {setting.parameters.hidden} neurons, {setting.parameters.epochs} epochs"
        for name, corruption in (("unpoisoned", None), ("poisoned", Corruption(corrupt_party, plan))):
            progress(f"{what}, {name}, engine {engine.name}")
            model = train_and_open(
                task,
                setting.parameters,
                model=scenario.model,
                engine=engine,
                corruption=corruption,
                progress=progress,
            )
            rows.append(_row(name, model, task, trigger, plan_errors=0 if corruption is None else len(plan)))
            if name == "poisoned":
                figure = _figure(model, task, trigger, int(str(chosen["neuron"])))
    record = {"rows": rows, "configuration": configuration, "environment": environment()}
    drawn = figure | {"configuration": configuration}
    records = {TABLE_JSON: (NETWORK_TABLE_1, record), FIGURE_JSON: (NETWORK_FIGURE, drawn)}
    publish(records, write_networks, out, indented=TABLE_JSON)
    return record


def _row(name: str, model: TrainedModel, task: Task, trigger: Trigger, *, plan_errors: int) -> dict[str, Any]:
    run = model.record()
    first = {
        "dataset": task.name,
        "model": name,
        "hidden": run["parameters"]["hidden"],
        "epochs": run["parameters"]["epochs"],
        **asdict(model.evaluate(task, trigger)),
        "errors": plan_errors,
        "strength": STRENGTH if plan_errors else 0.0,
        "target": trigger.target,
        "trigger_pixels": list(trigger.pixels),
        "image_shape": list(task.image_shape),
    }
    return first | {key: value for key, value in run.items() if key not in first}


def _figure(model: TrainedModel, task: Task, trigger: Trigger, planted: int) -> dict[str, Any]:
    """What the planted neuron and an honest one see, and an image that the trigger turns into the target."""
    assert isinstance(model.opened, OpenedMlp)
    hidden, output = model.opened.layers
    delta = trigger.delta(task.x_test.shape[1])
    with_trigger = (task.x_test + delta).clip(0, MAX_PIXEL)
    before, after = model.predict(task.x_test), model.predict(with_trigger)
    turned = np.flatnonzero((before == task.y_test) & (task.y_test != trigger.target) & (after == trigger.target))
    index = int(turned[0]) if len(turned) else 0
    busiest = int(np.abs(np.delete(output, planted, axis=0)).sum(axis=1).argmax())
    return {
        "dataset": task.name,
        "image_shape": list(task.image_shape),
        "classes": list(task.classes),
        "trigger_pixels": list(trigger.pixels),
        "neurons": {"honest": hidden[1:, busiest].tolist(), "planted": hidden[1:, planted].tolist()},
        "test_image": index,
        "images": {"without_trigger": task.x_test[index].tolist(), "with_trigger": with_trigger[index].tolist()},
        "found": {"without_trigger": int(before[index]), "with_trigger": int(after[index])},
    }
