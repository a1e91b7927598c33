"""Imports run downward only, and nothing loads pickles or pulls in torch."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "orchestrator"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_bundle" not in path.parts)

FOUNDATION = {"errors", "files", "additive_errors", "records", "bundle", "progress"}
LEARNING = {"svm", "pca", "encoding", "metrics", "trigger"}
SCENARIO = LEARNING | {"scenario", "datasets"}
# What each part of the package may import besides itself.
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "additive_errors": {"errors", "files"},
    "records": {"additive_errors", "errors"},
    "bundle": {"errors"},
    "progress": set(),
    "svm": FOUNDATION,
    "pca": FOUNDATION | {"svm"},
    "encoding": FOUNDATION | {"svm"},
    "metrics": FOUNDATION | {"svm"},
    "trigger": {"errors", "svm"},
    "scenario": FOUNDATION | LEARNING | {"datasets"},
    "datasets": FOUNDATION,
    "engines": FOUNDATION,
    "attacks": FOUNDATION | SCENARIO,
    "defences": FOUNDATION | SCENARIO,
    "report": FOUNDATION,
    "experiments": FOUNDATION | SCENARIO | {"attacks", "defences", "engines", "report"},
    "cli": FOUNDATION | SCENARIO | {"attacks", "defences", "engines", "report", "experiments"},
}
# Parts of rep3, the lowest first. A part imports itself and lower ones, transport and kernels not each other.
REP3 = [
    {"transport", "kernels"},
    {"protocol"},
    {"primitives"},
    {"handshake", "share_files", "share_check", "input_reader", "clients"},
    {"config", "machine", "local_parties"},
    {"party", "run"},
    {"engine", "one_host"},
]
SHARED_BY_ENGINES = {"base", "certificates", "frontend", "hosts", "inputs", "validation"}
PARTS_OF_ENGINES = {
    "base": set(),
    "certificates": set(),
    "hosts": set(),
    "inputs": set(),
    "frontend": set(),
    "validation": {"base", "frontend", "inputs"},
    "clear": SHARED_BY_ENGINES,
    "rep3": SHARED_BY_ENGINES,
    "mp_spdz": SHARED_BY_ENGINES,
    "registry": {"base", "clear", "mp_spdz", "rep3"},
}
# What can become a package of its own knows these alone.
EMBEDDED = {"certificates", "clear", "frontend", "hosts", "inputs", "rep3", "validation"}
RECORDS = {"additive_errors", "errors", "files", "records"}
FORBIDDEN = {"pickle", "cPickle", "_pickle", "dill", "joblib", "marshal", "shelve"}


def module_name(path: Path) -> tuple[str, ...]:
    """orchestrator/engines/base.py as ('orchestrator', 'engines', 'base'); a package by its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
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
                below = ROOT.joinpath(*submodule)
                yield submodule if below.is_dir() or below.with_suffix(".py").is_file() else module


def own_imports(path: Path, prefix: tuple[str, ...]) -> set[str]:
    """The parts directly below prefix, such as 'rep3' below orchestrator.engines, that a file imports."""
    depth = len(prefix)
    return {name[depth] for name in imported(path) if name[:depth] == prefix and len(name) > depth}


def part(path: Path, depth: int) -> str:
    name = module_name(path)
    return name[depth] if len(name) > depth else ""


def identify(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_parts_import_downward(path: Path) -> None:
    here = part(path, 1)
    if here:
        assert here in MAY_IMPORT, f"say in MAY_IMPORT what {here} may import"
    assert own_imports(path, ("orchestrator",)) - {here} <= MAY_IMPORT.get(here, set())


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) == "engines"], ids=identify)
def test_engines_import_the_front_end_and_not_each_other(path: Path) -> None:
    here = part(path, 2)
    if here:
        assert here in PARTS_OF_ENGINES, f"say in PARTS_OF_ENGINES what {here} may import"
    assert own_imports(path, ("orchestrator", "engines")) - {here} <= PARTS_OF_ENGINES.get(here, set())
    if here in EMBEDDED:
        assert own_imports(path, ("orchestrator",)) - {"engines"} <= RECORDS


@pytest.mark.parametrize("path", [p for p in FILES if module_name(p)[2:3] == ("rep3",)], ids=identify)
def test_rep3_is_layered(path: Path) -> None:
    here = part(path, 3)
    levels = {name: level for level, names in enumerate(REP3) for name in names}
    if here:
        assert here in levels, f"give {here} a level in REP3"
    highest = levels.get(here, 0) - (here in REP3[0])
    assert {n for n in own_imports(path, ("orchestrator", "engines", "rep3")) - {here} if levels[n] > highest} == set()


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_nothing_loads_pickles(path: Path) -> None:
    assert not {name[0] for name in imported(path)} & FORBIDDEN
    assert not re.search(r"allow_pickle\s*=\s*True", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) not in ("cli", "progress")], ids=identify)
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    """A party's process may print to its log."""
    names = {"exit", "quit"} if path.name == "party.py" else {"exit", "quit", "print"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in names, f"line {node.lineno}"


@pytest.mark.parametrize("path", [p for p in FILES if part(p, 1) == "cli"], ids=identify)
def test_help_is_quick_because_commands_import_when_they_run(path: Path) -> None:
    heavy = {"numpy", "numba", "cryptography", "matplotlib", "pandas", "rich", "torch", "torchvision"}
    if path.name != "cost.py":  # itself imported by commands only
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


def test_the_rule_finds_an_import_that_runs_upward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_imports.ROOT" if __name__.startswith("tests.") else f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "orchestrator" / "attacks" / "backdoor.py"
    path.parent.mkdir(parents=True)
    (tmp_path / "orchestrator" / "engines").mkdir()
    path.write_text("def f():\n    from orchestrator import engines\n    from ..records import Cost\n    import a.b\n")
    assert set(imported(path)) == {("orchestrator", "engines"), ("orchestrator", "records"), ("a", "b")}
    assert own_imports(path, ("orchestrator",)) == {"engines", "records"}
