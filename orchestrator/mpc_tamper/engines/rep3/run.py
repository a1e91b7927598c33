"""What a run has in common, whether this machine runs all three parties or one of them: its beginning and its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import check_space, make_folder
from mpc_tamper.engines.frontend.program import Program
from mpc_tamper.engines.inputs import WORD_BYTES
from mpc_tamper.engines.mapped import MOST_SHARE, memory_budget
from mpc_tamper.engines.rep3.config import report_file
from mpc_tamper.engines.validation import validate
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult, StepRecord
from mpc_tamper.runs.spec import RunSpec

_OWNER_BYTES, _ALL_BYTES = (
    18,
    34,
)  # of shares of an input word: at its owner, who keeps it as int16 too, and at all parties
PROTOCOLS = frozenset({ProtocolName.RING, ProtocolName.MAL_REP_RING})


def prepare(spec: RunSpec, program: Program, parties: int, memory: int | None) -> int | None:
    """Check what can be known before any party starts, make the run's folder.

    parties: how many of them this machine runs.  memory: how many bytes each may fill, if the user has said so.
    Returns how many it is to fill; None where nothing is known.
    """
    if spec.protocol not in PROTOCOLS:
        raise EngineUnavailable(
            f"expected protocol {' or '.join(sorted(PROTOCOLS))} on rep3, got {spec.protocol}; try --engine mp-spdz"
        )
    validate(spec, program)
    make_folder(spec.run_dir)
    budget = memory_budget(parties, memory)
    check_disk(spec, budget, parties)
    return budget


def check_disk(spec: RunSpec, budget: int | None, parties: int) -> None:
    """Raises UsageError where the shares of these inputs are going to be larger than memory and than the disk.

    parties: how many this machine runs, all of them or the owner of the inputs.
    """
    words = sum(
        os.path.getsize(files.binary) // WORD_BYTES for files in spec.inputs.values() if files.binary is not None
    )
    if budget is None or words * _OWNER_BYTES <= budget // MOST_SHARE:
        return
    size = words * (_ALL_BYTES if parties == PARTIES else _OWNER_BYTES)
    check_space(spec.run_dir, size, "the shares of rows that are larger than memory")


def collect(spec: RunSpec, party_ids: Iterable[int]) -> RunResult:
    """The result of a run that ended well, from the reports of these parties."""
    reports = {i: read_report(spec.run_dir, i) for i in party_ids}
    parties = tuple(
        PartyReport(
            party_id=i,
            cost=Cost(**report["cost"]),
            steps=tuple(StepRecord(s, o, start, Cost(*cost), n) for s, o, n, start, *cost in report["steps"]),
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
