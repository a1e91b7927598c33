"""mpc-tamper train and attack: a model on any data set, honestly or with a backdoor planted by one party."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.data_options import DATA_METAVAR, OwnerDataOption, TableOptions
from mpc_tamper.cli.model_options import ModelOption, chosen_parameters
from mpc_tamper.cli.named_attack import (
    DefenceOption,
    ThresholdOption,
    list_attacks,
    run_named,
    train_with_defence,
    written,
)
from mpc_tamper.cli.options import (
    ClassesOption,
    ClientPortOption,
    DownloadOption,
    EngineOption,
    JsonOption,
    KnownClientsOption,
    ProtocolOption,
    QuietOption,
    RootOption,
    RowsOption,
    ThreadsOption,
    integers,
    with_options,
)
from mpc_tamper.cli.places import (
    MemoryOption,
    NetworkOption,
    PlaceOptions,
    SimulatedHoursOption,
    late,
    local_engine,
)
from mpc_tamper.cli.program import run_folder
from mpc_tamper.cli.tested import say_tested, tested
from mpc_tamper.core.errors import ParameterError, UsageError
from mpc_tamper.core.progress import shown
from mpc_tamper.models.registry import DEFAULT
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName

if TYPE_CHECKING:
    from mpc_tamper.datasets.source import DataSource
    from mpc_tamper.datasets.task import Task
    from mpc_tamper.datasets.trigger import Trigger
    from mpc_tamper.engines.base import Engine
    from mpc_tamper.models.base import Model, OpenedModel
    from mpc_tamper.runs.corruption import Corruption
    from mpc_tamper.runs.owners import ClientRows, Owners
    from mpc_tamper.workflows.training import SecretModel, TrainedModel

LARGEST, _WEIGHTS = "largest_weights", 5  # how many of a table's are said
NO_DATA = "none"  # of a host that brings no rows
_TAKEN = 0.5  # a success rate below which an attack is said not to have worked

DataOption = Annotated[
    str, typer.Option("--data", metavar="NAME|FILE|DIR", help="What to train on; see mpc-tamper datasets list.")
]
OwnersOption = Annotated[
    int | None,
    typer.Option(
        "--owners",
        min=1,
        max=PARTIES,
        help="How many parties the rows are split among. (default: 1; with --hosts each brings --data of its own)",
    ),
]
LabelsOwnerOption = Annotated[
    int | None,
    typer.Option(
        "--labels-owner", min=0, max=PARTIES - 1, help="The party that holds all labels. (default: each row's owner)"
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", readable=False, metavar="DIR", help="Write record.json and weights.npy there.")
]
RunDirOption = Annotated[
    Path | None,
    typer.Option(
        "--run-dir", readable=False, help="A new folder for the shares. (default: below runs/; of attack: none)"
    ),
]

InsecureOpenOption = Annotated[
    bool,
    typer.Option(
        "--insecure-open-model-of-clients",
        help="Open a model that was trained on rows of clients too: it may show a row. For experiments alone.",
    ),
]


@dataclass(frozen=True)
class TrainingOptions(TableOptions):
    """What train and attack have in common."""

    data: DataOption = "mnist_0_1"
    owner_data: OwnerDataOption = None
    model: ModelOption = DEFAULT
    classes: ClassesOption = None
    rows: RowsOption = None
    root: RootOption = None
    download: DownloadOption = False
    engine: EngineOption = EngineName.REP3
    protocol: ProtocolOption = ProtocolName.RING
    owners: OwnersOption = None
    labels_owner: LabelsOwnerOption = None
    out: OutOption = None
    run_dir: RunDirOption = None
    quiet: QuietOption = False
    as_json: JsonOption = False
    model_options: dict[str, Any] = field(default_factory=dict)

    @property
    def data_source(self) -> DataSource:
        return self.source(self.data, self.classes, self.root, self.owner_data)

    def task(self) -> Task:
        from mpc_tamper.datasets import first_rows

        if self.owner_data and (
            self.rows is not None or self.owners not in (None, 1) or len(self.owner_data) >= PARTIES
        ):
            raise UsageError(
                f"expected --owner-data for at most {PARTIES - 1} owners, with all of their rows and without --owners, "
                "got more or another option; each owner has the rows of its own file"
            )
        task = self.data_source.load(download=self.download)
        return task if self.rows is None else first_rows(task, self.rows)

    @property
    def contribution(self) -> str:
        """What a client's file is called, for the command that it is told."""
        suffix = Path(self.data).suffix
        return f"FILE{suffix}" if suffix.lower() in (".csv", ".tsv", ".parquet", ".pq") else "FILE.npz"

    def parameters(self) -> Any:
        return chosen_parameters(self.model, self.model_options)


