"""A library that the system cannot load, mostly for want of memory, is one line; a missing module is our own fault."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from mpc_tamper.cli.errors import SYSTEM, ReportingGroup

app = typer.Typer(cls=ReportingGroup)


@app.command()
def fail(text: str) -> None:
    raise ImportError(text)


@app.command()
def other() -> None:
    """With one command alone, there would be no group."""


def test_a_library_that_cannot_be_mapped() -> None:
    result = CliRunner().invoke(app, ["fail", "libssl.so.3: failed to map segment from shared object"])
    assert result.exit_code == SYSTEM
    assert result.stderr == (
        "error: a library could not be loaded: libssl.so.3: failed to map segment from shared object; free some "
        "memory, or install mpc-tamper again\n"
    )


def test_a_module_that_is_missing() -> None:
    with pytest.raises(ImportError, match="no module"):
        CliRunner().invoke(app, ["fail", "no module x"], catch_exceptions=False)
