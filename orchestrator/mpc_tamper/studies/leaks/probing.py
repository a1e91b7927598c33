"""Errors at gates inside a comparison, whose effect depends on the secret: how often they change the outcome, and what
that tells the attacker through the verdict bit. The paper leaves such errors out ("appear to be harder to exploit").

out = Path("results")
probe(get_engine(EngineName.REP3), out)   # writes probing.json and probing.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.attacks.rows import rows_sha256
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine, GateFlips
from mpc_tamper.records.leaks import PROBING
from mpc_tamper.report.probing import PROBING_JSON, PROBING_MARKDOWN, probing_tables
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.leaks.selective_failure import CHECK, PARAMETERS, LeakMethod, measure_leak

DATASET = "mnist_0_1"
ROWS = 300  # of the owners, and of the attacker's own data
EXAMPLES = 200  # known ones, of a verification


def probe(
    engine: Engine,
    out: Path,
    *,
    repeats: int = 100,
    questions: int = 8,
    corrupt_party: int = 1,
    seed: int = 1,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure, and write probing.json and probing.md to `out`.

    repeats: comparisons for each gate, plane and size of the compared value.  questions: verdicts for each method and
    class.  configuration: for the record, the options of the command that asked for this.

    Pads are fresh, so counts differ from run to run. Returns the record.
    """
    check_folder(out)
    task, surrogate = _data()
    width = Scenario.plain(task, PARAMETERS).constants.width
    rng = np.random.default_rng(seed)
    rates = []
    flips = engine.gate_flips()
    gates = flips.planes(width + 1)
    for number, (gate, planes) in enumerate(gates.items()):
        progress(f"flipping {gate}", number / len(gates))
        rates.append({"gate": gate, "changed": count_changes(flips, gate, planes, width, repeats, rng, corrupt_party)})
    rows = np.concatenate([_choose(rng, np.flatnonzero(task.y_train == label), questions) for label in (0, 1)])
    leaks = [measure_leak(method, task, surrogate, rows, engine, corrupt_party, progress) for method in LeakMethod]
    record = {
        "width": width,
        "repeats": repeats,
        "gates": rates,
        "dataset": DATASET,
        "rows": ROWS,
        "parameters": asdict(PARAMETERS),
        "examples": EXAMPLES,
        "threshold": CHECK.threshold,
        "asked_rows": len(rows),
        "asked_rows_sha256": rows_sha256(rows),
        "corrupt_party": corrupt_party,
        "engine": str(engine.name),
        "leaks": [leak.record() for leak in leaks],
        "seed": seed,
        "configuration": configuration,
        "environment": environment(),
    }
    record = PROBING.write(out / PROBING_JSON, record)
    write_atomically(out / PROBING_MARKDOWN, probing_tables(record), public=True)
    return record


def count_changes(
    flips: GateFlips,
    gate: str,
    planes: int,
    width: int,
    repeats: int,
    rng: np.random.Generator,
    corrupt_party: int = 1,
) -> list[list[int]]:
    """How often a flip changes the sign: [plane][b], of `repeats` values of either sign with 2^b <= |x| < 2^(b+1).

    b runs over b < width.
    """
    sizes = np.tile(np.repeat(np.arange(width), repeats), planes)  # planes x width x repeats lanes
    magnitudes = rng.integers(1 << sizes, 2 << sizes)
    values = np.where(rng.integers(0, 2, len(sizes)) == 1, -magnitudes, magnitudes)
    changed = flips.changed(gate, planes, values, width + 1, corrupt_party).reshape(planes, width, repeats)
    counts: list[list[int]] = changed.sum(axis=2).tolist()
    return counts


def _data() -> tuple[Task, Task]:
    """The owners' rows with the known examples, and as many rows of the attacker's own."""
    whole = load_task(DATASET)

    def part(first: int) -> Task:
        rows = slice(first, first + ROWS)
        return replace(
            whole,
            x_train=whole.x_train[rows],
            y_train=whole.y_train[rows],
            x_test=whole.x_test[:EXAMPLES],
            y_test=whole.y_test[:EXAMPLES],
        )

    return part(0), part(ROWS)


def _choose(rng: np.random.Generator, rows: np.ndarray, count: int) -> np.ndarray:
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))
