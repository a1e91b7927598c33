"""Train a model in three-party computation, honestly or under additive errors. Training opens nothing.

task = load_task("mnist_0_1")
secret = train(task, engine=get_engine(EngineName.REP3), run_dir=Path("runs/mine"))
opened = secret.open()      # for analysis, and at a price: see open()
print(opened.evaluate(task, Trigger.patch(task.image_shape, row=2, column=2)))
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.tables.schema_files import FILE as SCHEMA
from mpc_tamper.datasets.tables.schema_files import write_schema
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout, Model, OpenedModel
from mpc_tamper.models.metrics import Metrics, evaluate
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.network import network_record
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import ClientAccess
from mpc_tamper.workflows.opening import open_model
from mpc_tamper.workflows.stages import ROWS_STEP, Training, run_stage


@dataclass(frozen=True, eq=False)
class SecretModel:
    """A trained model that nobody has seen, and how it came about.

    shares: the folder of its shares.  constants: public integers of the training, see Model.constants.
    run: the training run.  folder: what keeps the shares as long as this object lives, where nobody named a place.
    """

    shares: Path
    model: Model
    dataset: str
    data_sha256: str
    owners: Owners | ClientRows
    parameters: Any
    constants: Any
    engine: Engine
    run: RunResult
    folder: TemporaryFolder | None = None

    def open(self, *, insecure_rows_of_clients: bool = False, progress: Progress = silent) -> TrainedModel:
        """Open the model for analysis: whoever sees it learns what it holds.

        After passive training that may be more than a model: a corrupt server can make it one row of an owner's data
        (docs/findings.md). insecure_rows_of_clients: allow that for rows of clients, to whom the servers promise that
        they learn none; else a UsageError.
        """
        values = open_model(
            self.shares, engine=self.engine, insecure_rows_of_clients=insecure_rows_of_clients, progress=progress
        )
        return TrainedModel(self, values)

    @property
    def seconds_with_clients(self) -> float:
        """Of the run's, those in which the servers waited for clients and took their rows; the others are training."""
        return float(step_costs(self.run).get(ROWS_STEP, {}).get("seconds", 0.0))

    def record(self) -> dict[str, Any]:
        """What is needed to run it again, and what it cost; JSON types only, no path of this machine."""
        spec = self.run.spec
        of_clients = isinstance(self.owners, ClientRows)
        corruption = spec.corruption
        return {
            "dataset": self.dataset,
            "data_sha256": self.data_sha256,
            "model_family": self.model.name,
            "engine": str(self.engine.name),
            "protocol": str(spec.protocol),
            "rows_from": "clients" if of_clients else "owners",
            "rows_of_owners": list(self.owners.row_counts),
            "labels_owner": self.owners.labels,
            "parameters": asdict(self.parameters),
            "fixed_point": asdict(self.constants),
            "corrupt_party": None if corruption is None else corruption.party,
            "plan_sha256": None if corruption is None else corruption.plan.sha256(),
            "plan_errors": 0 if corruption is None else len(corruption.plan),
            "seconds": round(self.run.seconds, 3),
            **({"seconds_with_clients": round(self.seconds_with_clients, 3)} if of_clients else {}),
            "bytes_per_party": self.run.bytes_per_party,
            "rounds": self.run.rounds,
            **({} if self.run.soundness_error is None else self._proofs()),
            "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in self.run.parties),
            "steps": step_costs(self.run),
            **network_record(self.engine.network),
        }

    def _proofs(self) -> dict[str, Any]:
        """Of an active run that says how sure its proofs are."""
        batches = max(party.batches or 0 for party in self.run.parties)
        hours = self.engine.simulated_hours
        simulated = {"simulated_hours": hours} if hours else {}
        return {"soundness_error": self.run.soundness_error, "batches_of_proofs": batches, **simulated}


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that was opened.  secret: how it came about."""

    secret: SecretModel
    opened: OpenedModel

    @property
    def weights(self) -> np.ndarray:
        """(k,) int64, in the order of the model's shares; of the linear SVM at scale 2^16, bias first."""
        return self.opened.weights

    @property
    def constants(self) -> Any:
        """Public integers of the training, see Model.constants."""
        return self.secret.constants

    @property
    def run(self) -> RunResult:
        """The training run, without the opening."""
        return self.secret.run

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """Scores in real units, (m,) float64.  x: (m, n) pixels 0..255."""
        return self.opened.decision_function(x)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Classes, (m,) uint8.  x: (m, n) pixels 0..255."""
        return self.opened.predict(x)

    def evaluate(self, task: Task, trigger: Trigger) -> Metrics:
        """On the task's test images, without and with the trigger."""
        delta = trigger.delta(task.x_test.shape[1])
        return evaluate(self.opened, task.x_test, task.y_test, delta, trigger.target)

    def record(self) -> dict[str, Any]:
        """That of the training, and the hash of the weights."""
        return self.secret.record() | {"weights_sha256": self.opened.sha256()}


def train(
    task: Task,
    parameters: Any = None,
    *,
    model: Model | None = None,
    engine: Engine,
    owners: Owners | ClientRows | None = None,
    corruption: Corruption | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    layout: Layout = Layout.ROWS,
    run_dir: Path | None = None,
    access: ClientAccess | None = None,
    progress: Progress = silent,
) -> SecretModel:
    """Run the model's training on the task's training rows; nothing is opened.

    parameters: the model's, its defaults where None.  model: the linear SVM where None.  owners: one owner of rows and
    labels where None. With ClientRows the task gives the size of the images and the tests alone, and clients come with
    the rows; access says how they know the servers (clients.contribute.invite).
    run_dir: a fresh folder for the shares, and a table's schema; where None, they last as long as what is returned.

    Raises ParameterError before anything starts where a public bound is too wide, and what the engine raises.
    """
    model = model or get_model()
    parameters = model.parameters() if parameters is None else parameters
    owners = owners or Owners.share_equally(len(task.x_train))
    stage = Training.of(task, model, parameters)
    constants = model.constants(parameters, stage.size(task, sum(owners.row_counts)))
    folder = None
    if run_dir is None:
        folder = TemporaryFolder()
        run_dir = Path(folder.name, "shares")
    run = run_stage(
        stage,
        task,
        engine=engine,
        run_dir=run_dir,
        owners=owners,
        corruption=corruption,
        protocol=protocol,
        layout=layout,
        access=access,
        progress=progress,
    )
    if task.schema is not None:  # by which rows of later questions are encoded
        write_schema(run_dir / SCHEMA, task.schema)
    progress(f"trained in {run.seconds:.1f} s")
    return SecretModel(run_dir, model, task.name, task.sha256, owners, parameters, constants, engine, run, folder)


def train_and_open(task: Task, parameters: Any = None, **options: Any) -> TrainedModel:
    """train() and open() at once: an experimenter's, on data of the experimenter's own. options: as of train()."""
    secret = train(task, parameters, **options)
    return secret.open(progress=options.get("progress", silent))


def step_costs(run: RunResult) -> dict[str, dict[str, float | int]]:
    """Per named step: how often it ran, and seconds, bytes and rounds in total at the party that took longest."""
    slowest = max(run.parties, key=lambda party: party.cost.seconds)
    totals: dict[str, dict[str, float | int]] = {}
    for step in slowest.steps:
        total = totals.setdefault(step.site, {"times": 0, "seconds": 0.0, "bytes_sent": 0, "rounds": 0})
        total["times"] += step.times
        total["seconds"] += step.cost.seconds
        total["bytes_sent"] += step.cost.bytes_sent
        total["rounds"] += step.cost.rounds
    return totals
