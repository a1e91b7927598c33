"""Finding an MP-SPDZ tree and saying what it lacks, on trees made of small files; and the patches themselves."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mpc_tamper.cli.doctor import doctor
from mpc_tamper.cli.errors import ReportingGroup
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import EngineUnavailable, ProgramError
from mpc_tamper.engines.mp_spdz import compiler
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.patch_state import (
    VARIANTS,
    Patch,
    PatchReport,
    PatchState,
    blob_hash,
    expected_blobs,
    inspect_sources,
    patch_path,
)
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS, PlanEffect
from mpc_tamper.runs.protocols import ProtocolName

COMPILER = "import sys\nprint('usage')\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What of MP-SPDZ's tree the driver looks at, before the patches: without its sources."""
    home = tmp_path / "mp-spdz"
    (home / "Compiler").mkdir(parents=True)
    (home / "compile.py").write_text(COMPILER)
    (home / "CHANGELOG.md").write_text("The changelog.\n\n## 0.4.2 (Dec 24, 2025)\n\n- x\n\n## 0.4.1 (May 30, 2025)\n")
    (home / "libSPDZ.so").write_bytes(b"\x7fELF")
    for settings in SETTINGS.values():
        (home / settings.binary).write_bytes(b"\x7fELF")
    return home


@pytest.fixture
def located(tree: Path) -> Callable[[], Installation]:
    return lambda: Installation.locate({"MP_SPDZ_HOME": str(tree)})


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch, tree: Path) -> dict[Patch, dict[str, tuple[str | None, str]]]:
    """Patches of one changed and one new file each, in place of ours; the changed files stand in the tree."""
    table: dict[Patch, dict[str, tuple[str | None, str]]] = {}
    for patch in Patch:
        for name, text in (("before", "old\n"), ("after", "new\n")):
            (tree / f"{patch}.{name}").write_text(text)
        before, after = (blob_hash(tree / f"{patch}.{name}") for name in ("before", "after"))
        assert after is not None
        table[patch] = {f"{patch}.cpp": (before, after), f"{patch}.new": (None, after)}
        (tree / f"{patch}.cpp").write_text("old\n")
    for module in ("installation", "patch_state"):
        monkeypatch.setattr(f"mpc_tamper.engines.mp_spdz.{module}.expected_blobs", lambda patch: table[patch])
    monkeypatch.setattr("mpc_tamper.engines.mp_spdz.patch_state.VARIANTS", {patch: (patch,) for patch in Patch})
    return table


def apply(tree: Path, patch: Patch) -> None:
    (tree / f"{patch}.cpp").write_text("new\n")
    (tree / f"{patch}.new").write_text("new\n")


def build(tree: Path, name: str, content: bytes = b"\x7fELF additive_errors") -> None:
    (tree / name).write_bytes(content)


def test_version_and_compiler(located: Callable[[], Installation]) -> None:
    installation = located()
    assert installation.version_text == "v0.4.2"
    assert installation.python == sys.executable
    assert installation.compiler_problem() is None


def test_another_python(tree: Path) -> None:
    found = Installation.locate({"MP_SPDZ_HOME": str(tree), "MP_SPDZ_PYTHON": "/no/such/python"})
    assert "MP_SPDZ_PYTHON" in (found.compiler_problem() or "")


@pytest.mark.parametrize("value", ["", None])
def test_no_home(value: str | None) -> None:
    with pytest.raises(EngineUnavailable, match=r"MP_SPDZ_HOME.*--engine rep3"):
        Installation.locate({} if value is None else {"MP_SPDZ_HOME": value})


def test_a_folder_that_is_something_else(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="another folder"):
        Installation.locate({"MP_SPDZ_HOME": str(tmp_path)})
    with pytest.raises(EngineUnavailable, match="no such folder"):
        Installation.locate({"MP_SPDZ_HOME": str(tmp_path / "missing")})


@pytest.mark.parametrize(("log", "got"), [("## 0.3.9 (Jul 9, 2024)\n", r"v0\.3\.9"), ("news\n", "no version")])
def test_other_versions(tree: Path, located: Callable[[], Installation], log: str, got: str) -> None:
    (tree / "CHANGELOG.md").write_text(log)
    with pytest.raises(EngineUnavailable, match=rf"expected MP-SPDZ v0\.4\.x, got {got}"):
        located()


