"""mpc-tamper train and attack: a model on any data set, honestly or with a backdoor planted by one party."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_tamper.cli.options import (
    ClassesOption,
    DownloadOption,
    EngineOption,
    JsonOption,
    ProtocolOption,
    QuietOption,
    RootOption,
    integers,
    two_classes,
    with_options,
)
from mpc_tamper.cli.program import new_run_dir
from mpc_tamper.core.errors import ParameterError, UsageError
from mpc_tamper.core.progress import shown
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import PARTIES

if TYPE_CHECKING:
    from mpc_tamper.datasets import Task
    from mpc_tamper.runs.owners import ClientRows
    from mpc_tamper.runs.plan import AdditiveErrorPlan
    from mpc_tamper.scenarios.trigger import Trigger
    from mpc_tamper.workflows.training import TrainedModel

_DEFAULTS = SvmParameters()

DataOption = Annotated[
    str, typer.Option("--data", metavar="NAME|FILE|DIR", help="What to train on; see mpc-tamper datasets list.")
]
IterationsOption = Annotated[int, typer.Option("--iterations", help="How many passes over all rows.")]
BatchSizeOption = Annotated[int | None, typer.Option("--batch-size", help="How many rows a step takes. (default: all)")]
LearningRateOption = Annotated[float, typer.Option("--learning-rate", help="The step size alpha, for the mean loss.")]
RegularisationOption = Annotated[float, typer.Option("--regularisation", help="The factor lambda, for the mean loss.")]
LossOption = Annotated[Loss, typer.Option("--loss", help="The loss; hinge is the paper's equation (1).")]
MaxRowNormOption = Annotated[
    float | None,
    typer.Option("--max-row-norm", help="A public bound on the norm of rows in [0, 1]. (default: a white image's)"),
]
ClipOption = Annotated[
    float | None, typer.Option("--clip", help="As a defence, the most that a step adds to a weight. (default: any)")
]
OwnersOption = Annotated[
    int, typer.Option("--owners", min=1, max=PARTIES, help="How many parties the rows are split among.")
]
LabelsOwnerOption = Annotated[
    int | None,
    typer.Option(
        "--labels-owner", min=0, max=PARTIES - 1, help="The party that holds all labels. (default: each row's owner)"
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write record.json and weights.npy there.")
]
RunDirOption = Annotated[
    Path | None, typer.Option("--run-dir", help="A new folder that keeps the share files. (default: none is kept)")
]


@dataclass(frozen=True)
class TrainingOptions:
    """What train and attack have in common."""

    data: DataOption = "mnist_0_1"
    classes: ClassesOption = None
    root: RootOption = None
    download: DownloadOption = False
    engine: EngineOption = EngineName.REP3
    protocol: ProtocolOption = ProtocolName.RING
    iterations: IterationsOption = _DEFAULTS.iterations
    batch_size: BatchSizeOption = _DEFAULTS.batch_size
    learning_rate: LearningRateOption = _DEFAULTS.learning_rate
    regularisation: RegularisationOption = _DEFAULTS.regularisation
    loss: LossOption = _DEFAULTS.loss
    max_row_norm: MaxRowNormOption = _DEFAULTS.max_row_norm
    clip: ClipOption = _DEFAULTS.clip
    owners: OwnersOption = 1
    labels_owner: LabelsOwnerOption = None
    out: OutOption = None
    run_dir: RunDirOption = None
    quiet: QuietOption = False
    as_json: JsonOption = False

    def task(self) -> Task:
        from mpc_tamper.datasets import load_task

        return load_task(self.data, classes=two_classes(self.classes), root=self.root, download=self.download)

    def parameters(self) -> SvmParameters:
        return SvmParameters(
            self.learning_rate,
            self.regularisation,
            self.iterations,
            self.batch_size,
            self.loss,
            self.max_row_norm,
            self.clip,
        )


@with_options(TrainingOptions)
def train(
    options: TrainingOptions,
    clients: Annotated[
        str | None,
        typer.Option("--clients", metavar="COUNT[,COUNT]", help="Train on rows of clients, with this many from each."),
    ] = None,
    client_port: Annotated[
        int, typer.Option("--client-port", min=1024, max=65535 - PARTIES + 1, help="Server i listens on this port + i.")
    ] = 15000,
    known_clients: Annotated[
        Path | None,
        typer.Option(
            "--known-clients", metavar="DIR", help="Accept only clients whose certificates are there. (default: all)"
        ),
    ] = None,
) -> None:
    """Train a linear SVM in three-party computation, open it and test it."""
    task = options.task()
    rows: ClientRows | None = None
    if clients is not None:
        if options.owners != 1 or options.labels_owner is not None:
            raise UsageError("expected --clients or --owners and --labels-owner, got both; clients know their labels")
        rows = _client_rows(clients, client_port, known_clients)
        options = replace(options, run_dir=options.run_dir or new_run_dir("train"))
        _tell_clients(options)
    elif known_clients is not None:
        raise UsageError("expected --clients with --known-clients, got none; say how many rows each client has")
    model = _train(options, task, f"honest run, engine {options.engine}", owners=rows)
    metrics = {"test_accuracy": float((model.predict(task.x_test) == task.y_test).mean())}
    _finish(model, metrics, options)


@with_options(TrainingOptions)
def attack(
    options: TrainingOptions,
    pixel: Annotated[
        list[str] | None,
        typer.Option("--pixel", metavar="ROW,COL", help="A pixel of the trigger; repeatable. (default: 2,2)"),
    ] = None,
    patch: Annotated[
        list[str] | None,
        typer.Option("--patch", metavar="ROW,COL,HEIGHT,WIDTH", help="A patch of the trigger; repeatable."),
    ] = None,
    target: Annotated[int, typer.Option("--target", min=0, max=1, help="The class that the trigger stands for.")] = 1,
    amplitude: Annotated[
        float, typer.Option("--amplitude", help="What the trigger adds to a pixel, at most 1 (white).")
    ] = 1.0,
    strength: Annotated[
        float, typer.Option("--strength", help="Size of the errors; 1 acts like a batch with the trigger.")
    ] = 1.0,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
) -> None:
    """Train while one party plants a backdoor by additive errors, then open the model and test it with the trigger."""
    from mpc_tamper.attacks.backdoor import backdoor_plan

    task = options.task()
    where = trigger(task, pixel or [], patch or [], amplitude, target)
    plan = backdoor_plan(where, options.parameters(), len(task.x_train), strength=strength)
    model = _train(options, task, f"party {corrupt_party} corrupt, engine {options.engine}", plan, corrupt_party)
    attacked = {"trigger_pixels": list(where.pixels), "target": target, "amplitude": amplitude, "strength": strength}
    _finish(model, attacked | asdict(model.evaluate(task, where)), options)


def _client_rows(counts: str, port: int, known: Path | None) -> ClientRows:
    from mpc_tamper.runs.owners import ClientRows

    return ClientRows(integers(counts, "--clients", ",".join(["COUNT"] * (counts.count(",") + 1))), port, known)


def _tell_clients(options: TrainingOptions) -> None:
    if options.run_dir is None or options.quiet or options.as_json:
        return
    folder = options.run_dir / "clients"
    typer.echo(f"contribute: mpc-tamper contribute FILE.npz --servers {folder / 'HOSTS'} --certificates {folder}")


def _train(
    options: TrainingOptions,
    task: Task,
    what: str,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    owners: ClientRows | None = None,
) -> TrainedModel:
    from mpc_tamper.core.files import check_folder
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.runs.owners import Owners
    from mpc_tamper.workflows import training

    if options.out is not None:
        check_folder(options.out)
    with shown(quiet=options.quiet) as progress:
        progress(what)
        return training.train(
            task,
            options.parameters(),
            engine=get_engine(options.engine),
            owners=owners or Owners.share_equally(len(task.x_train), options.owners, options.labels_owner),
            plan=plan,
            corrupt_party=corrupt_party,
            protocol=options.protocol,
            run_dir=options.run_dir,
            progress=progress,
        )


def trigger(task: Task, pixels: list[str], patches: list[str], amplitude: float, target: int) -> Trigger:
    """All pixels of --pixel and --patch, in every channel; (2, 2) where neither is given."""
    from mpc_tamper.scenarios.trigger import Trigger

    if not pixels and not patches:
        pixels = ["2,2"]
    corners = [(*integers(text, "--pixel", "ROW,COL"), 1, 1) for text in pixels]
    corners += [integers(text, "--patch", "ROW,COL,HEIGHT,WIDTH") for text in patches]
    indices: set[int] = set()
    for row, column, height, width in corners:
        if not (1 <= height <= task.image_shape[-2] and 1 <= width <= task.image_shape[-1]):
            raise ParameterError(
                f"expected a patch of 1 x 1 to {' x '.join(map(str, task.image_shape[-2:]))} pixels, "
                f"got {height} x {width}; choose a smaller --patch"
            )
        for i in range(height):
            for j in range(width):
                indices |= set(Trigger.patch(task.image_shape, row + i, column + j).pixels)
    return Trigger(tuple(sorted(indices)), amplitude, target)


def _finish(model: TrainedModel, findings: dict[str, Any], options: TrainingOptions) -> None:
    """Print what was found, and write the record and the weights."""
    import json

    import numpy as np

    from mpc_tamper.core.files import atomic_path, write_atomically
    from mpc_tamper.studies.environment import environment

    record = json.dumps(findings | model.record() | {"environment": environment()}, indent=2)
    if options.out is not None:
        write_atomically(options.out / "record.json", record + "\n")
        with atomic_path(options.out / "weights.npy") as temporary:
            np.save(temporary, model.weights, allow_pickle=False)
            temporary.chmod(0o644)
    if options.as_json:
        typer.echo(record)
        return
    run = model.run
    for key, value in findings.items():
        typer.echo(f"{key.replace('_', ' '):<28} {f'{value:.4f}' if isinstance(value, float) else value}")
    typer.echo(f"{'seconds':<28} {run.seconds:.1f}")
    typer.echo(f"{'bytes per party':<28} {run.bytes_per_party:,}")
    typer.echo(f"{'rounds':<28} {run.rounds:,}")
