"""Run a scenario with an attempt on it, stage by stage; open the model for analysis, verify it, measure it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.rows import tests_of_each_class
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.checks import Check
from mpc_tamper.models.features import FeatureMap, Pixels
from mpc_tamper.models.metrics import Metrics, evaluate, robust_accuracy
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.result import RunResult
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.workflows.opening import open_shares
from mpc_tamper.workflows.stages import Stage, protocol_of, run_stage
from mpc_tamper.workflows.verdicts import NO_LIMIT
from mpc_tamper.workflows.verification import Verification, verify


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model, opened for analysis.

    features: what it weighs.  runs: what it took, the opening left out.  shares: the folder of the shared model.
    """

    opened: OpenedModel
    scenario: Scenario
    features: FeatureMap
    runs: tuple[RunResult, ...]
    shares: Path

    def evaluate(self, attempt: Attempt, on: Task | None = None) -> Metrics:
        """On test rows, without and with the attempt's trigger.  on: whose; the scenario's where None."""
        task, trigger = on or self.scenario.task, attempt.trigger
        delta = trigger.delta(task.x_test.shape[1])
        return evaluate(self.opened, task.x_test, task.y_test, delta, trigger.target, self.features.features)

    def robust_accuracy(self, attempt: Attempt, on: Task | None = None) -> float:
        """Of the test rows of other classes, with the trigger, the share that keeps its class.  on: as of evaluate."""
        task, trigger = on or self.scenario.task, attempt.trigger
        delta = trigger.delta(task.x_test.shape[1])
        return robust_accuracy(self.opened, task.x_test, task.y_test, delta, trigger.target, self.features.features)


Rehearsal = Callable[[Attempt], Outcome]


def judged(rehearsal: Rehearsal) -> Trial:
    """By the test rows of the scenario, which an attacker chooses with."""
    return lambda attempt: rehearsal(attempt).evaluate(attempt)


@dataclass(frozen=True, eq=False)
class _Done:
    """A stage that was run, and on what."""

    stage: Stage
    task: Task
    plan: AdditiveErrorPlan | None
    corrupt_party: int | None
    insecure_fixed_seed: int | None

    def same(self, other: _Done) -> bool:
        if self.task is not other.task or self.stage != other.stage:
            return False
        mine, theirs = (
            (done.corrupt_party, done.insecure_fixed_seed, None if done.plan is None else done.plan.sha256())
            for done in (self, other)
        )
        return mine == theirs


class ScenarioRunner:
    """Runs scenarios on one engine. The first stage of several is kept, for all trials of a search that leave it alone.

    folder: for share files; whoever made it removes it.
    """

    def __init__(self, engine: Engine, folder: Path, progress: Progress = silent) -> None:
        self.engine = engine
        self._progress = progress
        self._places = (folder / str(number) for number in itertools.count())
        self._kept: list[tuple[_Done, Path, RunResult]] = []

    def trial(self, scenario: Scenario) -> Trial:
        """What was tried once is known: attacks that search alike train once, whatever their triggers."""
        return judged(self.rehearsal(scenario))

    def rehearsal(self, scenario: Scenario) -> Rehearsal:
        """What an attempt leaves; the same outcome for errors that were tried before."""
        known: list[tuple[Attempt, Outcome]] = []

        def rehearsed(attempt: Attempt) -> Outcome:
            for earlier, outcome in known:
                if earlier.same_errors(attempt):
                    return outcome
            known.append((attempt, self.run(scenario, attempt)))
            return known[-1][1]

        return rehearsed

    def run(self, scenario: Scenario, attempt: Attempt) -> Outcome:
        """Raises what the engine raises: ProtocolAbort where an active protocol caught the errors."""
        if attempt.task is not scenario.task and scenario.fit is not None:  # an owner poisons what the map is fit to
            scenario = replace(scenario, features=scenario.fit(attempt.task.x_train))
        stages = scenario.stages
        unknown = set(attempt.plans) - {stage.name for stage in stages}
        if unknown:
            raise ParameterError(f"expected errors in stages of the scenario, got some in {', '.join(sorted(unknown))}")
        description = stages[-1].leaves(attempt.task)
        if description is None:
            raise ParameterError(f"expected the last stage to leave a model, got {stages[-1].name}")
        place, engine = next(self._places), self._engine_for(attempt)
        shares, run = self._first(stages[0], len(stages) > 1, scenario, attempt, place)
        runs = [run]
        for stage in stages[1:]:
            shares, run = self._stage(stage, scenario, attempt, place, shares)
            runs.append(run)
        protocol = protocol_of(stages[-1], self.engine, scenario.protocol)
        weights = open_shares(shares, description.shares, engine, place / "reveal", protocol)
        features = scenario.scored or scenario.features
        return Outcome(
            scenario.model.opened(weights, description.architecture), scenario, features, tuple(runs), shares
        )

    def verify(self, outcome: Outcome, check: Check, examples: int | None = None) -> Verification:
        """The check of the shared model on the task's test images, which all servers know.

        examples: about so many of them, as many of each class; all where None.
        """
        task = outcome.scenario.task
        if examples is not None:
            task = tests_of_each_class(task, examples)
        if check.pixels and not isinstance(outcome.features, Pixels):
            raise ParameterError("expected a model of pixels for a certificate, got one of other features")
        return verify(
            outcome.shares,
            outcome.features.features(task.x_test),
            task.y_test,
            check,
            engine=self.engine,
            channels=task.channels,
            max_verdicts=NO_LIMIT,
            progress=self._progress,
        )

    def _first(
        self, stage: Stage, keep: bool, scenario: Scenario, attempt: Attempt, place: Path
    ) -> tuple[Path, RunResult]:
        """The first stage, or its earlier run on the same data with the same errors.  keep: for later trials."""
        plan = attempt.plans.get(stage.name)
        party = None if plan is None else scenario.corrupt_party
        what = _Done(stage, attempt.task, plan, party, attempt.insecure_fixed_seed)
        for known, where, run in self._kept:
            if known.same(what):
                return where, run
        where, run = self._stage(stage, scenario, attempt, place, None)
        if keep:
            self._kept.append((what, where, run))
        return where, run

    def _stage(
        self, stage: Stage, scenario: Scenario, attempt: Attempt, place: Path, shares_from: Path | None
    ) -> tuple[Path, RunResult]:
        plan = attempt.plans.get(stage.name)
        run_dir = place / stage.name
        run = run_stage(
            stage,
            attempt.task,
            engine=self._engine_for(attempt),
            run_dir=run_dir,
            protocol=scenario.protocol,
            shares_from=shares_from,
            corruption=None if plan is None else Corruption(scenario.corrupt_party, plan),
            progress=self._progress,
        )
        return run_dir, run

    def _engine_for(self, attempt: Attempt) -> Engine:
        seed = attempt.insecure_fixed_seed
        return self.engine if seed is None else self.engine.seeded(seed)
