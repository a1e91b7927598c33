"""What every engine checks before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

from mpc_tamper.core.errors import DataError, ParameterError, PlanError, ShareFolderError, UsageError
from mpc_tamper.core.files import check_folder, exists, is_file, is_folder, reported, same_place, what_is
from mpc_tamper.engines.frontend.program import Program
from mpc_tamper.engines.inputs import WORD_BYTES, read_text
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import MAX_THREADS, MAX_TIMEOUT_SECONDS, RunSpec

PERSISTENCE = "Persistence"


def validate(spec: RunSpec, program: Program) -> None:
    """Raises a UsageError for a run that cannot succeed."""
    check_timeout(spec.timeout_seconds, "time-out")
    if spec.threads is not None and not 1 <= spec.threads <= MAX_THREADS:
        raise ParameterError(
            f"expected from 1 to {MAX_THREADS} threads for each party, got {spec.threads}; more than the machine has "
            "cores gain nothing"
        )
    _check_inputs(spec)
    _check_plan(spec, program)
    _check_folders(spec)


def check_timeout(seconds: float, name: str) -> None:
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise ParameterError(f"expected a {name} above 0 and up to {MAX_TIMEOUT_SECONDS:,.0f} seconds, got {seconds:g}")


def share_files(run_dir: Path) -> list[Path]:
    """The share files of a run, of any engine."""
    with reported(run_dir, "a run folder that can be read"):
        return sorted((run_dir / PERSISTENCE).glob("*.data"))


def _check_inputs(spec: RunSpec) -> None:
    for owner, files in spec.inputs.items():
        if not 0 <= owner < PARTIES:
            raise DataError(f"expected an input owner from 0 to {PARTIES - 1}, got {owner}")
        for path in (files.text, files.binary):
            if path is not None and not is_file(path):
                raise DataError(f"{path}: expected the input file of owner {owner}, got {what_is(path)}")
        if files.text is not None:
            read_text(files.text)
        size = 0 if files.binary is None else os.path.getsize(files.binary)
        if size % WORD_BYTES:
            raise DataError(f"{files.binary}: expected little-endian int64, {WORD_BYTES} bytes each, got {size} bytes")


def _check_plan(spec: RunSpec, program: Program) -> None:
    if spec.corruption is not None:
        check_sites(spec.corruption.plan, program)


def check_sites(plan: AdditiveErrorPlan, program: Program) -> None:
    """Steps must be named by the program; a number may belong to a timer without a name."""
    known = set(program.sites.values())
    for site in sorted(plan.sites()):
        step = site.partition("/")[0]
        if step not in known and not step.isdecimal():
            raise PlanError(
                f"the plan names the site {site}, but {program.path.name} has no step {step}; it has: "
                + (", ".join(sorted(known)) or "none (a step is NAME = 5 and start_timer(NAME))")
            )


def _check_folders(spec: RunSpec) -> None:
    if exists(spec.run_dir) and not is_folder(spec.run_dir):
        raise UsageError(f"{spec.run_dir}: expected a folder for the run, got {what_is(spec.run_dir)}")
    if spec.shares_from is not None and not share_files(spec.shares_from):
        raise ShareFolderError(f"{spec.shares_from}: expected the share files of an earlier run in it, got none")
    fresh = spec.shares_from is None or not same_place(spec.shares_from, spec.run_dir)
    if fresh and share_files(spec.run_dir):
        raise ShareFolderError(
            f"{spec.run_dir}: expected a folder without share files, got those of another run, to which this one "
            "would append: use a fresh folder"
        )
    check_folder(spec.run_dir)