def test_a_compiler_that_lacks_a_package(tree: Path, located: Callable[[], Installation]) -> None:
    (tree / "compile.py").write_text("import no_such_package_for_mp_spdz\n")
    assert "needs the Python package no_such_package_for_mp_spdz" in (located().compiler_problem() or "")


def test_compiling(tree: Path, located: Callable[[], Installation], tmp_path: Path) -> None:
    """In our folder, by path, with options before and arguments after it; nothing is written to the tree."""
    (tree / "compile.py").write_text(
        "import sys, pathlib\n"
        "pathlib.Path('Programs/Schedules/p-a=1.sch').touch()\n"
        "pathlib.Path('seen').write_text(' '.join(sys.argv[1:]))\n"
    )
    program, run_dir = tmp_path / "p.mpc", tmp_path / "run"
    program.write_text("")
    before = sorted(tree.rglob("*"))
    assert compiler.compile_program(located(), program, ["a=1"], ["-R", "64"], run_dir) == "p-a=1"
    assert (run_dir / "seen").read_text() == f"-R 64 {program} a=1"
    assert sorted(tree.rglob("*")) == before


def test_a_program_that_does_not_compile(tree: Path, located: Callable[[], Installation], tmp_path: Path) -> None:
    (tree / "compile.py").write_text("import sys\nexec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec'))\n")
    program = tmp_path / "p.mpc"
    program.write_text("x = 1\nraise ValueError('bad rows')\n")
    with pytest.raises(ProgramError, match=r"p\.mpc, line 2: .*bad rows"):
        compiler.compile_program(located(), program, [], [], tmp_path / "run")
    program.write_text("import no_such_package_for_mp_spdz\n")
    with pytest.raises(EngineUnavailable, match="no_such_package_for_mp_spdz"):
        compiler.compile_program(located(), program, [], [], tmp_path / "run")


def test_a_half_built_tree(tree: Path, located: Callable[[], Installation]) -> None:
    (tree / "shamir-party.x").unlink()
    with pytest.raises(EngineUnavailable, match=r"make shamir-party\.x"):
        located().require(ProtocolName.SHAMIR, plan=False)
    assert located().require(ProtocolName.RING, plan=False) == tree / "replicated-ring-party.x"
    (tree / "libSPDZ.so").unlink()
    with pytest.raises(EngineUnavailable, match=r"libSPDZ\.so is not built"):
        located().require(ProtocolName.RING, plan=False)


def test_a_plan_needs_the_patch_in_sources_and_binaries(
    tree: Path, located: Callable[[], Installation], blobs: object
) -> None:
    ring = SETTINGS[ProtocolName.RING].binary
    with pytest.raises(EngineUnavailable, match=r"git apply --unidiff-zero .*additive-error\.patch"):
        located().require(ProtocolName.RING, plan=True)
    apply(tree, Patch.ADDITIVE_ERROR)
    with pytest.raises(EngineUnavailable, match=r"built without the patch: run `make replicated-ring-party\.x`"):
        located().require(ProtocolName.RING, plan=True)
    build(tree, ring)
    build(tree, "libSPDZ.so")
    assert located().require(ProtocolName.RING, plan=True) == tree / ring
    (tree / f"{Patch.ADDITIVE_ERROR}.cpp").write_text("edited\n")
    with pytest.raises(EngineUnavailable, match=r"additive-error\.cpp: expected the files of v0\.4\.2"):
        located().require(ProtocolName.RING, plan=True)


def test_a_protocol_that_needs_a_repair(tree: Path, located: Callable[[], Installation], blobs: object) -> None:
    binary = tree / SETTINGS[ProtocolName.SY_REP_RING].binary
    apply(tree, Patch.ADDITIVE_ERROR)
    build(tree, binary.name)
    build(tree, "libSPDZ.so")
    assert located().require(ProtocolName.SY_REP_RING, plan=False) == binary
    with pytest.raises(EngineUnavailable, match="does not notice additive errors"):
        located().require(ProtocolName.SY_REP_RING, plan=True)
    apply(tree, Patch.ZERO_CHECK)
    os.utime(binary, (1, 1))
    with pytest.raises(EngineUnavailable, match="older than its repair"):
        located().require(ProtocolName.SY_REP_RING, plan=True)
    os.utime(binary)
    assert located().require(ProtocolName.SY_REP_RING, plan=True) == binary
    assert located().status(ProtocolName.SY_REP_RING).warnings == ()


