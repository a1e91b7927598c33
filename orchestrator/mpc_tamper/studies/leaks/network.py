"""What the leaks of a network have in common: the data of both sides, and one training with a defence and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.core.progress import Progress
from mpc_tamper.datasets.rows import first_rows
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.registry import NETWORK_DEFENCES, NETWORK_DEFENCES_OF_TEN
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.mlp.opened import OpenedMlp
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.workflows.training import train_and_open

DATASET = "mnist_10"
ROWS = 12_032  # 94 batches
MODEL = "mlp"
NONE, ACTIVE = "none", "active"
DEFENCES = (
    NONE,
    "accuracy",
    "certificate_1",
    "fine_pruning_strong",
    "secret_start",
    "secret_start_fine_pruning",
    ACTIVE,
)


@dataclass(frozen=True, eq=False)
class Sides:
    """task: of the owners, whom the attacker wants to know something about.  own: images of the attacker's own.

    others: images that neither has seen, with their labels.
    """

    task: Task
    own: Task
    others: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, task: Task, rows: int) -> Sides:
        """The first rows are the owners'. A third of what is left, and at most twice as many, is nobody's, the attacker
        has the rest; where no rows are left they share the test images.

        Raises ParameterError where there are fewer rows.
        """
        owners = first_rows(task, rows)
        x, y = task.x_train[rows:], task.y_train[rows:]
        if len(x) < len(task.x_test):
            x, y = task.x_test, task.y_test
        count = len(x) - min(len(x) // 3, 2 * rows)
        if not count:
            raise ParameterError(
                f"{task.name}: expected images besides the training rows, got {len(x)}; take fewer rows"
            )
        return cls(owners, replace(owners, x_train=x[:count], y_train=y[:count]), (x[count:], y[count:]))


@dataclass(frozen=True, eq=False)
class Trained:
    """A training that went through, opened for analysis, and what the servers' checks say of its shares.

    verdicts: by the name of the defence whose check was asked.
    """

    opened: OpenedMlp
    accuracy: float
    verdicts: Mapping[str, bool]


class NetworkTrainings:
    """Trainings of a network on one engine, each with a defence.  runner: its folder is the caller's."""

    def __init__(self, sides: Sides, parameters: MlpParameters, engine: Engine, runner: ScenarioRunner) -> None:
        self.engine, self._runner = engine, runner
        self.plain = Scenario.plain(sides.task, parameters, get_model(MODEL))
        table = NETWORK_DEFENCES if len(sides.task.classes) == 2 else NETWORK_DEFENCES_OF_TEN
        self._defences = MappingProxyType({name: table[name] for name in DEFENCES})

    def scenarios(self, names: tuple[str, ...]) -> list[tuple[Scenario, dict[str, Defence]]]:
        """Each training that these defences make, and who makes it. What the engine cannot run is left out."""
        found: dict[Callable[[Scenario], Scenario], tuple[Scenario, dict[str, Defence]]] = {}
        for name in names:
            if name not in self._defences:
                raise ParameterError(f"defence: expected one of {', '.join(self._defences)}, got {name}")
            defence = self._defences[name]
            if self.engine.active_protocol() is None and (defence.check is not None or name == ACTIVE):
                continue
            if defence.change not in found:
                found[defence.change] = (defence.change(self.plain), {})
            found[defence.change][1][name] = defence
        return list(found.values())

    def run(
        self, scenario: Scenario, plan: AdditiveErrorPlan | None, corrupt_party: int, defences: Mapping[str, Defence]
    ) -> Trained | None:
        """None where the servers noticed and stopped."""
        scenario, trigger = replace(scenario, corrupt_party=corrupt_party), Trigger((0,), target=0)
        attempt = Attempt(trigger, scenario.task)
        if plan is not None:
            attempt = Attempt.in_training(plan, trigger, scenario.task)
        try:
            outcome = self._runner.run(scenario, attempt)
        except ProtocolAbort:
            return None
        task, opened = scenario.task, outcome.opened
        checks = {name: defence.check for name, defence in defences.items() if defence.check is not None}
        verdicts = {name: self._runner.verify(outcome, check).verdict.passed for name, check in checks.items()}
        if not isinstance(opened, OpenedMlp):
            raise ParameterError(f"expected a network, got a {scenario.model.title}")
        return Trained(opened, float((opened.predict(task.x_test) == task.y_test).mean()), verdicts)


def rehearsed(sides: Sides, parameters: MlpParameters) -> tuple[np.ndarray, np.ndarray]:
    """W1 and W2, real, of an honest training on the attacker's own data."""
    clear = get_engine(EngineName.CLEAR)
    opened = train_and_open(sides.own, parameters, model=get_model(MODEL), engine=clear).opened
    if not isinstance(opened, OpenedMlp):
        raise ParameterError(f"expected a network, got a {MODEL}")
    return opened.layers


def check_party(corrupt_party: int) -> None:
    if not 0 <= corrupt_party < PARTIES:
        raise ParameterError(f"corrupt party: expected 0 to {PARTIES - 1}, got {corrupt_party}")


def row_of_table(defence: str, adversary: str, trained: Trained | None, **measured: Any) -> dict[str, Any]:
    """A line of a record: what a defence makes of an attack; measured is left out where the servers stopped."""
    common = {"defence": defence, "adversary": adversary, "aborted": trained is None}
    if trained is None:
        return common
    return common | {"accuracy": trained.accuracy, "passed": trained.verdicts.get(defence), **measured}


def note(progress: Progress, task: Task, text: str) -> None:
    progress(f"{task.name}: {text}")
