"""The front end's imports run one way: no circle, and nothing imported late to hide one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mpc_tamper.engines.frontend as frontend

ROOM = Path(str(frontend.__file__)).parent
FILES = {".".join(path.relative_to(ROOM).with_suffix("").parts): path for path in sorted(ROOM.rglob("*.py"))}
PREFIX = f"{frontend.__name__}."
# The rooms, the lowest first; what stands beside them is below all (the engine's side) or above (the program's).
BELOW, ABOVE = {"machine", "runtime", "steps"}, {"control", "program", "python_state", "reachable"}
ROOMS = ["values", "io", "containers"]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The front end's own modules that a file imports, and how deep in its code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(PREFIX):
            names = [f"{node.module}.{alias.name}"[len(PREFIX) :] for alias in node.names]
            for name in names:
                yield (name if name in FILES else name.rpartition(".")[0]), int(node not in tree.body)


def level(module: str) -> int:
    room = module.split(".")[0]
    return -1 if room in BELOW else len(ROOMS) if room in ABOVE else ROOMS.index(room)


@pytest.mark.parametrize("module", [name for name in FILES if not name.endswith("__init__")])
def test_a_room_imports_itself_and_lower_ones_at_the_top_of_its_files(module: str) -> None:
    for imported, depth in imports(FILES[module]):
        assert depth == 0, f"{imported} is imported inside a block"
        assert level(imported) <= level(module), imported


def test_no_circle() -> None:
    pending = {name: {imported for imported, _ in imports(path)} for name, path in FILES.items()}
    assert pending["containers.matrix"] >= {"containers.array", "values.fixed"}, "imports are found"
    while free := [name for name, needs in pending.items() if not needs & pending.keys()]:
        for name in free:
            del pending[name]
    assert pending == {}
