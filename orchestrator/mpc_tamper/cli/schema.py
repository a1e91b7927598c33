"""mpc-tamper schema: what fields a record has."""

from __future__ import annotations

from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.core.errors import UsageError


def schema(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A record. (default: list all)")] = None,
) -> None:
    """Print the JSON Schema of a record, by which others can read and check it, or list all records."""
    import json

    from mpc_tamper.records.registry import SCHEMAS

    if name is None:
        rows = [(each.name, str(each.version), ", ".join(each.files), each.written_by) for each in SCHEMAS.values()]
        console.say(console.table("", ("record", "version", "files", "written by"), rows, left=4))
        return
    if name not in SCHEMAS:
        raise UsageError(f"schema: expected one of {', '.join(SCHEMAS)}, got {name!r}")
    console.say(json.dumps(SCHEMAS[name].json_schema(), indent=2))
