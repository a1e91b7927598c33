"""-v and -vv: what the software logs, on standard error, above the progress of a long command."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mpc_tamper.core.terminal import console_of, printable, takes_escape_codes

VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Say what is being done, and with -vv all of it."
    ),
]
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_NAME = "verbose"
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def with_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option --verbose as its last one."""

    @functools.wraps(command)
    def called(**values: Any) -> None:
        show_log(values.pop(_NAME))
        command(**values)

    known = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(_NAME, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=VerboseOption)
    called.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # type: ignore[attr-defined]
    return called


def show_log(verbosity: int) -> None:
    """verbosity: 0 for warnings, 1 for what is being done, 2 for all. Called again, it takes the place of before."""
    logger = logging.getLogger("mpc_tamper")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    level = _LEVELS[min(verbosity, len(_LEVELS) - 1)]
    logger.setLevel(level if verbosity else logging.NOTSET)  # which leaves it to whoever uses this as a library
    if sys.stderr is not None:
        handler = _handler()
        handler.setLevel(level)
        logger.addHandler(handler)


def _handler() -> logging.Handler:
    handler: logging.Handler
    if takes_escape_codes(sys.stderr):
        from rich.logging import RichHandler

        handler = RichHandler(console=console_of(sys.stderr), show_path=False, markup=False)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_LINE))
    handler.addFilter(_made_printable)
    return handler


def _made_printable(record: logging.LogRecord) -> bool:
    """A file name, say, must not move the cursor."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True
