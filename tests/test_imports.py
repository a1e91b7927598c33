"""Imports run downward only, without a circle, and nothing loads pickles or pulls in torch."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.places import ROOT

SOURCES = ROOT / "orchestrator"
PACKAGE = "mpc_tamper"
FILES = sorted(path for path in SOURCES.rglob("*.py") if "_bundle" not in path.parts)

# What each part of the package may import besides itself: the layers, the lowest first.
MODELS = {"core", "records", "runs", "engines", "datasets", "models"}
SCENARIOS = MODELS | {"workflows", "scenarios"}
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "records": {"core"},
    "runs": {"core"},
    "datasets": {"core", "records"},
    "engines": {"core", "runs"},
    "models": {"core", "records", "runs", "engines", "datasets"},
    "workflows": MODELS,
    "scenarios": MODELS | {"workflows"},
    "attacks": SCENARIOS,
    "defences": SCENARIOS,
    "report": {"core", "records"},  # it reads files
    "studies": SCENARIOS | {"attacks", "defences", "report"},
    "clients": SCENARIOS,
    "api": SCENARIOS | {"attacks", "defences", "clients"},
    "attempts": SCENARIOS | {"defences", "studies", "api"},  # what the public interface takes from studies
    "sklearn": MODELS | {"workflows", "api"},
    "testing": SCENARIOS | {"attacks", "defences"},  # for tests of others' attacks, defences and models
    "cli": SCENARIOS | {"attacks", "defences", "studies", "clients", "report"},
}
SHARED_BY_ENGINES = {
    "base",
    "certificates",
    "frontend",
    "hosts",
    "inputs",
    "kernels",
    "mapped",
    "offspring",
    "run_log",
    "share_files",
    "tampering",
    "validation",
}
PARTS_OF_ENGINES: dict[str, set[str]] = {
    "base": {"hosts", "relay", "tampering"},
    "certificates": set(),
    "hosted": {"base", "hosts"},
    "hosts": set(),
    "huge_pages": set(),
    "inputs": set(),
    "kernels": {"offspring"},
    "offspring": set(),
    "relay": {"hosts"},
    "mapped": {"huge_pages"},
    "share_files": {"mapped"},
    "frontend": set(),
    "run_log": {"base"},
    "tampering": set(),
    "validation": {"base", "frontend", "inputs"},
    "clear": SHARED_BY_ENGINES,
    "rep3": SHARED_BY_ENGINES,
    "mp_spdz": SHARED_BY_ENGINES,
    "registry": {"base", "clear", "hosts", "mp_spdz", "rep3"},
}
# These parts can become a package of their own: of core they know these modules alone.
EMBEDDED = {
    "certificates",
    "clear",
    "frontend",
    "hosts",
    "huge_pages",
    "inputs",
    "kernels",
    "mapped",
    "offspring",
    "rep3",
    "run_log",
    "share_files",
    "tampering",
    "validation",
}
CORE_OF_EMBEDDED = {"errors", "files", "generators", "ledger", "memory", "notices"}
# Parts of rep3, the lowest first. A part imports itself and lower ones; transport and kernels do not import each other.
REP3 = [
    {"transport", "kernels"},
    {"protocol"},
    {"primitives"},
    {"handshake", "clients"},
    {"config", "machine", "in_process"},
    {"alone", "gate_flips", "party", "run", "silence"},
    {"fork_server", "launcher", "meeting", "single_party", "tampering"},
    {"probe"},
    {"engine"},
]
FORBIDDEN = {"pickle", "cPickle", "_pickle", "dill", "joblib", "marshal", "shelve"}


def module_name(path: Path) -> tuple[str, ...]:
    """mpc_tamper/engines/base.py as ('mpc_tamper', 'engines', 'base'); a package by its folder."""
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Every module that a file imports, at whatever depth of its code. A name imported from a package counts as the
    submodule where there is one."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                submodule = (*module, alias.name)
                below = SOURCES.joinpath(*submodule)
                yield submodule if below.is_dir() or below.with_suffix(".py").is_file() else module


def own_imports(path: Path, prefix: tuple[str, ...]) -> set[str]:
    """The parts directly below prefix, such as 'rep3' below mpc_tamper.engines, that a file imports."""
    depth = len(prefix)
    return {name[depth] for name in imported(path) if name[:depth] == prefix and len(name) > depth}


def part(path: Path, depth: int) -> str:
    name = module_name(path)
    return name[depth] if len(name) > depth else ""


def identify(path: Path) -> str:
    return str(path.relative_to(SOURCES / PACKAGE))


def upward(here: str) -> dict[str, set[str]]:
    """Files of a part of the package, with the parts above it that each imports."""
    files = [path for path in FILES if part(path, 1) == here]
    found = {identify(path): own_imports(path, (PACKAGE,)) - {here} - MAY_IMPORT[here] for path in files}
    return {name: parts for name, parts in found.items() if parts}


def test_every_part_has_a_layer() -> None:
    assert {part(path, 1) for path in FILES} - {""} == MAY_IMPORT.keys()


@pytest.mark.parametrize("here", MAY_IMPORT)
def test_parts_import_downward(here: str) -> None:
    assert upward(here) == {}


def test_nothing_imports_the_public_interface() -> None:
    """mpc_tamper/__init__.py may import all of the package, so importing a name from it would close a circle."""
    assert [identify(path) for path in FILES if (PACKAGE,) in set(imported(path)) and path.parent != SOURCES] == []


def test_there_is_no_circle_of_imports() -> None:
    """Between modules, imports within functions included."""
    modules = {module_name(path): path for path in FILES}
    graph = {name: {found for found in imported(path) if found in modules} for name, path in modules.items()}
    tuple(TopologicalSorter(graph).static_order())  # a CycleError names the modules of a circle


def test_engines_are_chosen_in_the_registry_alone() -> None:
    engines = (PACKAGE, "engines")
    above = [path for path in FILES if module_name(path)[:2] != engines]
    found = {identify(path): own_imports(path, engines) & {"rep3", "mp_spdz"} for path in above}
    assert {name: parts for name, parts in found.items() if parts} == {}


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) == "engines"], ids=identify)
def test_engines_import_the_front_end_and_not_each_other(path: Path) -> None:
    here = part(path, 2)
    if here:
        assert here in PARTS_OF_ENGINES, f"say in PARTS_OF_ENGINES what {here} may import"
    assert own_imports(path, (PACKAGE, "engines")) - {here} <= PARTS_OF_ENGINES.get(here, set())
    if here in EMBEDDED:
        assert own_imports(path, (PACKAGE, "core")) <= CORE_OF_EMBEDDED


@pytest.mark.parametrize("path", [p for p in FILES if module_name(p)[1:3] == ("engines", "rep3")], ids=identify)
def test_rep3_is_layered(path: Path) -> None:
    here = part(path, 3)
    levels = {name: level for level, names in enumerate(REP3) for name in names}
    if here:
        assert here in levels, f"give {here} a level in REP3"
    highest = levels.get(here, 0) - (here in REP3[0])
    found = own_imports(path, (PACKAGE, "engines", "rep3")) - {here}
    assert {name for name in found if levels[name] > highest} == set()


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_nothing_loads_pickles(path: Path) -> None:
    assert not {name[0] for name in imported(path)} & FORBIDDEN
    assert not re.search(r"allow_pickle\s*=\s*True", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) != "cli" and p.name != "progress.py"], ids=identify)
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    """A party's process may print to its log."""
    names = {"exit", "quit"} if path.name == "party.py" else {"exit", "quit", "print"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in names, f"line {node.lineno}"


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) == "cli"], ids=identify)
def test_help_is_quick_because_commands_import_when_they_run(path: Path) -> None:
    heavy = {"numpy", "numba", "cryptography", "matplotlib", "pandas", "rich", "torch", "torchvision"}
    if path.name != "run_table.py":  # itself imported by commands only
        top = ast.parse(path.read_text(encoding="utf-8")).body
        names = {a.name.split(".")[0] for node in top if isinstance(node, ast.Import) for a in node.names}
        names |= {(node.module or "").split(".")[0] for node in top if isinstance(node, ast.ImportFrom)}
        assert not names & heavy


def test_default_dependencies_are_without_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for requirement in (*project["dependencies"], *optional["dev"]):
        assert "torch" not in requirement
    assert any(requirement.startswith("torchvision") for requirement in optional["torchvision"])


def test_the_rules_find_an_import_that_runs_upward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SOURCES", tmp_path)
    path = tmp_path / PACKAGE / "attacks" / "backdoor.py"
    path.parent.mkdir(parents=True)
    (tmp_path / PACKAGE / "engines").mkdir()
    path.write_text(f"def f():\n    from {PACKAGE} import engines\n    from ..runs import spec\n    import a.b\n")
    assert set(imported(path)) == {(PACKAGE, "engines"), (PACKAGE, "runs"), ("a", "b")}
    assert own_imports(path, (PACKAGE,)) == {"engines", "runs"}
