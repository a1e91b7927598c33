"""Find the MP-SPDZ tree that the user has built, and say what it can do.

MP_SPDZ_HOME is its folder. MP_SPDZ_PYTHON is the Python that runs its compiler; by default the one that runs us.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.mp_spdz.patch_state import (
    Patch,
    PatchReport,
    PatchState,
    adds_errors,
    expected_blobs,
    report,
)
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS, PlanEffect
from mpc_tamper.runs.protocols import ProtocolName

HOME_VARIABLE = "MP_SPDZ_HOME"
PYTHON_VARIABLE = "MP_SPDZ_PYTHON"
SUPPORTED = "v0.4.2"
MANUAL = "https://mp-spdz.readthedocs.io"
_COMPILER = "compile.py"
_LIBRARY = "libSPDZ.so"
_COMPILER_SECONDS = 60


@dataclass(frozen=True)
class ProtocolStatus:
    """problems: why it cannot run.  plan_problems: why it can run, but not with additive errors.  warnings: neither."""

    protocol: ProtocolName
    binary: Path
    problems: tuple[str, ...]
    plan_problems: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Installation:
    """A folder that holds MP-SPDZ of a supported version, whatever is built in it."""

    home: Path
    version: tuple[int, int, int]
    python: str

    @classmethod
    def locate(cls, environment: Mapping[str, str]) -> Installation:
        """Raises EngineUnavailable where there is none, or one of another version."""
        value = environment.get(HOME_VARIABLE)
        if not value:
            raise EngineUnavailable(
                f"expected {HOME_VARIABLE} to name the folder of a built MP-SPDZ {SUPPORTED}, got nothing: build it as "
                f"its manual says ({MANUAL}) and set the variable, or use --engine rep3, which needs no MP-SPDZ"
            )
        home = Path(value).expanduser().resolve()
        if not (home / _COMPILER).is_file() or not (home / "Compiler").is_dir():
            raise EngineUnavailable(
                f"{HOME_VARIABLE}={value}: expected the folder of MP-SPDZ with {_COMPILER} and Compiler/ in it, got "
                f"{'another folder' if home.is_dir() else 'no such folder'}; correct the path"
            )
        return cls(home, _version(home), environment.get(PYTHON_VARIABLE) or sys.executable)

    @property
    def compiler(self) -> Path:
        return self.home / _COMPILER

    @property
    def version_text(self) -> str:
        return "v" + ".".join(map(str, self.version))

    def patch_report(self, patch: Patch) -> PatchReport:
        return report(self.home, patch)

    @property
    def tree(self) -> str:
        """Which version it is, as the files that the patch touches say, or else the change log."""
        found = self.patch_report(Patch.ADDITIVE_ERROR)
        return f"{self.version_text}, changed" if found.state is PatchState.FOREIGN else found.version

    def compiler_problem(self) -> str | None:
        """Why the compiler does not start, such as a Python package that it lacks."""
        try:
            done = subprocess.run(
                [self.python, "-B", str(self.compiler), "--help"],
                capture_output=True,
                text=True,
                timeout=_COMPILER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            return f"{self.python} does not run MP-SPDZ's compiler: {exc}; set {PYTHON_VARIABLE} to a Python that does"
        return None if done.returncode == 0 else explain_compiler_failure(done.stderr, self.python)

    def status(self, protocol: ProtocolName) -> ProtocolStatus:
        settings = SETTINGS[protocol]
        binary = self.home / settings.binary
        problems = []
        if not binary.is_file():
            problems.append(f"{settings.binary} is not built: run `make {settings.binary}` in {self.home}")
        if not (self.home / _LIBRARY).is_file():
            problems.append(f"{_LIBRARY} is not built: run `make {settings.binary}` in {self.home}")
        warnings = self._repair_problems(protocol, built=not problems)
        plan_problems = self._plan_problems(protocol, built=not problems) + warnings
        return ProtocolStatus(protocol, binary, tuple(problems), plan_problems, warnings)

    def require(self, protocol: ProtocolName, *, plan: bool) -> Path:
        """The party binary of a protocol. Raises EngineUnavailable with every reason why it cannot be used."""
        status = self.status(protocol)
        problems = status.problems + (status.plan_problems if plan else ())
        if problems:
            purpose = f"{protocol} with additive errors" if plan else str(protocol)
            raise EngineUnavailable(f"MP-SPDZ cannot run {purpose}: {'; '.join(dict.fromkeys(problems))}")
        return status.binary

    def _plan_problems(self, protocol: ProtocolName, *, built: bool) -> tuple[str, ...]:
        settings = SETTINGS[protocol]
        if settings.plan is PlanEffect.UNSUPPORTED:
            return (f"additive errors are not supported in {protocol}: use ring, shamir or rep-field",)
        missing = self.source_problems(Patch.ADDITIVE_ERROR)
        stale = [name for name in (settings.binary, _LIBRARY) if not adds_errors(self.home / name)]
        if built and stale and not missing:
            return (f"{' and '.join(stale)} was built without the patch: run `make {settings.binary}` in {self.home}",)
        return missing

    def _repair_problems(self, protocol: ProtocolName, *, built: bool) -> tuple[str, ...]:
        settings = SETTINGS[protocol]
        if settings.repair is None:
            return ()
        missing = self.source_problems(settings.repair)
        if missing:
            return (f"{protocol} of {SUPPORTED} does not notice additive errors (patches/README.md)", *missing)
        sources = [self.home / path for path in expected_blobs(settings.repair)]
        if built and (self.home / settings.binary).stat().st_mtime < max(path.stat().st_mtime for path in sources):
            return (f"{settings.binary} is older than its repair: run `make {settings.binary}` in {self.home}",)
        return ()

    def source_problems(self, patch: Patch) -> tuple[str, ...]:
        found = self.patch_report(patch)
        if found.state is PatchState.ABSENT:
            return (
                f"the patch {patch} is missing: run `git apply --unidiff-zero {found.path}` in {self.home}, "
                "then make again",
            )
        if found.state is PatchState.FOREIGN:
            return (
                f"{', '.join(found.differing)}: expected the files of {found.version}, with the patch {patch} or "
                "without, got others; check out the tag afresh and apply the patch",
            )
        return ()


def explain_compiler_failure(stderr: str, python: str) -> str:
    """One sentence on why compile.py ended, with the next step."""
    missing = re.search(r"(?:ModuleNotFoundError|ImportError): (?:No module named )?'?([\w.]+)", stderr)
    if missing:
        return (
            f"MP-SPDZ's compiler needs the Python package {missing[1]}, which {python} lacks: install it there, or set "
            f"{PYTHON_VARIABLE} to a Python that has it"
        )
    lines = [line for line in stderr.splitlines() if line.strip()]
    return "MP-SPDZ's compiler failed: " + (lines[-1] if lines else "it said nothing")


def _version(home: Path) -> tuple[int, int, int]:
    """From the first release heading of the change log, which both a release archive and a clone have."""
    try:
        log = (home / "CHANGELOG.md").read_text(encoding="utf-8")
    except OSError as exc:
        raise EngineUnavailable(f"{home}: expected MP-SPDZ's CHANGELOG.md, to tell its version: {exc}") from exc
    found = re.search(r"^## (\d+)\.(\d+)\.(\d+)", log, re.MULTILINE)
    version = (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)
    if version[:2] != (0, 4):
        raise EngineUnavailable(
            f"{home}: expected MP-SPDZ v0.4.x, got {'v' + '.'.join(map(str, version)) if found else 'no version'}; "
            f"check out {SUPPORTED} and build it"
        )
    return version
