"""Run a scenario with an attempt on it: prepare the rows, train, open the model for analysis, measure.

With principal components in the computation three programs run: pca.mpc, svm_train.mpc on what it left, and, actively,
the lift of the model back to pixels (docs/pca.md).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from orchestrator.additive_errors import AdditiveErrorPlan
from orchestrator.datasets.task import Task
from orchestrator.defences.base import Check
from orchestrator.engines.base import Engine
from orchestrator.engines.rep3.engine import Rep3Engine
from orchestrator.experiments.components import components_of, compute_components, lift, train_on_components
from orchestrator.experiments.training import open_model, train_shared
from orchestrator.experiments.verification import Verification, verify
from orchestrator.metrics import Metrics, evaluate
from orchestrator.pca import PcaParameters
from orchestrator.progress import Progress, silent
from orchestrator.records import EngineName, ProtocolName, RunResult
from orchestrator.scenario import Attempt, Pixels, Scenario, Trial
from orchestrator.trigger import Trigger


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model, opened for analysis.

    weights: (d + 1,) int64 at scale 2^16, bias first.  scenario: whose features they weigh.
    runs: what it took, the opening left out.  shares: the folder that the shared model lies in.
    """

    weights: np.ndarray
    scenario: Scenario
    runs: tuple[RunResult, ...]
    shares: Path

    def evaluate(self, attempt: Attempt) -> Metrics:
        """On the task's test images, without and with the attempt's trigger."""
        task, trigger = self.scenario.task, attempt.trigger
        delta = trigger.delta(task.x_test.shape[1])
        features = self.scenario.features.features
        return evaluate(self.weights, task.x_test, task.y_test, delta, trigger.target, features)


@dataclass(frozen=True, eq=False)
class _Analysis:
    """A run of pca.mpc. plan, corrupt_party: None for an honest one."""

    task: Task
    parameters: PcaParameters
    plan: AdditiveErrorPlan | None
    corrupt_party: int | None

    def same(self, other: _Analysis) -> bool:
        alike = (self.parameters, self.corrupt_party) == (other.parameters, other.corrupt_party)
        return alike and self.task is other.task and self.plan is other.plan


class Laboratory:
    """Runs scenarios on one engine. The principal components of the same rows are computed once and kept; those that
    errors went into are kept apart, for the trials of a search.

    folder: for share files; whoever made it removes it.
    """

    def __init__(self, engine: Engine, folder: Path, progress: Progress = silent) -> None:
        self.engine = engine
        self._progress = progress
        self._places = (folder / str(number) for number in itertools.count())
        self._computed: list[tuple[_Analysis, Path, RunResult]] = []

    def trial(self, scenario: Scenario) -> Trial:
        """Of plans on the scenario's own data. What was tried once is known: attacks that search alike train once."""
        known: dict[tuple[str | None, str | None, Trigger], Metrics] = {}

        def tried(attempt: Attempt) -> Metrics:
            key = (_sha256(attempt.plan), _sha256(attempt.analysis_plan), attempt.trigger)
            if key not in known:
                known[key] = self.run(scenario, attempt).evaluate(attempt)
            return known[key]

        return tried

    def run(self, scenario: Scenario, attempt: Attempt) -> Outcome:
        """Raises what the engine raises: ProtocolAbort where an active protocol caught the errors."""
        if scenario.components is not None:
            return self._run_on_components(scenario, PcaParameters(scenario.components), attempt)
        place, engine = next(self._places), self._engine_for(attempt)
        features = scenario.features.features(attempt.task.x_train)
        training = train_shared(
            replace(attempt.task, x_train=features),
            scenario.parameters,
            engine=engine,
            run_dir=place / "train",
            plan=attempt.plan,
            corrupt_party=None if attempt.plan is None else scenario.corrupt_party,
            protocol=scenario.protocol,
            progress=self._progress,
        )
        columns = scenario.features.size + 1
        weights = open_model(place / "train", columns, engine, place / "reveal", scenario.protocol)
        return Outcome(weights, scenario, (training,), place / "train")

    def verify(self, outcome: Outcome, check: Check) -> Verification:
        """The check of the shared model on the task's test images, which all servers know."""
        task = outcome.scenario.task
        return verify(
            outcome.shares,
            outcome.scenario.features.features(task.x_test),
            task.y_test,
            check,
            engine=self.engine,
            channels=task.channels,
            progress=self._progress,
        )

    def _run_on_components(self, scenario: Scenario, pca: PcaParameters, attempt: Attempt) -> Outcome:
        """The errors are in the training and in what computes the components; the lift is honest."""
        place, engine = next(self._places), self._engine_for(attempt)
        corrupt_party = None if attempt.analysis_plan is None else scenario.corrupt_party
        shares, computing = self._components(_Analysis(attempt.task, pca, attempt.analysis_plan, corrupt_party))
        training = train_on_components(
            attempt.task,
            scenario.parameters,
            pca,
            engine=engine,
            shares_from=shares,
            run_dir=place / "train",
            plan=attempt.plan,
            corrupt_party=None if attempt.plan is None else scenario.corrupt_party,
            protocol=scenario.protocol,
        )
        active = ProtocolName.MAL_REP_RING
        protocol = active if active in engine.protocols else scenario.protocol
        lifting = lift(
            attempt.task, pca, engine=engine, shares_from=place / "train", run_dir=place / "lift", protocol=protocol
        )
        pixels = attempt.task.x_train.shape[1]
        weights = open_model(place / "lift", pixels + 1, engine, place / "reveal", protocol)
        lifted = replace(scenario, features=Pixels(pixels))
        return Outcome(weights, lifted, (computing, training, lifting), place / "lift")

    def _components(self, analysis: _Analysis) -> tuple[Path, RunResult]:
        for known, place, run in self._computed:
            if known.same(analysis):
                return place, run
        place = next(self._places) / "pca"
        run = compute_components(
            analysis.task,
            analysis.parameters,
            engine=self.engine,
            run_dir=place,
            plan=analysis.plan,
            corrupt_party=analysis.corrupt_party,
            progress=self._progress,
        )
        self._computed.append((analysis, place, run))
        return place, run

    def _engine_for(self, attempt: Attempt) -> Engine:
        if attempt.insecure_fixed_seed is None or self.engine.name is not EngineName.REP3:
            return self.engine
        return Rep3Engine(insecure_fixed_seed=attempt.insecure_fixed_seed)


def _sha256(plan: AdditiveErrorPlan | None) -> str | None:
    return None if plan is None else plan.sha256()


def complete(scenario: Scenario) -> Scenario:
    """With the feature map that the servers compute in secret. In the worst case the attacker has data that give it."""
    if scenario.components is None:
        return scenario
    return replace(scenario, features=components_of(scenario.task, PcaParameters(scenario.components)))