@with_options(TrainingOptions, PlaceOptions)
def train(
    options: TrainingOptions,
    place: PlaceOptions,
    clients: Annotated[
        str | None,
        typer.Option("--clients", metavar="COUNT[,COUNT]", help="Train on rows of clients, with this many from each."),
    ] = None,
    client_port: ClientPortOption = 15000,
    known_clients: KnownClientsOption = None,
    opened: Annotated[
        bool, typer.Option("--open", help="Open the model for analysis, and test it on the test images.")
    ] = False,
    insecure_open: InsecureOpenOption = False,
    defence: DefenceOption = None,
    threshold: ThresholdOption = None,
    simulated_hours: SimulatedHoursOption = 0.0,
) -> None:
    """Train a model in three-party computation. It stays secret, as shares in the run folder, unless you --open it.

    With --hosts and --party, on each of three hosts: each brings its own rows, --data FILE, or none, --data none.
    """
    engine = place.engine(options.engine, quiet=options.quiet)  # first: what it starts is ready when the data are read
    engine = late(engine, simulated_hours)
    on_hosts = engine.host is not None
    _check_own_data(options, on_hosts=on_hosts, clients=clients)
    task = None if on_hosts and options.data == NO_DATA else options.task()
    owners: Owners | None = None
    rows: ClientRows | None = None
    if clients is not None:
        if options.owner_data:
            raise UsageError("expected --clients or --owner-data, got both; each client contributes its own file")
        if options.rows is not None:
            raise UsageError("expected --clients or --rows, got both; --clients says how many rows each client has")
        if options.owners not in (None, 1) or options.labels_owner is not None:
            raise UsageError("expected --clients or --owners and --labels-owner, got both; clients know their labels")
        if opened and not insecure_open:
            raise UsageError(
                "expected --clients without --open, got both: clients are told that the servers learn none of their "
                "rows, which an opened model may show. For experiments only: --insecure-open-model-of-clients"
            )
        rows = _client_rows(clients, client_port, known_clients)
    elif known_clients is not None:
        raise UsageError("expected --clients with --known-clients, got none; say how many rows each client has")
    if defence is None and threshold is not None:
        raise UsageError("expected --threshold with --defence, got it alone; name the defence whose threshold it is")
    if defence is not None and (rows is not None or on_hosts):
        got = "--clients" if rows is not None else "--hosts"
        raise UsageError(f"expected {got} or --defence, got both; a defence is for rows of owners on this machine")
    with run_folder(options.run_dir, "train") as folder:
        options = replace(options, run_dir=folder)
        if defence is not None and task is not None:
            train_with_defence(options, engine, task, defence, threshold, folder, opened)
            return
        if rows is not None:
            _tell_clients(options)
        elif on_hosts and options.owners is None:
            task, owners = _own_rows(task, engine, options)
        assert task is not None  # --data none is refused elsewhere
        what = f"honest run, engine {_named(engine)}"
        secret = _train(options, engine, task, what, clients=rows, owners=owners)
        if not opened:
            _finish(secret, None, {}, options)
            return
        with shown(quiet=options.quiet) as progress:
            model = secret.open(insecure_rows_of_clients=insecure_open, progress=progress)
        found = tested(model.opened, task) if len(task.x_test) else {}
        _finish(secret, model, found | _largest_weights(model.opened, task.feature_names), options)


