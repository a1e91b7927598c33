"""One attack on one training, with a defence or without: a cell of the matrix by itself, with what a user chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mpc_tamper.attacks.registry import ADAPTIVE, ATTACKS, attack_named
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import Defence
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Model
from mpc_tamper.models.registry import get_model, model_names
from mpc_tamper.report.matrix_record import NOT_APPLICABLE
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.matrix.calibration import with_threshold
from mpc_tamper.studies.matrix.cells import run_cells
from mpc_tamper.studies.matrix.study import Study, defences_for

NO_DEFENCE = "none"


def chosen_defence(model: Model, task: Task, name: str, threshold: float | None = None) -> Defence:
    """A defence that the registries hold for such a model and task.

    threshold: of its check; the registry's, which is MNIST's or CIFAR-10's, where None.
    """
    known = defences_for(model, task)
    if name not in known:
        raise ParameterError(f"defence: expected one of {', '.join(known)} for {model.name}, got {name!r}")
    defence = known[name]
    model.require(defence.needs, f"defence {name}")
    if threshold is None:
        return defence
    if defence.check is None or not hasattr(defence.check, "threshold"):
        raise ParameterError(f"threshold: expected a defence that checks the model, got {name}, which does not")
    return replace(defence, check=with_threshold(defence.check, threshold))


def attack_once(
    task: Task,
    attack: str,
    *,
    model: Model,
    parameters: Any,
    engine: Engine,
    defence: str = NO_DEFENCE,
    threshold: float | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    corrupt_party: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The record of the cell. The model is opened: this is an experimenter's, on data of the experimenter's own.

    Raises ParameterError where the model or the engine lacks what the attack or the defence needs.
    """
    attack_named(attack)
    chosen = chosen_defence(model, task, defence, threshold)
    if protocol is not ProtocolName.RING:
        chosen = replace(chosen, change=_Under(protocol, chosen))
    study = Study(task, task.source, parameters, {defence: chosen}, model)
    (cell,) = run_cells(study, [(attack, defence)], engine, corrupt_party, progress)
    if cell.record["verdict"] == NOT_APPLICABLE:
        raise ParameterError(f"{attack} against {defence}: {cell.record['reason']}; choose another")
    return cell.record


def attacks_by_model() -> Mapping[str, list[str]]:
    """For each attack that is registered, the models that have what it needs."""
    models = {name: get_model(name) for name in model_names()}
    known = {**ATTACKS, **ADAPTIVE}
    return {
        attack: [name for name, model in models.items() if not model.lacking(found.needs)]
        for attack, found in known.items()
    }


class _Under:
    """A defence's change, and the training under another protocol."""

    def __init__(self, protocol: ProtocolName, defence: Defence) -> None:
        self._protocol, self._defence = protocol, defence

    def __call__(self, scenario: Scenario) -> Scenario:
        return replace(self._defence.change(scenario), protocol=self._protocol)
