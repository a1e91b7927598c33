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
    audit,
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
    report,
    results,
    schema,
    training,
    verify,
)
from mpc_tamper.cli.doctor import doctor
from mpc_tamper.cli.errors import INTERRUPTED, INTERRUPTED_NOTE, ReportingGroup
from mpc_tamper.cli.old_names import renamed
from mpc_tamper.cli.verbosity import with_verbosity
from mpc_tamper.core.terminal import escape_codes_unwanted
from mpc_tamper.models.registry import MODELS

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 0.01

app = typer.Typer(
    name="mpc-tamper",
    cls=ReportingGroup,
    help="What a cheating server can do to a model trained in multi-party computation, and what stops it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_TRAINING, _SERVICE, _STUDIES = "Train, attack, verify", "A model in service", "Studies"
_PROGRAMS, _ABOUT = "Programs, parties and hosts", "About this software"

for _name, _command, _panel, _old_names in (
    ("train", training.train, _TRAINING, {}),
    ("attack", training.attack, _TRAINING, {}),
    ("verify", verify.verify, _TRAINING, {"--rows": "--tests", "--certificate": "--robustness"}),
    ("open", training.open_trained, _TRAINING, {}),
    ("serve", clients.serve, _SERVICE, {"--port-base": "--client-port", "--clients": "--known-clients"}),
    ("query", clients.query, _SERVICE, {}),
    ("contribute", clients.contribute, _SERVICE, {"--rows": "--only-rows"}),
    ("client-certificate", clients.client_certificate, _SERVICE, {}),
    ("reproduce", results.reproduce, _STUDIES, {}),
    ("matrix", matrix.matrix, _STUDIES, {"--dataset": "--data"}),
    ("rerun", matrix.rerun, _STUDIES, {"--dataset": "--data"}),
    ("probe", matrix.probe, _STUDIES, {}),
    ("pruning", pruning.pruning, _STUDIES, {}),
    ("accuracy", accuracy.accuracy, _STUDIES, {}),
    ("costs", costs.costs, _STUDIES, {}),
    ("bench", results.bench, _STUDIES, {}),
    ("faults", faults.faults, _STUDIES, {}),
    ("audit", audit.audit, _STUDIES, {}),
    ("report", report.report, _STUDIES, {}),
    ("schema", schema.schema, _STUDIES, {}),
    ("run", program.run, _PROGRAMS, {}),
    ("party", hosts.party, _PROGRAMS, {}),
    ("certificate", hosts.certificate, _PROGRAMS, {}),
    ("doctor", doctor, _PROGRAMS, {}),
):
    app.command(_name, cls=renamed(_old_names), rich_help_panel=_panel)(_command)
app.add_typer(datasets.app, name="datasets", rich_help_panel=_TRAINING)
app.add_typer(leaks.app, name="leak", rich_help_panel=_STUDIES)
app.add_typer(export.app, name="export", rich_help_panel=_STUDIES)


@app.command(rich_help_panel=_ABOUT)
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


for _app in (app, datasets.app, export.app, leaks.app):
    for _registered in _app.registered_commands:
        if _registered.callback is not None:
            _registered.callback = with_verbosity(_registered.callback)


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
