"""From an error to one line and an exit code: the boundary between the software and the shell."""

from __future__ import annotations

import errno
from typing import Any

import typer
from typer.core import TyperGroup

from mpc_tamper.cli import console
from mpc_tamper.core.errors import PartyError, ProgramError, TamperError, UsageError
from mpc_tamper.core.files import system_failure

SYSTEM = 5  # the exit code where the system refused something, such as room on a disk
_OF_A_PATH = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST}
INTERRUPTED = 130  # 128 + SIGINT, as shells and click have it
INTERRUPTED_NOTE = "interrupted"
_EXIT_CODES: tuple[tuple[type[TamperError], int], ...] = (
    (UsageError, 2),
    (ProgramError, 3),
    (PartyError, 4),
    (console.OutputError, SYSTEM),
)


class ReportingGroup(TyperGroup):
    """Commands whose errors become one line on standard error: TamperErrors, and what the system refuses.

    Other exceptions are faults of ours and pass.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TamperError as error:
            console.fail(str(error) or type(error).__name__)
            raise typer.Exit(exit_code(error)) from error
        except OSError as error:
            if error.errno is None or error.errno == errno.EPIPE:  # a reader that has seen enough, such as head
                raise
            console.fail(system_failure(error))
            raise typer.Exit(exit_code(UsageError()) if error.errno in _OF_A_PATH else SYSTEM) from error
        except ImportError as error:
            if "shared object" not in str(error):
                raise
            console.fail(f"a library could not be loaded: {error}; free some memory, or install mpc-tamper again")
            raise typer.Exit(SYSTEM) from error
        except (MemoryError, SystemError) as error:
            # Extensions that find no memory as they are loaded may return an error without saying which.
            if isinstance(error, SystemError) and "without exception set" not in str(error):
                raise
            console.fail(system_failure(OSError(errno.ENOMEM, "not enough memory")))
            raise typer.Exit(SYSTEM) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """An interrupt ends in this exit code wherever it strikes: in a command, or while its words are read."""
        try:
            return super().main(*args, **kwargs)
        except SystemExit as ending:
            if ending.code == INTERRUPTED:
                console.note(INTERRUPTED_NOTE)
            raise


def exit_code(error: TamperError) -> int:
    """2 for what the user gave, 3 for the program, 4 for a run that had started, 5 for output that went nowhere."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)
