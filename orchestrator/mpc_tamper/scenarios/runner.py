"""Run a scenario with an attempt on it: prepare the rows, train, open the model for analysis, measure.

With principal components in the computation three programs run: pca.mpc, svm_train.mpc on what it left, and, actively,
the lift of the model back to pixels (docs/pca.md).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.models.checks import Check
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.scenarios.features import Pixels
from mpc_tamper.scenarios.metrics import Metrics, evaluate
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.workflows.components import components_of, compute_components, lift, train_on_components
from mpc_tamper.workflows.training import open_model, train_shared
from mpc_tamper.workflows.verification import Verification, verify


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
    insecure_fixed_seed: int | None

    def same(self, other: _Analysis) -> bool:
        alike = (self.parameters, self.corrupt_party, self.insecure_fixed_seed) == (
            other.parameters,
            other.corrupt_party,
            other.insecure_fixed_seed,
        )
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
        """What was tried once is known: attacks that search alike train once, whatever their triggers."""
        known: list[tuple[Attempt, Outcome]] = []

        def tried(attempt: Attempt) -> Metrics:
            for earlier, outcome in known:
                if _same_errors(earlier, attempt):
                    return outcome.evaluate(attempt)
            known.append((attempt, self.run(scenario, attempt)))
            return known[-1][1].evaluate(attempt)

        return tried

    def run(self, scenario: Scenario, attempt: Attempt) -> Outcome:
        """Raises what the engine raises: ProtocolAbort where an active protocol caught the errors."""
        if scenario.components is not None:
            return self._run_on_components(scenario, PcaParameters(scenario.components), attempt)
        if attempt.task is not scenario.task and scenario.fit is not None:  # an owner poisons what the map is fit to
            scenario = replace(scenario, features=scenario.fit(attempt.task.x_train))
        place, engine = next(self._places), self._engine_for(attempt.insecure_fixed_seed)
        training = train_shared(
            replace(attempt.task, x_train=scenario.features.features(attempt.task.x_train)),
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
        if check.pixels and not isinstance(outcome.scenario.features, Pixels):
            raise ParameterError("expected a model of pixels for a certificate, got one of other features")
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
        place, engine = next(self._places), self._engine_for(attempt.insecure_fixed_seed)
        corrupt_party = None if attempt.analysis_plan is None else scenario.corrupt_party
        analysis = _Analysis(attempt.task, pca, attempt.analysis_plan, corrupt_party, attempt.insecure_fixed_seed)
        shares, computing = self._components(analysis)
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
            engine=self._engine_for(analysis.insecure_fixed_seed),
            run_dir=place,
            plan=analysis.plan,
            corrupt_party=analysis.corrupt_party,
            progress=self._progress,
        )
        self._computed.append((analysis, place, run))
        return place, run

    def _engine_for(self, insecure_fixed_seed: int | None) -> Engine:
        if insecure_fixed_seed is None or self.engine.name is not EngineName.REP3:
            return self.engine
        return Rep3Engine(insecure_fixed_seed=insecure_fixed_seed)


def _same_errors(one: Attempt, other: Attempt) -> bool:
    plans = [[p and p.sha256() for p in (attempt.plan, attempt.analysis_plan)] for attempt in (one, other)]
    return plans[0] == plans[1] and one.task is other.task and one.insecure_fixed_seed == other.insecure_fixed_seed


def complete(scenario: Scenario) -> Scenario:
    """With the feature map that the servers compute in secret. In the worst case the attacker has data that give it."""
    if scenario.components is None:
        return scenario
    return replace(scenario, features=components_of(scenario.task, PcaParameters(scenario.components)))
