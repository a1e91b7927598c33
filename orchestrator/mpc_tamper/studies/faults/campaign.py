"""A fault campaign: random work, one random fault each, and what must hold afterwards.

campaign(get_engine(EngineName.REP3), Path("results"), minutes=10, seed=1)

Fault number K of a seed is the same every time, as far as the timing of processes allows. Everything has to end within
SECONDS_TO_END of a fault, times how much slower than on an idle machine an honest run is meanwhile.
"""

from __future__ import annotations

import itertools
import queue
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.json_lines import appending
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.base import Engine
from mpc_tamper.records.studies import CAMPAIGN, FAULT
from mpc_tamper.report.faults import FAULTS_LINES, FAULTS_MARKDOWN, faults_tables
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.faults.fault import Fault, Place
from mpc_tamper.studies.faults.observe import Ended, honest_run_after, violations
from mpc_tamper.studies.faults.pace import Pace
from mpc_tamper.studies.faults.processes import Launch, Running
from mpc_tamper.studies.faults.registry import KINDS
from mpc_tamper.studies.faults.work import Work, random_work

SECONDS_TO_END = 5.0
JOBS = 6  # commands at a time: much of a run's time is waiting
_HANGING_SECONDS = 60.0  # then a command is killed that should have ended or gone on

Record = dict[str, Any]


def campaign(
    engine: Engine,
    out: Path,
    *,
    minutes: float = 10.0,
    seed: int = 1,
    jobs: int = JOBS,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> list[Record]:
    """Faults of this seed until the time is over. Writes faults.jsonl and faults.md to `out`; returns the records.

    engine: rep3; the commands that are struck have its number of threads.
    configuration: for the record, the options of the command that asked for this.
    """
    check_folder(out)
    path = out / FAULTS_LINES
    pace = Pace()
    write_atomically(path, "")
    head = {
        "seed": seed,
        "minutes": minutes,
        "jobs": jobs,
        "configuration": configuration,
        "environment": environment(),
        "left_out": _left_out(),
    }
    records: list[Record] = []
    deadline = time.monotonic() + 60 * minutes
    with appending(path) as lines:
        lines.append(CAMPAIGN.stamped(head, path))
        for record in _in_parallel(engine, seed, deadline, jobs, pace):
            records.append(record)
            lines.append(FAULT.stamped(record, path))
            done = 1 - max(0.0, deadline - time.monotonic()) / (60 * minutes)
            found = sum(bool(r["violations"]) for r in records)
            progress(f"seed {seed}, {len(records)} faults, {found} with violations", done)
    records.sort(key=lambda record: record["number"])
    write_atomically(out / FAULTS_MARKDOWN, faults_tables(head, records))
    return records


def one(engine: Engine, seed: int, number: int, pace: Pace | None = None) -> Record:
    """Fault number `number` of a seed: what was done, what was seen, and what of it is wrong."""
    _check_system()
    rng = random.Random(f"{seed}/{number}")
    place = number % len(KINDS)
    kind = next(kind for kind in (*KINDS[place:], *KINDS) if kind.impossible() is None)
    fault = kind.draw(rng)
    work = random_work(rng, fault.works)
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-faults-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        return {"number": number, **_strike(engine, fault, work, folder, f"{seed}-{number}", pace or Pace())}


def _strike(engine: Engine, fault: Fault, work: Work, folder: Path, marker: str, pace: Pace) -> Record:
    place = Place(folder)
    work.prepare(folder)
    with place.stack:
        threads = () if engine.threads is None else ("--threads", str(engine.threads))
        launch = fault.launch(Launch((*work.words(fault.timeout_seconds), *threads)), place)
        factor = pace.factor()
        with closing(Running(launch, folder, marker)) as running:
            struck = fault.strike(running, place)
            limit = _limit(fault, pace) * factor
            ended = running.wait_for_end((struck or time.monotonic()) + limit + _HANGING_SECONDS * factor)
            left = sorted(running.processes().values())
            seen = Ended(running.exit_code or 0, running.stdout, running.stderr, struck is not None)
            wrong = [f"still there after {limit + _HANGING_SECONDS * factor:.0f} s: {', '.join(left)}"] if left else []
    seconds = None if ended is None or struck is None else ended - struck
    if seconds is not None and seconds > limit:
        limit = max(limit, _limit(fault, pace) * pace.factor(anew=True))
    if not left:
        if seconds is not None and seconds > limit and seen.exit_code != 0:
            wrong.append(f"expected the end within {limit:.1f} s, got it after {seconds:.1f} s")
        wrong += [*violations(seen, fault, work, folder), *honest_run_after(work, folder, engine)]
    return {
        "kind": fault.name,
        "fault": asdict(fault),
        "work": work.name,
        "protocol": str(work.protocol),
        "struck": struck is not None,
        "seconds_to_end": None if seconds is None else round(seconds, 2),
        "limit_seconds": round(limit, 2),
        "known_moment": fault.known_moment,
        "exit_code": seen.exit_code,
        "said": seen.line,
        "violations": wrong,
    }


def _limit(fault: Fault, pace: Pace) -> float:
    """Without the load: what a time-out takes comes on top, and the whole run where the moment is not known."""
    waiting = fault.timeout_seconds if fault.waits_for_timeout else 0.0
    return SECONDS_TO_END + waiting + (0.0 if fault.known_moment else 3 * pace.reference_seconds)


def _in_parallel(engine: Engine, seed: int, deadline: float, jobs: int, pace: Pace) -> Iterator[Record]:
    numbers = itertools.count()
    found: queue.SimpleQueue[Record | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set() and time.monotonic() < deadline:
                found.put(one(engine, seed, next(numbers), pace))
        except BaseException as exc:
            found.put(exc)
        finally:
            found.put(None)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        running = jobs
        while running:
            record = found.get()
            if isinstance(record, BaseException):
                raise record
            if record is None:
                running -= 1
            else:
                yield record
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _check_system() -> None:
    if not sys.platform.startswith("linux") or shutil.which("sh") is None:
        raise EngineUnavailable("expected Linux, where processes are found in /proc; run the campaign there")


def _left_out() -> list[list[str]]:
    """Kinds that cannot happen here, with the reason."""
    return [[kind.name, why] for kind in KINDS if (why := kind.impossible()) is not None]
