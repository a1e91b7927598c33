"""The record of a leak of networks: its trainings as jobs of a sweep, and what they came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mpc_tamper.core.progress import Progress
from mpc_tamper.records.schema import Schema
from mpc_tamper.report.leaks import write_leaks
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.leaks.network import NetworkLeak
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Scheduler, Serial
from mpc_tamper.studies.sweeps.sweep import Job, Measure, sweep


def swept_record(
    leak: NetworkLeak,
    out: Path,
    schema: Schema,
    measure: Measure,
    attempts: Sequence[Job],
    report: Callable[[Path], None],
    *,
    scheduler: Scheduler | None,
    configuration: Mapping[str, Any] | None,
    progress: Progress,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Run the attempts, of which the first is an honest training and the second the attack without a defence; write the
    record and what `report` makes of it, and return it.

    attempts: their keys say what they have of their own.  more: facts for the record.
    """
    (file,) = schema.files
    about = leak.facts() | {"leak": schema.name}
    jobs = [Job({**about, **job.key}, job.argument) for job in attempts]
    with sweep(ResultFiles.beside(out, schema.name), scheduler or Serial(), measure, leak, jobs, progress) as found:
        honest, plain, *others = found
        table = [row for result in (plain, *others) for row in result["table"]]
        record = leak.facts() | {
            **more,
            "honest_accuracy": honest["accuracy"],
            "accuracy": table[0]["accuracy"],
            "errors": plain["errors"],
            "found": plain["found"],
            "defences": table,
            "configuration": configuration,
            "environment": environment(),
        }
        record = schema.write(out / file, record)
        report(out)
        write_leaks(out)
    return record