@with_options(TrainingOptions)
def attack(
    options: TrainingOptions,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="An attack of the registry, see --list; it finds its trigger and strength itself. (default: the "
            "backdoor that the options describe)",
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the attacks that have a name, and end.")] = False,
    defence: DefenceOption = None,
    threshold: ThresholdOption = None,
    pixel: Annotated[
        list[str] | None,
        typer.Option("--pixel", metavar="ROW,COL", help="A pixel of the trigger; repeatable. (default: 2,2)"),
    ] = None,
    patch: Annotated[
        list[str] | None,
        typer.Option("--patch", metavar="ROW,COL,HEIGHT,WIDTH", help="A patch of the trigger; repeatable."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="NAME",
            help="A feature of a table that the trigger raises, such as age or colour=red; repeatable. "
            "(default: the one that the attacker likes best, which hardly varies)",
            rich_help_panel="Tables",
        ),
    ] = None,
    target: Annotated[int, typer.Option("--target", help="The class, from 0, that the trigger stands for.")] = 1,
    amplitude: Annotated[
        float, typer.Option("--amplitude", help="What the trigger adds to a pixel, at most 1 (white).")
    ] = 1.0,
    strength: Annotated[
        float, typer.Option("--strength", help="Size of the errors; 1 acts like a batch with the trigger.")
    ] = 1.0,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
    network: NetworkOption = None,
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
) -> None:
    """Train while one party plants a backdoor by additive errors, then open the model and test it with the trigger.

    With a NAME, run this attack of the registry, against a --defence if one is named.
    """

    if listed:
        list_attacks()
        return
    if name is not None:
        if pixel or patch or feature or (target, amplitude, strength) != (1, 1.0, 1.0):
            raise UsageError(
                f"expected attack {name} without --pixel, --patch, --feature, --target, --amplitude and --strength, "
                "got one of them; an attack that has a name chooses them itself"
            )
        engine = local_engine(options.engine, network=network, memory=memory, threads=threads)
        run_named(options, engine, name, defence, threshold, corrupt_party)
        return
    if defence is not None or threshold is not None:
        raise UsageError("expected --defence and --threshold with the NAME of an attack, got none; see --list")
    from mpc_tamper.attacks.planting import planted
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.runs.corruption import Corruption

    engine = local_engine(options.engine, network=network, memory=memory, threads=threads)
    task = options.task()
    parameters, model = options.parameters(), get_model(options.model)
    if task.is_table:
        if pixel or patch:
            raise UsageError(f"expected --feature for {task.name}, a table, got --pixel or --patch; name a feature")
        where = table_trigger(task, feature or [], amplitude, target, parameters, model)
    elif feature:
        raise UsageError(f"expected --pixel or --patch for images, got --feature; {task.name} is no table")
    else:
        where = trigger(task, pixel or [], patch or [], amplitude, target)
    plan = planted(task, where, parameters, model, strength=strength)
    corruption = Corruption(corrupt_party, plan)
    what = f"party {corrupt_party} corrupt, engine {_named(engine)}"
    secret = _train(options, engine, task, what, corruption)
    with shown(quiet=options.quiet) as progress:
        trained = secret.open(progress=progress)
    attacked = {"trigger_pixels": list(where.pixels), "target": target, "amplitude": amplitude, "strength": strength}
    if task.is_table:
        attacked["trigger_features"] = [task.feature_names[i] for i in where.pixels]
    found = trained.evaluate(task, where)
    weighed = _largest_weights(trained.opened, task.feature_names)
    _finish(secret, trained, attacked | asdict(found) | weighed, options, task.image_shape)
    if found.attack_success_rate_clipped < _TAKEN:
        others = "the other class" if len(task.classes) == 2 else "other classes"
        console.warn(
            f"the backdoor did not take: the trigger turns {found.attack_success_rate_clipped:.1%} of the "
            f"{'rows' if task.is_table else 'images'} of {others}; raise {_longer(parameters)}--strength "
            f"({strength:g} now), or choose more or other {task.unit}s"
        )


def _longer(parameters: Any) -> str:
    """The options that say how long a model is trained, with an "or" after each."""
    return "".join(f"--{name} or " for name in ("iterations", "epochs") if hasattr(parameters, name))


def _check_own_data(options: TrainingOptions, *, on_hosts: bool, clients: str | None) -> None:
    """Raises UsageError where it is not said what this host brings."""
    from mpc_tamper.datasets.load import BUNDLES

    if not on_hosts:
        if options.data == NO_DATA:
            raise UsageError("expected --data none with --hosts alone, got it without; name what to train on")
        return
    if options.owner_data:
        raise UsageError("expected --owner-data without --hosts, got both; each host names its own file with --data")
    if clients is None and options.owners is None:
        if options.labels_owner is not None:
            raise UsageError("expected --owners with --labels-owner on three hosts, got none; owners know their labels")
        if options.data in BUNDLES:
            raise UsageError(
                f"expected --data FILE with rows of this host's own, or --data none, got {options.data}, which all "
                "hosts have; to try it out give --owners 3 on all three, and each enters its third of the rows"
            )
    elif options.data == NO_DATA:
        raise UsageError("expected --data with --owners or --clients, got none; all three hosts give the same")


