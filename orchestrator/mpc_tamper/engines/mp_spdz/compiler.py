"""Compile a .mpc program with MP-SPDZ's compiler, by its path and in a folder of ours.

The compiler writes to Programs/ in the folder where it runs, so the user's tree stays as it is, even if it holds a
program of the same name.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mpc_tamper.core.errors import EngineUnavailable, ProgramError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.engines.mp_spdz.installation import Installation, explain_compiler_failure

_LOG = logging.getLogger(__name__)
_SCHEDULES = Path("Programs", "Schedules")


def compile_program(
    installation: Installation, program: Path, args: Sequence[str], options: Sequence[str], run_dir: Path
) -> str:
    """Compile below run_dir; return the name by which the parties know the result.

    Raises ProgramError with the compiler's last words, EngineUnavailable where the compiler itself cannot run.
    """
    shutil.rmtree(run_dir / "Programs", ignore_errors=True)
    for folder in ("Source", "Bytecode", "Schedules", "Functions", "Public-Input"):
        (run_dir / "Programs" / folder).mkdir(parents=True, exist_ok=True)
    command = [installation.python, "-B", str(installation.compiler), *options, str(program.resolve()), *args]
    _LOG.debug("compile: %s", " ".join(command))
    try:
        done = subprocess.run(
            command,
            cwd=run_dir,
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            umask=0o077,
        )
    except OSError as exc:
        raise EngineUnavailable(
            f"{installation.python}: expected a Python that runs MP-SPDZ's compiler: {exc}"
        ) from exc
    write_atomically(run_dir / "logs" / "compiler.txt", done.stdout + done.stderr)
    if done.returncode:
        raise _failure(done.stderr, program, installation.python)
    schedules = list((run_dir / _SCHEDULES).glob("*.sch"))
    if len(schedules) != 1:
        raise ProgramError(
            f"{program}: expected one compiled program in {run_dir / _SCHEDULES}, got {len(schedules)}; use a fresh "
            "folder"
        )
    return schedules[0].stem


def _environment() -> dict[str, str]:
    """Our environment, without what would lead the compiler to packages other than those of its Python."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def _failure(stderr: str, program: Path, python: str) -> ProgramError | EngineUnavailable:
    if re.search(r"^(ModuleNotFoundError|ImportError):", stderr, re.MULTILINE):
        return EngineUnavailable(explain_compiler_failure(stderr, python))
    lines = re.findall(rf'File "{re.escape(str(program.resolve()))}", line (\d+)', stderr)
    where = f"{program}, line {lines[-1]}" if lines else str(program)
    return ProgramError(f"{where}: {explain_compiler_failure(stderr, python)}")
