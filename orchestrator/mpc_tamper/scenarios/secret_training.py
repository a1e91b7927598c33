"""An honest training with a defence, stage by stage, whose model stays secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.checks import Check
from mpc_tamper.models.features import FeatureMap
from mpc_tamper.runs.result import RunResult
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.opening import open_model
from mpc_tamper.workflows.stages import TRAIN, run_stage
from mpc_tamper.workflows.verification import Verification, verify


@dataclass(frozen=True, eq=False)
class DefendedModel:
    """shares: the folder of the last stage's.  features: what the model weighs.  runs: one for each stage."""

    scenario: Scenario
    engine: Engine
    shares: Path
    features: FeatureMap
    runs: tuple[RunResult, ...]

    def verify(self, check: Check, progress: Progress = silent) -> Verification:
        """On the task's test rows, which all servers know."""
        task = self.scenario.task
        rows = self.features.features(task.x_test)
        return verify(
            self.shares, rows, task.y_test, check, engine=self.engine, channels=task.channels, progress=progress
        )

    def open(self, progress: Progress = silent) -> OpenedModel:
        """For analysis: whoever sees the model learns what it holds."""
        return open_model(self.shares, engine=self.engine, progress=progress)

    def accuracy(self, opened: OpenedModel) -> float:
        """On the task's test rows."""
        task = self.scenario.task
        return float((opened.predict(self.features.features(task.x_test)) == task.y_test).mean())


def train_defended(scenario: Scenario, engine: Engine, run_dir: Path, progress: Progress = silent) -> DefendedModel:
    """The finished model's shares are in run_dir/train, as those of any training; earlier stages' are beside."""
    shares: Path | None = None
    runs = []
    stages = scenario.stages
    for number, stage in enumerate(stages, start=1):
        place = run_dir / (TRAIN if number == len(stages) else f"{number}-{stage.name}")
        runs.append(
            run_stage(
                stage,
                scenario.task,
                engine=engine,
                run_dir=place,
                protocol=scenario.protocol,
                shares_from=shares,
                progress=progress,
            )
        )
        shares = place
    return DefendedModel(scenario, engine, run_dir / TRAIN, scenario.scored or scenario.features, tuple(runs))
