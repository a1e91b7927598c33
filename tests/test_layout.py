"""Where tests are: in folders named as the packages that they test; what they share is in tests/support."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.places import ROOT

TESTS = ROOT / "tests"
PACKAGE = ROOT / "orchestrator" / "mpc_tamper"
FILES = sorted(TESTS.rglob("*.py"))
ON_TOP = {
    "conftest.py",
    "test_api.py",
    "test_docker.py",
    "test_docs.py",
    "test_examples.py",
    "test_imports.py",
    "test_layout.py",
    "test_notebooks.py",
    "test_numbers.py",
    "test_light_imports.py",
    "test_processes.py",
    "test_recipes.py",
}
NOT_PACKAGES = {"recorded", "nearest_mean", "__pycache__"}


def identify(path: Path) -> str:
    return str(path.relative_to(TESTS))


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_only_support_is_imported_from_tests(path: Path) -> None:
    """A test module that imports another one runs its code twice and hides where a helper is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: expected an absolute import"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in modules:
            first, second, *_ = (*name.split("."), "")
            assert first != "tests" or second == "support", (
                f"line {node.lineno}: what tests share goes into tests/support"
            )


def test_folders_are_those_of_the_package() -> None:
    folders = {p.relative_to(TESTS) for p in TESTS.rglob("*") if p.is_dir() and not NOT_PACKAGES & set(p.parts)}
    missing = {str(folder) for folder in folders - {Path("support")} if not (PACKAGE / folder).is_dir()}
    recorded = {str(folder) for folder in folders if "recorded" in folder.parts}
    assert missing - recorded == set()
    assert {path.name for path in TESTS.glob("*.py")} == ON_TOP


def test_support_has_no_tests() -> None:
    assert [path.name for path in (TESTS / "support").glob("test_*.py")] == []


def test_no_property_has_a_deadline_that_load_can_stretch() -> None:
    assert settings().deadline is None
