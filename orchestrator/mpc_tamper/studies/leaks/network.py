"""What the leaks of a network have in common: the data of both sides, and one training with a defence and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.core.progress import Progress
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.rows import first_rows
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.base import Change, Defence
from mpc_tamper.defences.registry import NETWORK_DEFENCES, NETWORK_DEFENCES_OF_TEN
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.mlp.opened import OpenedMlp
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
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


@dataclass(frozen=True, eq=False)
class NetworkLeak:
    """What all trainings of a leak have in common; it can be sent to another process.

    layers: of a network that the attacker rehearsed.  count: how many rows, or members, are asked about.
    """

    sides: Sides
    parameters: MlpParameters
    engine: Engine
    corrupt_party: int
    layers: tuple[np.ndarray, np.ndarray]
    count: int
    seed: int

    def facts(self) -> dict[str, Any]:
        """What a result depends on; JSON types."""
        return {
            "dataset": self.sides.task.name,
            "data_sha256": self.sides.task.sha256,
            "rows": len(self.sides.task.x_train),
            "own_rows": len(self.sides.own.x_train),
            "parameters": asdict(self.parameters),
            "engine": str(self.engine.name),
            "protocol": str(ProtocolName.RING),
            "corrupt_party": self.corrupt_party,
            "seed": self.seed,
            "count": self.count,
        }

    @property
    def plain(self) -> Scenario:
        return Scenario.plain(self.sides.task, self.parameters, get_model(MODEL))

    def groups(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Defences by the training that they make, each group in order. What the engine cannot run is left out."""
        found: dict[Change, list[str]] = {}
        for name, defence in self._defences(dict.fromkeys(names)).items():
            if self.engine.active_protocol() is not None or (defence.check is None and name != ACTIVE):
                found.setdefault(defence.change, []).append(name)
        return [tuple(group) for group in found.values()]

    def scenario(self, group: Sequence[str]) -> Scenario:
        """The training that these defences, one of groups(), make."""
        changes = {defence.change for defence in self._defences(group).values()}
        (change,) = changes
        return change(self.plain)

    def run(
        self, scenario: Scenario, plan: AdditiveErrorPlan | None, defences: Sequence[str], progress: Progress
    ) -> Trained | None:
        """None where the servers noticed and stopped.  defences: whose checks are asked."""
        scenario, trigger = replace(scenario, corrupt_party=self.corrupt_party), Trigger((0,), target=0)
        attempt = Attempt(trigger, scenario.task)
        if plan is not None:
            attempt = Attempt.in_training(plan, trigger, scenario.task)
        with TemporaryFolder() as folder:
            runner = ScenarioRunner(self.engine, Path(folder), progress)
            try:
                outcome = runner.run(scenario, attempt)
            except ProtocolAbort:
                return None
            known = self._defences(defences)
            checks = {name: defence.check for name, defence in known.items() if defence.check is not None}
            verdicts = {name: runner.verify(outcome, check).verdict.passed for name, check in checks.items()}
        task, opened = scenario.task, outcome.opened
        if not isinstance(opened, OpenedMlp):
            raise ParameterError(f"expected a network, got a {scenario.model.title}")
        return Trained(opened, float((opened.predict(task.x_test) == task.y_test).mean()), verdicts)

    def _defences(self, names: Iterable[str]) -> dict[str, Defence]:
        table = NETWORK_DEFENCES if len(self.sides.task.classes) == 2 else NETWORK_DEFENCES_OF_TEN
        for name in names:
            if name not in DEFENCES:
                raise ParameterError(f"defence: expected one of {', '.join(DEFENCES)}, got {name}")
        return {name: table[name] for name in names}


def accuracy_alone(leak: NetworkLeak, progress: Progress) -> dict[str, Any]:
    """Of an honest training."""
    note(progress, leak.sides.task, "an honest training")
    honest = leak.run(leak.plain, None, (), progress)
    return {"accuracy": None if honest is None else honest.accuracy}


def rehearsed(sides: Sides, parameters: MlpParameters, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """W1 and W2, real, of an honest training on the attacker's own data."""
    note(progress, sides.task, "a rehearsal on the attacker's own data")
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
