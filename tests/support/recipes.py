"""The recipes of CONTRIBUTING.md: fenced blocks that say ```python recipe=NAME."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def blocks(name: str) -> list[str]:
    """The code of a recipe, block by block, in the order of the page."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    return re.findall(rf"```python recipe={name}\n(.*?)```", text, flags=re.DOTALL)


def executed(name: str, code: str, **names: Any) -> dict[str, Any]:
    """What a block defines, run as a module of that name, where dataclasses look themselves up."""
    module = types.ModuleType(name)
    module.__dict__.update(names)
    sys.modules[name] = module
    try:
        exec(compile(code, f"{CONTRIBUTING.name}, recipe {name}", "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module.__dict__


def registered(line: str, names: dict[str, Any]) -> dict[str, Any]:
    """What a line of a registry adds to it."""
    found: dict[str, Any] = eval("{" + line + "}", names)
    return found
