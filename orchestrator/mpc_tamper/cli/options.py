"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from mpc_tamper.cli.model_options import model_options
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_THREADS, MAX_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from mpc_tamper.datasets.classes import Choice
    from mpc_tamper.runs.corruption import Corruption

EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="What runs the program. clear is an oracle without any secrecy.")
]
ProtocolOption = Annotated[
    ProtocolName,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="The protocol: ring (passive) or mal-rep-ring (active) on rep3, ring on clear; mpc-tamper doctor lists "
        "those of mp-spdz.",
    ),
]
MaxVerdictsOption = Annotated[
    int, typer.Option("--max-verdicts", help="How many verdicts a model may get; each may leak a bit.")
]
BudgetOption = Annotated[
    int | None,
    typer.Option(
        "--budget",
        min=1,
        help="Queries of each client about the model, all anonymous ones together. (default: 1000, or 100 for scores)",
    ),
]
InsecurePassiveOption = Annotated[
    bool, typer.Option("--insecure-passive", help="Verify under a passive protocol, where a verdict can be forged.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, max=MAX_TIMEOUT_SECONDS, help="How many seconds to wait for a message.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        max=MAX_THREADS,
        help="On how many threads each party computes; results are the same. (default: 1 where three parties share "
        "this machine, else as many as there are cores)",
    ),
]
ClientPortOption = Annotated[
    int,
    typer.Option(
        "--client-port", min=1024, max=65535 - PARTIES + 1, help="Server i listens for clients on this port + i."
    ),
]
KnownClientsOption = Annotated[
    Path | None,
    typer.Option(
        "--known-clients", metavar="DIR", help="Accept only clients whose certificates are there. (default: all)"
    ),
]
PortBaseOption = Annotated[
    int | None,
    typer.Option(
        "--port-base",
        min=1024,
        max=65535 - PARTIES + 1,
        help="The first of the three ports on which parties listen for each other. (default: any free ones)",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the results alone.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the record of the run as JSON.")]
CorruptPartyOption = Annotated[
    int | None, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
]
ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="A,B[,...]|all",
        help="Two or more of many classes, by number or CIFAR-10 name; the first one becomes label 0. "
        "(default: the first two of mnist, fashion_mnist and cifar10, all of others)",
    ),
]
RowsOption = Annotated[int | None, typer.Option("--rows", min=2, help="Train on the first N rows. (default: all)")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="The folder of mnist, fashion_mnist or cifar10. (default: data/downloads)")
]
DownloadOption = Annotated[
    bool, typer.Option("--download", help="Download mnist, fashion_mnist or cifar10 with torchvision if it is absent.")
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="Run in N processes of this machine. Seconds are recorded of one process alone.",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Run on the workers of a Dask cluster, which share the folder of --out; needs the extra dask.",
    ),
]

MODEL_OPTIONS = "model_options"


def with_options(*records: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For commands with options in common: their first parameters, dataclasses, become an option for each field.

    A field model_options becomes an option for each public parameter of a model.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[len(records) :]
        names = [field.name for record in records for field in dataclasses.fields(record)]
        of_models = model_options() if MODEL_OPTIONS in names else []
        shared = {record: _options(record) for record in records}

        @functools.wraps(command)
        def called(**values: Any) -> None:
            models = {option.name: values.pop(option.name) for option in of_models}
            filled = []
            for record, options in shared.items():
                fields = {option.name: values.pop(option.name) for option in options}
                if MODEL_OPTIONS in {field.name for field in dataclasses.fields(record)}:
                    fields[MODEL_OPTIONS] = models
                filled.append(record(**fields))
            command(*filled, **values)

        first, *others = shared.values()
        separate = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in own]
        in_order = [*first, *of_models, *separate, *(option for options in others for option in options)]
        called.__signature__ = inspect.Signature(in_order)  # type: ignore[attr-defined]
        return called

    return decorate


def _options(record: type) -> list[inspect.Parameter]:
    hints = get_type_hints(record, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(record)
        if field.name != MODEL_OPTIONS
    ]


def chosen_classes(text: str | None) -> Choice | None:
    """'3,7' as ('3', '7'), and 'all' as it is."""
    if text is None:
        return None
    if text.strip().lower() == "all":
        return "all"
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2 or not all(names):
        raise ParameterError(
            f"expected --classes A,B[,...] or all, got {text!r}; name two or more, such as 3,7 or cat,dog,frog"
        )
    return names


def integers(text: str, option: str, form: str) -> tuple[int, ...]:
    """'14,14' as (14, 14). form: what the option looks like, such as 'ROW,COL'; its commas say how many."""
    words = text.split(",")
    try:
        if len(words) == len(form.split(",")):
            return tuple(int(word) for word in words)
    except ValueError:
        pass
    raise ParameterError(f"expected {option} {form} in integers, got {text!r}; write them without spaces")


def corruption(plan: Path | None, party: int | None) -> Corruption | None:
    """Of --plan and --corrupt-party. Raises ParameterError where only one is given, PlanError for a bad file."""
    from mpc_tamper.runs.corruption import Corruption
    from mpc_tamper.runs.plan import AdditiveErrorPlan

    if (plan is None) != (party is None):
        raise ParameterError("expected --plan and --corrupt-party together, got one; give both or neither")
    return None if plan is None else Corruption.of(party, AdditiveErrorPlan.read(plan))
