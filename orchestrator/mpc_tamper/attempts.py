"""An attack of one's own, which need not be registered, against a defence: what mpc_tamper.try_attack() does.

It stands beside api.py because it needs the registries of studies, which take a second to import.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpc_tamper.api import EngineLike, engine_of
from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import Defence
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.models.registry import DEFAULT, get_model
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attack, Attempt, Scenario
from mpc_tamper.studies.single import NO_DEFENCE, chosen_defence
from mpc_tamper.workflows.verification import Verification


@dataclass(frozen=True, eq=False)
class Tried:
    """What became of an attack on one training.

    attempt: what the attack chose to do.
    abort: how an active protocol ended the training; then there is no model, and the rest is None.
    metrics: of the model on the test rows, without and with the trigger.  opened: the model.
    verification: by the defence's check; None where it has none.
    """

    attempt: Attempt
    abort: ProtocolAbort | None = None
    metrics: Metrics | None = None
    opened: OpenedModel | None = None
    verification: Verification | None = None

    @property
    def stopped(self) -> bool:
        """Whether nobody would use the model: the training aborted, or the check said no."""
        return self.abort is not None or (self.verification is not None and not self.verification.verdict.passed)


def try_attack(
    task: Task,
    attack: Attack,
    parameters: Any = None,
    *,
    model: str = DEFAULT,
    engine: EngineLike = EngineName.REP3,
    defence: str | Defence = NO_DEFENCE,
    threshold: float | None = None,
    corrupt_party: int = 1,
    progress: Progress = silent,
) -> Tried:
    """Run an attack against a defence: it rehearses on the clear engine, then one server follows it on this engine.

    The model is opened: this is an experimenter's, on data of the experimenter's own. An abort is a result here.

    parameters: the model's, its defaults where None.
    defence: by its name, such as "certificate_1", or a Defence of your own.
    threshold: of a named defence's check; the registry's where None.
    Raises ParameterError where the model lacks what the attack or the defence needs.
    """
    kind, runs_on = get_model(model), engine_of(engine)
    parameters = kind.parameters() if parameters is None else parameters
    if isinstance(defence, str):
        defence = chosen_defence(kind, task, defence, threshold)
    elif threshold is not None:
        raise ParameterError("threshold: expected a defence by its name with it, got a Defence, which has its own")
    kind.require(attack.needs | defence.needs, f"attack {type(attack).__name__}", len(task.classes))
    scenario = defence.change(replace(Scenario.plain(task, parameters, kind), corrupt_party=corrupt_party))
    with TemporaryFolder() as folder:
        progress("the attacker rehearses in the clear")
        rehearsed = replace(scenario, protocol=ProtocolName.RING)
        clear = ScenarioRunner(get_engine(EngineName.CLEAR), Path(folder, "clear"))
        attempt = attack.prepare(rehearsed, clear.trial(rehearsed))
        runner = ScenarioRunner(runs_on, Path(folder, "real"), progress)
        try:
            outcome = runner.run(scenario, attempt)
        except ProtocolAbort as abort:
            return Tried(attempt, abort)
        verification = None if defence.check is None else runner.verify(outcome, defence.check, defence.examples)
        return Tried(attempt, None, outcome.evaluate(attempt), outcome.opened, verification)
