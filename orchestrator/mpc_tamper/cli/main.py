"""mpc-tamper: parse, call, print. The commands import what they need when they run, so that --help is quick."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from mpc_tamper.cli import (
    accuracy,
    clients,
    console,
    costs,
    datasets,
    export,
    faults,
    hosts,
    leaks,
    matrix,
    program,
    pruning,
    results,
    schema,
    training,
    verify,
)
from mpc_tamper.cli.doctor import doctor
from mpc_tamper.cli.errors import INTERRUPTED, INTERRUPTED_NOTE, ReportingGroup
from mpc_tamper.cli.old_names import renamed
from mpc_tamper.core.terminal import escape_codes_unwanted
from mpc_tamper.models.registry import MODELS

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 0.01

app = typer.Typer(
    name="mpc-tamper",
    cls=ReportingGroup,
    help="What a cheating server can do to a model trained in multi-party computation, and what stops it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("reproduce")(results.reproduce)
app.command("bench")(results.bench)
app.command("run")(program.run)
app.command("party")(hosts.party)
app.command("certificate")(hosts.certificate)
app.command("doctor")(doctor)
app.command("train")(training.train)
app.command("open")(training.open_trained)
app.command("attack")(training.attack)
app.command("verify", cls=renamed({"--rows": "--tests", "--certificate": "--robustness"}))(verify.verify)
app.command("costs")(costs.costs)
app.command("matrix", cls=renamed({"--dataset": "--data"}))(matrix.matrix)
app.command("rerun", cls=renamed({"--dataset": "--data"}))(matrix.rerun)
app.command("probe")(matrix.probe)
app.command("accuracy")(accuracy.accuracy)
app.command("pruning")(pruning.pruning)
app.command("faults")(faults.faults)
app.command("serve", cls=renamed({"--port-base": "--client-port", "--clients": "--known-clients"}))(clients.serve)
app.command("query")(clients.query)
app.command("contribute", cls=renamed({"--rows": "--only-rows"}))(clients.contribute)
app.command("client-certificate")(clients.client_certificate)
app.add_typer(datasets.app, name="datasets")
app.command("schema")(schema.schema)
app.add_typer(leaks.app, name="leak")
app.add_typer(export.app, name="export")


@app.command()
def version() -> None:
    """Print the version of mpc-tamper."""
    from importlib.metadata import version as installed

    console.say(installed("mpc-tamper"))


def _version_alone(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def options_of_no_command(
    asked: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version_alone, help="Print the version of mpc-tamper."),
    ] = False,
) -> None:
    """Nothing else: each command has options of its own."""


def run() -> None:
    """The entry point of the mpc-tamper command. When terminated, it leaves as little behind as when interrupted."""
    console.prepare_streams()
    for problem in MODELS.problems():
        console.warn(problem)
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        # Where the threads of NumPy's BLAS find no room, it interrupts the process. Without them there is room.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # without a home it would tell of a folder that it made
    if escape_codes_unwanted():
        for each in (app, datasets.app):
            each.rich_markup_mode = None  # help and complaints about options without escape codes
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and the jobs of a shell script have it
            signal.signal(number, _end)
    try:
        app()
    except KeyboardInterrupt:  # before the command line was read
        console.note(INTERRUPTED_NOTE)
        sys.exit(INTERRUPTED)
    finally:  # the work is over, and what is left is done in a moment, but not if it is broken off
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends as an interrupt does. What comes after the first, such as an impatient Ctrl-C or a terminal's last words,
    cannot break that off: it takes a few seconds at most."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    if _is_swallowed(frame):
        signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    else:
        raise KeyboardInterrupt


def _is_swallowed(frame: FrameType | None) -> bool:
    """Whether Python would print an exception and go on: in __del__, and in what follows the import of a module."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or (code.co_name == "cb" and "importlib" in code.co_filename):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    run()
