"""Fields of a model's public parameters."""

from __future__ import annotations

from dataclasses import asdict, field, fields
from typing import Any

HELP = "help"  # of a field's metadata
_BEFORE = "before"


def option(default: Any, help_text: str, *, before: Any = None) -> Any:
    """A dataclass field with a default, and what the command line says of the option that is made from it.

    before: what a record without this field means, which was written before there was one.
    """
    return field(default=default, metadata={HELP: help_text, _BEFORE: before})


def recorded(parameters: Any) -> dict[str, Any]:
    """A model's parameters as records have them: without fields that say what records did not have to say before."""
    before = {each.name: each.metadata.get(_BEFORE) for each in fields(parameters)}
    return {name: value for name, value in asdict(parameters).items() if before[name] is None or value != before[name]}
