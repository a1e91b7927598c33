"""Train a model in three-party computation, honestly or under additive errors, and open it for analysis.

task = load_task("mnist_0_1")
model = train(task, engine=get_engine(EngineName.REP3))
print(model.evaluate(task, Trigger.patch(task.image_shape, row=2, column=2)))
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.clients import contributing
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, ShareFileError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine, OnStep
from mpc_tamper.models.encoding import check_row_norm, largest_attribute, write_inputs
from mpc_tamper.models.linear_svm.bounds import FixedPoint, fixed_point
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.program import Layout, training_arguments
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import PARTIES, RunSpec
from mpc_tamper.scenarios.metrics import Metrics, evaluate, weights_sha256
from mpc_tamper.scenarios.trigger import Trigger

LAST_STEP = "UPDATE"  # of an iteration


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """An opened model and how it came about.

    weights: (n + 1,) int64 at scale 2^16, bias first.  run: the training run, without the opening.
    """

    weights: np.ndarray
    dataset: str
    data_sha256: str
    owners: Owners | ClientRows
    parameters: SvmParameters
    constants: FixedPoint
    engine: EngineName
    run: RunResult

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """w.x in real units, (m,) float64.  x: (m, n) pixels 0..255."""
        return scores(self.weights, x).astype(np.float64) / 2.0**24

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Classes 0 and 1, (m,) uint8.  x: (m, n) pixels 0..255."""
        return (scores(self.weights, x) > 0).astype(np.uint8)

    def evaluate(self, task: Task, trigger: Trigger) -> Metrics:
        """On the task's test images, without and with the trigger."""
        delta = trigger.delta(task.x_test.shape[1])
        return evaluate(self.weights, task.x_test, task.y_test, delta, trigger.target)

    def record(self) -> dict[str, Any]:
        """What is needed to run it again, and what it cost; JSON types only, no path of this machine."""
        spec = self.run.spec
        return {
            "dataset": self.dataset,
            "data_sha256": self.data_sha256,
            "engine": str(self.engine),
            "protocol": str(spec.protocol),
            "rows_from": "clients" if isinstance(self.owners, ClientRows) else "owners",
            "rows_of_owners": list(self.owners.rows),
            "labels_owner": self.owners.labels,
            "iterations": self.parameters.iterations,
            "parameters": asdict(self.parameters),
            "fixed_point": asdict(self.constants),
            "corrupt_party": spec.corrupt_party,
            "plan_sha256": None if spec.plan is None else spec.plan.sha256(),
            "plan_errors": 0 if spec.plan is None else len(spec.plan),
            "weights_sha256": weights_sha256(self.weights),
            "seconds": round(self.run.seconds, 3),
            "bytes_per_party": self.run.bytes_per_party,
            "rounds": self.run.rounds,
            "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in self.run.parties),
            "steps": step_costs(self.run),
        }


