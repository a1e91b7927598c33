"""What a run has in common, whether this machine runs all three parties or one of them: its beginning and its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import make_folder
from mpc_tamper.engines.frontend.program import Program
from mpc_tamper.engines.rep3.config import report_file
from mpc_tamper.engines.validation import validate
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult, StepRecord
from mpc_tamper.runs.spec import RunSpec

PROTOCOLS = frozenset({ProtocolName.RING, ProtocolName.MAL_REP_RING})


def prepare(spec: RunSpec, program: Program) -> None:
    """Check what can be known before any party starts, make the run's folder."""
    if spec.protocol not in PROTOCOLS:
        raise EngineUnavailable(
            f"expected protocol {' or '.join(sorted(PROTOCOLS))} on rep3, got {spec.protocol}; try --engine mp-spdz"
        )
    validate(spec, program)
    make_folder(spec.run_dir)


def collect(spec: RunSpec, party_ids: Iterable[int]) -> RunResult:
    """The result of a run that ended well, from the reports of these parties."""
    reports = {i: read_report(spec.run_dir, i) for i in party_ids}
    parties = tuple(
        PartyReport(
            party_id=i,
            cost=Cost(**report["cost"]),
            steps=tuple(StepRecord(s, o, start, Cost(*cost)) for s, o, start, *cost in report["steps"]),
            peak_rss_bytes=report["peak_rss_bytes"],
            soundness_error=report["soundness_error"],
            batches=report["batches"],
            cpu_seconds=report["cpu_seconds"],
        )
        for i, report in reports.items()
    )
    lines = tuple(line for report in reports.values() for line in report["lines"])  # party 0 alone has any
    return RunResult(spec, lines, _binary_output(spec.run_dir, min(reports)), parties)


def read_report(run_dir: Path, party_id: int) -> dict[str, Any]:
    """Empty where the party has left none, or somebody has spoilt it."""
    try:
        found = json.loads(report_file(run_dir, party_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _binary_output(run_dir: Path, party_id: int) -> tuple[int, ...]:
    path = run_dir / "Player-Data" / f"Binary-Output-P{party_id}-0"
    return tuple(np.fromfile(path, "<i8").tolist()) if path.exists() else ()