@pytest.mark.parametrize("protocol", [p for p in ProtocolName if SETTINGS[p].plan is PlanEffect.UNSUPPORTED])
def test_protocols_without_additive_errors(located: Callable[[], Installation], protocol: ProtocolName) -> None:
    with pytest.raises(EngineUnavailable, match="not supported"):
        located().require(protocol, plan=True)


def test_states_of_a_patch(tree: Path, blobs: dict[Patch, dict[str, tuple[str | None, str]]]) -> None:
    patch = Patch.ADDITIVE_ERROR
    changed, new = tree / f"{patch}.cpp", tree / f"{patch}.new"
    assert inspect_sources(tree, blobs[patch]) == PatchReport(PatchState.ABSENT)
    changed.write_text("new\n")
    assert inspect_sources(tree, blobs[patch]) == PatchReport(PatchState.FOREIGN, (new.name,))  # half applied
    new.write_text("new\n")
    assert inspect_sources(tree, blobs[patch]) == PatchReport(PatchState.APPLIED)
    changed.write_text("edited\n")
    assert inspect_sources(tree, blobs[patch]) == PatchReport(PatchState.FOREIGN, (changed.name,))


def test_blob_hashes_are_gits(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "hello").write_text("hello\n")
    assert blob_hash(tmp_path / "empty") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_hash(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert blob_hash(tmp_path / "missing") is None


def test_every_protocol_has_settings() -> None:
    assert set(SETTINGS) == set(ProtocolName)


@pytest.mark.parametrize("patch", [variant for variants in VARIANTS.values() for variant in variants])
def test_patches_hold_lines_of_ours_only(patch: str) -> None:
    """Insertions without context, no text of MP-SPDZ's in a heading, and few of them; the hashes are of these files."""
    text = patch_path(patch).read_text()
    body = [line for line in text.splitlines() if not re.match(r"diff --git |index |new file mode |--- |\+\+\+ ", line)]
    assert all(re.fullmatch(r"@@ -\d+(,0)? \+\d+(,\d+)? @@", line) or line.startswith("+") for line in body)
    assert sum(line.startswith("+") for line in body) <= 300
    touched = re.findall(r"^diff --git a/(\S+)", text, re.MULTILINE)
    hashes = dict(zip(touched, re.findall(r"^index (\w+)\.\.(\w+)", text, re.MULTILINE), strict=True))
    blank = "0" * 40
    assert {p: (b or blank, a) for p, (b, a) in expected_blobs(patch).items()} == hashes
    assert json.loads(patch_path(patch).with_suffix(".json").read_text())["version"].startswith(("v0.4.2", "3a0a7b1d"))
    assert (bundle.root() / "patches" / "README.md").read_text().count(f"{patch}.patch")


def run_doctor(monkeypatch: pytest.MonkeyPatch, home: Path | None) -> tuple[int, str]:
    monkeypatch.setenv("MP_SPDZ_HOME", str(home or ""))
    app = typer.Typer(cls=ReportingGroup)
    app.command("doctor")(doctor)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["doctor"])
    return result.exit_code, result.stdout + result.stderr


def test_doctor(tree: Path, monkeypatch: pytest.MonkeyPatch, blobs: object) -> None:
    (tree / "shamir-party.x").unlink()
    monkeypatch.setenv("COLUMNS", "200")
    code, text = run_doctor(monkeypatch, tree)
    assert code == 0
    assert "MP-SPDZ v0.4.2" in text
    assert re.search(r"^ ?ring +passive +yes +no", text, re.MULTILINE)
    assert re.search(r"^ ?shamir +passive +no +no", text, re.MULTILINE)
    assert "make shamir-party.x" in text
    assert "git apply" in text


def test_doctor_without_anything(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_doctor(monkeypatch, None)[0] == 2
    for binary in tree.glob("*.x"):
        binary.unlink()
    code, text = run_doctor(monkeypatch, tree)
    assert code == 2
    assert "replicated-ring-party.x is not built" in text
