"""What mpc-tamper attack NAME and train --defence NAME do: attacks and defences of the registries, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from mpc_tamper.cli import console
from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import ProtocolName

if TYPE_CHECKING:
    from mpc_tamper.datasets.task import Task
    from mpc_tamper.engines.base import Engine
    from mpc_tamper.records.schema import Schema

RECORD = "record.json"  # in the folder of --out
DefenceOption = Annotated[
    str | None,
    typer.Option("--defence", metavar="NAME", help="Defend the training by what the registry has under this name."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        help="The share that the defence's check asks for. (default: MNIST's or CIFAR-10's; matrix --calibrate finds "
        "that of other data)",
    ),
]
_SHOWN = (
    ("clean_accuracy", "test accuracy"),
    ("attack_success_rate", "attack success rate"),
    ("attack_success_rate_clipped", "the same, clipped"),
    ("robust_accuracy", "robust accuracy"),
    ("honest_success_rate", "success without an attack"),
    ("max_abs_weight", "largest weight"),
)


class Chosen(Protocol):
    """What these commands ask of the options that train and attack have in common."""

    @property
    def model(self) -> str: ...
    @property
    def protocol(self) -> ProtocolName: ...
    @property
    def owners(self) -> int | None: ...
    @property
    def labels_owner(self) -> int | None: ...
    @property
    def out(self) -> Path | None: ...
    @property
    def run_dir(self) -> Path | None: ...
    @property
    def quiet(self) -> bool: ...
    @property
    def as_json(self) -> bool: ...

    def task(self) -> Task: ...
    def parameters(self) -> Any: ...


def list_attacks() -> None:
    """A table of the attacks and of the models that they can attack, and a line for each plug-in that is no use."""
    from mpc_tamper.attacks.registry import ADAPTIVE, ATTACKS
    from mpc_tamper.studies.single import attacks_by_model

    rows = [
        (name, ", ".join(models) or "none", "adapts to the check" if name in ADAPTIVE else ATTACKS.origin(name) or "")
        for name, models in attacks_by_model().items()
    ]
    console.say(console.table("attacks", ("name", "models", ""), rows, left=3))
    for problem in ATTACKS.problems():
        console.warn(problem)


def run_named(
    options: Chosen,
    engine: Engine,
    name: str,
    defence: str | None,
    threshold: float | None,
    corrupt_party: int,
) -> None:
    """An attack by its name, with a strength that it finds itself. Prints verdict, success and costs."""
    from mpc_tamper.core.files import check_folder
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.records.trainings import NAMED_ATTACK
    from mpc_tamper.studies.environment import environment
    from mpc_tamper.studies.single import NO_DEFENCE, attack_once

    if options.owners not in (None, 1) or options.labels_owner is not None or options.run_dir is not None:
        raise UsageError(f"expected attack {name} without --owners, --labels-owner and --run-dir, got one of them")
    if options.out is not None:
        check_folder(options.out)
    task = options.task()
    with shown(quiet=options.quiet) as progress:
        found = attack_once(
            task,
            name,
            model=get_model(options.model),
            parameters=options.parameters(),
            engine=engine,
            defence=defence or NO_DEFENCE,
            threshold=threshold,
            protocol=options.protocol,
            corrupt_party=corrupt_party,
            progress=progress,
        )
    if written(NAMED_ATTACK, found | {"environment": environment()}, options):
        return
    _line("attack", name)
    _line("defence", found["defence"])
    _line("verdict", _verdict(found))
    for key, title in _SHOWN:
        if found[key] is not None:
            _line(title, f"{found[key]:.4f}")
    for key, value in found["settings"].items():
        _line(key.replace("_", " "), value)
    _line("additive errors", sum(found["plan_errors"].values()))
    for key, title in (("seconds", "seconds"), ("bytes_per_party", "bytes per party"), ("rounds", "rounds")):
        if found[key] is not None:
            _line(title, f"{found[key]:.1f}" if key == "seconds" else f"{found[key]:,}")


def train_with_defence(
    options: Chosen,
    engine: Engine,
    task: Task,
    name: str,
    threshold: float | None,
    folder: Path,
    opened: bool,
) -> None:
    """An honest training with a defence of the registry; its model stays secret unless it is opened."""
    from mpc_tamper.models.features import Pixels
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.records.trainings import DEFENDED_TRAINING
    from mpc_tamper.scenarios.scenario import Scenario
    from mpc_tamper.scenarios.secret_training import train_defended
    from mpc_tamper.studies.environment import environment
    from mpc_tamper.studies.single import chosen_defence

    if options.owners not in (None, 1) or options.labels_owner is not None:
        raise UsageError("expected --defence or --owners and --labels-owner, got both; a defence has one owner's rows")
    model = get_model(options.model)
    defence = chosen_defence(model, task, name, threshold)
    scenario = defence.change(Scenario.plain(task, options.parameters(), model))
    record: dict[str, Any] = {"dataset": task.name, "data_sha256": task.sha256, "defence": name}
    with shown(quiet=options.quiet) as progress:
        trained = train_defended(scenario, engine, folder, progress)
        runs = list(trained.runs)
        if defence.check is not None:
            verification = trained.verify(defence.check, progress)
            runs += verification.runs
            record["verdict"] = "pass" if verification.verdict.passed else "fail"
            record["statement"] = verification.verdict.found
        if opened:
            model_opened = trained.open(progress)
            record["test_accuracy"] = trained.accuracy(model_opened)
            record["weights_sha256"] = model_opened.sha256()
    record |= {
        "engine": str(engine.name),
        "protocol": str(scenario.protocol),
        "stages": [stage.name for stage in scenario.stages],
        "seconds": round(sum(run.seconds for run in runs), 3),
        "bytes_per_party": sum(run.bytes_per_party for run in runs),
        "rounds": sum(run.rounds for run in runs),
        "environment": environment(),
    }
    if written(DEFENDED_TRAINING, record, options):
        return
    for key, value in record.items():
        if key not in ("data_sha256", "environment", "weights_sha256"):
            _line(key.replace("_", " "), _text(value))
    _line("shares", trained.shares)
    if not isinstance(trained.features, Pixels):
        console.note(f"this model weighs other features than the data's, as {name} has them")


def written(schema: Schema, record: Mapping[str, Any], options: Chosen) -> bool:
    """record.json, where --out names a folder. Whether it is printed as well, and nothing else is to be: --json."""
    if options.out is not None:
        schema.write(options.out / RECORD, record, indent=2)
    if options.as_json:
        console.say(schema.text(record, RECORD, indent=2).rstrip("\n"))
    return options.as_json


def _verdict(found: dict[str, Any]) -> str:
    if found["aborted"]:
        return f"aborted: {found['statement']}"
    if found["verdict"] is None:
        return "none: nothing checks the model"
    return "passed" if found["verdict"] == "pass" else "rejected"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4f}" if value <= 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(title: str, value: object) -> None:
    console.say(f"{title:<28} {value}")
