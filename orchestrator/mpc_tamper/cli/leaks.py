"""mpc-tamper leak: what a cheating server can make an opened model, or a verdict, tell about the training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.data_options import TableOptions
from mpc_tamper.cli.options import (
    ClassesOption,
    EngineOption,
    JobsOption,
    QuietOption,
    RootOption,
    SchedulerOption,
    ThreadsOption,
    with_options,
)
from mpc_tamper.cli.places import local_engine
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import PARTIES, EngineName

if TYPE_CHECKING:
    from mpc_tamper.models.mlp.parameters import MlpParameters

LeakDataOption = Annotated[
    str, typer.Option("--data", metavar="NAME|FILE|DIR", help="The data set; see mpc-tamper datasets list.")
]
RowsOption = Annotated[
    int, typer.Option("--rows", min=2, help="How many rows the owners have: the first. The attacker has others.")
]
HiddenOption = Annotated[int, typer.Option("--hidden", min=1, help="How many hidden neurons the network has.")]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, help="How many passes over the rows the training makes.")]
StartOption = Annotated[
    str, typer.Option("--start", metavar="public|secret", help="Whether anybody knows where the weights start.")
]
DefenceOption = Annotated[
    list[str] | None, typer.Option("--defence", help="A defence to try as well; repeatable. (default: all)")
]
NoDefencesOption = Annotated[bool, typer.Option("--no-defences", help="Try the attack alone: one training.")]
CorruptOption = Annotated[
    int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the rows that are chosen, and of the network's start.")
]

app = typer.Typer(help="What a cheating server can read of the training data.", no_args_is_help=True)


@app.callback()
def leak() -> None:
    """What a cheating server can read of the training data. For experiments on your own data: models are opened."""


@app.command("row")
@configured()
@with_options(TableOptions)
def row(
    options: TableOptions,
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", min=0, help="Index of a training row to read; repeatable. (default: 8, by the seed)"),
    ] = None,
    data: LeakDataOption = "mnist_0_1",
    classes: ClassesOption = None,
    root: RootOption = None,
    engine: EngineOption = EngineName.REP3,
    threads: ThreadsOption = None,
    corrupt_party: CorruptOption = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the rows that are chosen.")] = 1,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Read chosen training rows off models that are opened after passive training, by errors at MARGIN alone."""
    from mpc_tamper.report.leak_row import LEAK_ROW_MARKDOWN
    from mpc_tamper.studies.leaks.row import leak_rows
    from mpc_tamper.studies.sweeps import schedulers

    runs_on = local_engine(engine, threads=threads)
    task = options.task_of(data, classes, root)
    with shown(quiet=quiet) as progress:
        leak_rows(
            runs_on,
            out,
            task=task,
            rows=rows,
            corrupt_party=corrupt_party,
            seed=seed,
            scheduler=schedulers.scheduler(jobs, scheduler),
            configuration=configuration,
            progress=progress,
        )
    console.say((out / LEAK_ROW_MARKDOWN).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class NetworkLeakOptions(TableOptions):
    """What the leaks of a network have in common."""

    data: LeakDataOption = "mnist_10"
    classes: ClassesOption = None
    root: RootOption = None
    rows: RowsOption = 12_032
    epochs: EpochsOption = 5
    start: StartOption = "public"
    defence: DefenceOption = None
    no_defences: NoDefencesOption = False
    engine: EngineOption = EngineName.REP3
    threads: ThreadsOption = None
    corrupt_party: CorruptOption = 1
    seed: SeedOption = 1
    jobs: JobsOption = 1
    scheduler: SchedulerOption = None
    out: OutOption = Path("results")
    quiet: QuietOption = False

    def study(
        self,
        leak: Callable[..., Any],
        markdown: str,
        configuration: Mapping[str, Any],
        *,
        hidden: int,
        count: int,
    ) -> None:
        """Run it, and print its table.  leak: reconstruct_rows or ask_membership.  markdown: the file of the table."""
        from mpc_tamper.studies.sweeps import schedulers

        runs_on = local_engine(self.engine, threads=self.threads)
        parameters = _parameters(hidden, self.epochs, self.start, self.seed)
        task = self.task_of(self.data, self.classes, self.root)
        with shown(quiet=self.quiet) as progress:
            leak(
                runs_on,
                self.out,
                task=task,
                rows=self.rows,
                parameters=parameters,
                count=count,
                defences=_defences(self.defence, self.no_defences),
                corrupt_party=self.corrupt_party,
                seed=self.seed,
                scheduler=schedulers.scheduler(self.jobs, self.scheduler),
                configuration=configuration,
                progress=progress,
            )
        console.say((self.out / markdown).read_text(encoding="utf-8"))


@app.command("reconstruct")
@configured()
@with_options(NetworkLeakOptions)
def reconstruct(
    options: NetworkLeakOptions,
    hidden: HiddenOption = 64,
    count: Annotated[int, typer.Option("--count", min=1, help="How many rows are read, drawn with the seed.")] = 32,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Read many training rows off one opened network that stays accurate, and try defences against it."""
    from mpc_tamper.report.leak_reconstruct import LEAK_RECONSTRUCT_MARKDOWN
    from mpc_tamper.studies.leaks.reconstruct import reconstruct_rows

    options.study(reconstruct_rows, LEAK_RECONSTRUCT_MARKDOWN, configuration, hidden=hidden, count=count)


@app.command("membership")
@configured()
@with_options(NetworkLeakOptions)
def membership(
    options: NetworkLeakOptions,
    hidden: HiddenOption = 132,
    count: Annotated[
        int,
        typer.Option("--count", min=1, help="How many members, and how many others, are asked about."),
    ] = 50,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Ask a secret network for the class of an image, and learn whether it was among the training rows."""
    from mpc_tamper.report.leak_membership import LEAK_MEMBERSHIP_MARKDOWN
    from mpc_tamper.studies.leaks.membership import ask_membership

    options.study(ask_membership, LEAK_MEMBERSHIP_MARKDOWN, configuration, hidden=hidden, count=count)


def _parameters(hidden: int, epochs: int, start: str, seed: int) -> MlpParameters:
    from mpc_tamper.core.errors import ParameterError
    from mpc_tamper.models.mlp.parameters import MlpParameters, Start

    if start not in set(Start):
        raise ParameterError(f"--start: expected {' or '.join(Start)}, got {start}")
    return MlpParameters(hidden=hidden, epochs=epochs, start=Start(start), random_state=seed)


def _defences(chosen: list[str] | None, none: bool) -> tuple[str, ...]:
    from mpc_tamper.studies.leaks.network import DEFENCES

    return () if none else DEFENCES if chosen is None else tuple(chosen)
