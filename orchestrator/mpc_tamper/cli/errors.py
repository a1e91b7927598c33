"""From a typed error to one line and an exit code: the boundary between the software and the shell."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from mpc_tamper.core.errors import PartyError, ProgramError, TamperError, UsageError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_EXIT_CODES: tuple[tuple[type[TamperError], int], ...] = ((UsageError, 2), (ProgramError, 3), (PartyError, 4))


class ReportingGroup(TyperGroup):
    """Commands whose TamperError becomes one line on standard error. Other exceptions are faults of ours and pass."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TamperError as error:
            message = " ".join(str(error).split()) or type(error).__name__
            typer.secho(f"error: {message}", fg=typer.colors.RED, err=True)
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt as interrupt:
            typer.secho("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from interrupt


def exit_code(error: TamperError) -> int:
    """2 for what the user gave, 3 for the program, 4 for a run that had started."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)