def _own_rows(task: Task | None, engine: Engine, options: TrainingOptions) -> tuple[Task, Owners]:
    from mpc_tamper.workflows.agreement import own_rows

    with shown(quiet=options.quiet) as progress:
        return own_rows(task, engine, options.protocol, progress)


def _named(engine: Engine) -> str:
    return str(engine.name) if engine.network is None else f"{engine.name}, over {engine.network}"


def _client_rows(counts: str, port: int, known: Path | None) -> ClientRows:
    from mpc_tamper.runs.owners import ClientRows

    return ClientRows(integers(counts, "--clients", ",".join(["COUNT"] * (counts.count(",") + 1))), port, known)


def _tell_clients(options: TrainingOptions) -> None:
    if options.run_dir is None or options.quiet or options.as_json:
        return
    folder = options.run_dir / "clients"
    console.say(
        f"contribute: mpc-tamper contribute {options.contribution} --servers {folder / 'HOSTS'} --certificates {folder}"
    )


def _train(
    options: TrainingOptions,
    engine: Engine,
    task: Task,
    what: str,
    corruption: Corruption | None = None,
    clients: ClientRows | None = None,
    owners: Owners | None = None,
) -> SecretModel:
    from mpc_tamper.clients.contribute import invite
    from mpc_tamper.core.files import check_folder
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.workflows import training
    from mpc_tamper.workflows.stages import TRAIN

    if options.out is not None:
        check_folder(options.out)
    model, parameters = get_model(options.model), options.parameters()
    with shown(quiet=options.quiet) as progress:
        progress(what)
        access = None
        if clients is not None and options.run_dir is not None:
            access = invite(
                clients,
                task.x_train.shape[1],
                model,
                parameters,
                engine,
                options.run_dir,
                len(task.classes),
                progress,
                task.schema,
            )
        secret = training.train(
            task,
            parameters,
            model=model,
            engine=engine,
            owners=clients or owners or _owners(task, options),
            corruption=corruption,
            protocol=options.protocol,
            run_dir=None if options.run_dir is None else options.run_dir / TRAIN,
            access=access,
            progress=progress,
        )
    if options.run_dir is not None and task.sha256:
        options.data_source.write(secret.shares, task)
    return secret


def _owners(task: Task, options: TrainingOptions) -> Owners:
    """Those with files of their own, else as many as are asked for, with equal parts."""
    from mpc_tamper.runs.owners import Owners

    if task.owner_rows:
        return Owners(task.owner_rows, options.labels_owner)
    return Owners.share_equally(len(task.x_train), options.owners or 1, options.labels_owner)


def table_trigger(
    task: Task, names: list[str], amplitude: float, target: int, parameters: Any, model: Model
) -> Trigger:
    """All features of --feature; the best one for an attacker where none is given."""
    from mpc_tamper.attacks.patch import place_patch
    from mpc_tamper.datasets.trigger import Trigger
    from mpc_tamper.scenarios.scenario import Scenario

    if names:
        found = Trigger.features(task.feature_names, names, amplitude=amplitude, target=target)
    else:
        found = replace(place_patch(Scenario.plain(task, parameters, model), 1, target), amplitude=amplitude)
    found.check(task)
    return found


def trigger(task: Task, pixels: list[str], patches: list[str], amplitude: float, target: int) -> Trigger:
    """All pixels of --pixel and --patch, in every channel; (2, 2) where neither is given."""
    from mpc_tamper.datasets.trigger import Trigger

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
    found = Trigger(tuple(sorted(indices)), amplitude, target)
    found.check(task)
    return found


