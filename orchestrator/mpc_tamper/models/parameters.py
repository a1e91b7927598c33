"""Fields of a model's public parameters."""

from __future__ import annotations

from dataclasses import field
from typing import Any

HELP = "help"  # of a field's metadata


def option(default: Any, help_text: str) -> Any:
    """A dataclass field with a default, and what the command line says of the option that is made from it."""
    return field(default=default, metadata={HELP: help_text})