def train(
    task: Task,
    parameters: SvmParameters | None = None,
    *,
    engine: Engine,
    owners: Owners | ClientRows | None = None,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    layout: Layout = Layout.ROWS,
    run_dir: Path | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Run svm_train.mpc on the task's training rows, then svm_reveal.mpc on the shares that it left.

    parameters: the defaults of SvmParameters where None.  owners: one owner of rows and labels where None. With
    ClientRows the task gives the size of the images and the tests alone, and clients come with the rows
    (contributing.contribute), for whom run_dir/clients is made.
    plan, corrupt_party: additive errors and who adds them; both or neither.
    run_dir: keeps the share files in run_dir/train; a temporary folder where None.

    Raises ParameterError before anything starts where a public bound is too wide, and what the engine raises.
    """
    parameters = parameters or SvmParameters()
    owners = owners or Owners.share_equally(len(task.x_train))
    rows, pixels = sum(owners.rows), task.x_train.shape[1]
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        place = run_dir or Path(folder)
        training = train_shared(
            task,
            parameters,
            engine=engine,
            run_dir=place / "train",
            owners=owners,
            plan=plan,
            corrupt_party=corrupt_party,
            protocol=protocol,
            layout=layout,
            progress=progress,
        )
        progress(f"trained in {training.seconds:.1f} s; opening the model for analysis")
        weights = open_model(place / "train", pixels + 1, engine, place / "reveal", protocol)
    constants = fixed_point(parameters, rows, pixels, largest_attribute(task.x_train))
    return TrainedModel(weights, task.name, task.sha256, owners, parameters, constants, engine.name, training)


def train_shared(
    task: Task,
    parameters: SvmParameters,
    *,
    engine: Engine,
    run_dir: Path,
    owners: Owners | ClientRows | None = None,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    layout: Layout = Layout.ROWS,
    progress: Progress = silent,
) -> RunResult:
    """The training of train() alone: the model stays shared, in run_dir, and nothing is opened.

    The folder clients/ for ClientRows is made beside run_dir.
    """
    owners = owners or Owners.share_equally(len(task.x_train))
    rows, pixels = sum(owners.rows), task.x_train.shape[1]
    _check_corruption(plan, corrupt_party)
    constants = fixed_point(parameters, rows, pixels, largest_attribute(task.x_train))
    port = owners.port_base if isinstance(owners, ClientRows) else 0
    spec = RunSpec(
        program=bundle.program("svm_train.mpc"),
        args=training_arguments(parameters, constants, pixels, owners.rows, owners.labels, layout, port),
        protocol=protocol,
        run_dir=run_dir,
        plan=plan,
        corrupt_party=corrupt_party,
    )
    if isinstance(owners, Owners):
        check_row_norm(task.x_train, parameters)
    on_step = _iterations(progress, task.name, parameters, rows)
    if isinstance(owners, ClientRows):
        access = contributing.invite(owners, pixels + 1, parameters, engine, run_dir.parent, progress)
        return engine.run(replace(spec, clients=access), on_step)
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        inputs = write_inputs(Path(folder), task.x_train, task.y_train, owners)
        return engine.run(replace(spec, inputs=inputs), on_step)


def open_model(
    shares_from: Path, columns: int, engine: Engine, run_dir: Path, protocol: ProtocolName = ProtocolName.RING
) -> np.ndarray:
    """Run svm_reveal.mpc: the weights of a shared model, bias first, (columns,) int64 at scale 2^16, for analysis."""
    opening = engine.run(
        RunSpec(
            program=bundle.program("svm_reveal.mpc"),
            args=(f"columns={columns}",),
            protocol=protocol,
            run_dir=run_dir,
            shares_from=shares_from,
        )
    )
    weights = np.array(opening.binary_output, dtype=np.int64)
    if len(weights) != columns:
        raise ShareFileError(f"expected {columns} opened weights, got {len(weights)}. Use a fresh run folder")
    return weights


def attack(
    task: Task,
    trigger: Trigger,
    parameters: SvmParameters | None = None,
    *,
    engine: Engine,
    strength: float = 1.0,
    corrupt_party: int = 1,
    owners: Owners | None = None,
    run_dir: Path | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Train with one party planting the trigger by additive errors (attacks/backdoor.py)."""
    parameters = parameters or SvmParameters()
    trigger.delta(task.x_train.shape[1])  # refuses a trigger outside the image
    return train(
        task,
        parameters,
        engine=engine,
        owners=owners,
        plan=backdoor_plan(trigger, parameters, len(task.x_train), strength=strength),
        corrupt_party=corrupt_party,
        run_dir=run_dir,
        progress=progress,
    )


def _iterations(progress: Progress, name: str, parameters: SvmParameters, rows: int) -> OnStep:
    steps = parameters.iterations * len(parameters.batches(rows))
    text = f"training on {name}, {rows:,} rows, {steps:,} steps"

    def on_step(site: str, occurrence: int) -> None:
        if site == LAST_STEP:
            progress(text, (occurrence + 1) / steps)

    progress(text)
    return on_step


def step_costs(run: RunResult) -> dict[str, dict[str, float | int]]:
    """Per named step: how often it ran, and seconds, bytes and rounds in total at the party that took longest."""
    slowest = max(run.parties, key=lambda party: party.cost.seconds)
    totals: dict[str, dict[str, float | int]] = {}
    for step in slowest.steps:
        total = totals.setdefault(step.site, {"times": 0, "seconds": 0.0, "bytes_sent": 0, "rounds": 0})
        total["times"] += 1
        total["seconds"] += step.cost.seconds
        total["bytes_sent"] += step.cost.bytes_sent
        total["rounds"] += step.cost.rounds
    return totals


def _check_corruption(plan: AdditiveErrorPlan | None, corrupt_party: int | None) -> None:
    if (plan is None) != (corrupt_party is None):
        raise ParameterError("expected a plan of additive errors and a corrupt party, or neither, got one of them")
    if corrupt_party is not None and not 0 <= corrupt_party < PARTIES:
        raise ParameterError(f"corrupt party: expected 0 to {PARTIES - 1}, got {corrupt_party}")