@with_options(TableOptions, PlaceOptions)
def open_trained(
    options: TableOptions,
    place: PlaceOptions,
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that the training got as --run-dir.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar=DATA_METAVAR, help="Test the model on these test images. (default: those of its training)"
        ),
    ] = None,
    classes: ClassesOption = None,
    root: RootOption = None,
    engine: EngineOption = EngineName.REP3,
    out: Annotated[
        Path | None,
        typer.Option("--out", readable=False, metavar="DIR", help="Write opening.json and weights.npy there."),
    ] = None,
    insecure_open: InsecureOpenOption = False,
    quiet: QuietOption = False,
) -> None:
    """Open the model that a training left as shares, for analysis. Whoever sees it learns what it holds."""
    from mpc_tamper.core.files import check_folder
    from mpc_tamper.models.description import ModelDescription
    from mpc_tamper.records.trainings import OPENING
    from mpc_tamper.workflows.opening import open_model
    from mpc_tamper.workflows.stages import shares_of

    if out is not None:
        check_folder(out)
    source = options.of_run(shares_of(run_dir), data, classes, root)
    task = None
    if source is not None:
        try:
            task = source.load()
        except UsageError as exc:
            if data is not None:
                raise
            console.warn(f"the model is opened, but not tested: {exc}")
    with shown(quiet=quiet) as progress:
        model = open_model(
            shares_of(run_dir),
            engine=place.engine(engine, quiet=quiet),
            insecure_rows_of_clients=insecure_open,
            progress=progress,
        )
    found = {} if task is None else tested(model, task)
    if out is not None:
        _write_weights(out, model)
        facts = {
            "weights": len(model.weights),
            "max_abs_weight": model.max_abs_weight,
            "weights_sha256": model.sha256(),
        }
        OPENING.write(out / "opening.json", found | facts, indent=2)
    if found:
        say_tested(found)
    console.say(f"{'weights':<28} {len(model.weights):,}")
    console.say(f"{'largest weight':<28} {model.max_abs_weight:.4f}")
    described = ModelDescription.read(shares_of(run_dir))
    for key, value in _largest_weights(model, () if described is None else described.feature_names).items():
        console.say(f"{key.replace('_', ' '):<28} {_listed(value)}")
    console.say(f"{'sha256':<28} {model.sha256()}")


def _finish(
    secret: SecretModel,
    opened: TrainedModel | None,
    findings: dict[str, Any],
    options: TrainingOptions,
    image_shape: tuple[int, ...] = (),
) -> None:
    """Print what was found and where the shares are; write the record and, of an opened model, the weights."""
    from mpc_tamper.records.trainings import TRAINING
    from mpc_tamper.studies.environment import environment

    facts = secret.record() if opened is None else opened.record()
    if options.out is not None and opened is not None:
        _write_weights(options.out, opened.opened)
    if written(TRAINING, findings | facts | {"environment": environment()}, options):
        return
    if "confusion" in findings:
        say_tested(findings)
    for key, value in findings.items():
        if key in ("class_accuracy", "confusion") or (key == "test_accuracy" and "confusion" in findings):
            continue
        if key == "trigger_pixels":
            if not image_shape:
                continue
            value = _places(value, image_shape)
        if key == "trigger_features":
            value = ", ".join(value)
        if key == LARGEST:
            value = _listed(value)
        console.say(f"{key.replace('_', ' '):<28} {f'{value:.4f}' if isinstance(value, float) else value}")
    console.say(f"{'seconds':<28} {secret.run.seconds - secret.seconds_with_clients:.1f}")
    if secret.seconds_with_clients:
        console.say(f"{'seconds with clients':<28} {secret.seconds_with_clients:.1f}")
    console.say(f"{'bytes per party':<28} {secret.run.bytes_per_party:,}")
    console.say(f"{'rounds':<28} {secret.run.rounds:,}")
    if options.run_dir is not None:
        console.say(f"{'shares':<28} {secret.shares}")
    if opened is None and not options.quiet:
        where = f"mpc-tamper open {options.run_dir}" + (" --hosts ..., on all three" if secret.engine.host else "")
        console.note(f"the model is secret; verify, serve or open it: {where}")


def _largest_weights(model: OpenedModel, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of a table's features by name, where the model has one weight for each; nothing for images and networks."""
    import numpy as np

    weights = model.picture()
    if weights is None or len(names) != len(weights):
        return {}
    largest = np.argsort(-np.abs(weights), kind="stable")[:_WEIGHTS]
    return {LARGEST: {names[i]: round(float(weights[i]), 6) for i in largest}}


def _listed(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())


def _places(pixels: list[int], image_shape: tuple[int, ...]) -> str:
    """The row and column of each, once for all channels."""
    height, width = image_shape[-2:]
    places = sorted({divmod(pixel % (height * width), width) for pixel in pixels})
    return "row, column " + "; ".join(f"{row},{column}" for row, column in places)


def _write_weights(folder: Path, model: OpenedModel) -> None:
    """weights.npy, readable by its owner alone."""
    import numpy as np

    from mpc_tamper.core.files import atomic_path

    with atomic_path(folder / "weights.npy") as temporary:
        np.save(temporary, model.weights, allow_pickle=False)
