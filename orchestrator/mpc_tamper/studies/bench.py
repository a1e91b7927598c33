"""What training costs on rep3, against plaintext NumPy, MP-SPDZ and SPU: all in one record, part by part.

Each part is measured by itself and written as soon as it is done, into the record that is there: an interrupted
benchmark goes on with the parts that are missing (--only), and so does one of a later day. The record says at which
commit each part was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.engines.base import Engine
from mpc_tamper.records.studies import BENCH
from mpc_tamper.report.bench import BENCH_JSON, BENCH_MARKDOWN, bench_table
from mpc_tamper.studies.bench_networks import bench_networks
from mpc_tamper.studies.bench_products import bench_products
from mpc_tamper.studies.bench_scaling import bench_scaling
from mpc_tamper.studies.bench_spu import bench_spu
from mpc_tamper.studies.bench_svm import DATASET, bench_svm
from mpc_tamper.studies.bench_threads import bench_threads
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.start_up import start_up

ITERATIONS = 30
MIN_ITERATIONS = 10
REPETITIONS = 3  # of whole trainings
PARTS = ("svm", "networks", "spu", "scaling", "threads", "products", "start_up")


def bench(
    engine: Engine,
    out: Path,
    *,
    reference: Engine | None = None,
    iterations: int = ITERATIONS,
    repetitions: int = REPETITIONS,
    only: Iterable[str] = PARTS,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure these parts, write bench.json and bench.md to `out`, and return the record.

    engine: rep3.  reference: MP-SPDZ, or None to leave it out.  iterations: of the SVM's step.  configuration: for the
    record, the options of the command that asked for this.
    """
    if iterations < MIN_ITERATIONS:
        raise ParameterError(f"expected at least {MIN_ITERATIONS} iterations to take a median of, got {iterations}")
    if repetitions < 1:
        raise ParameterError(f"expected at least one repetition, got {repetitions}")
    if unknown := sorted(set(only) - set(PARTS)):
        raise ParameterError(f"expected parts among {', '.join(PARTS)}, got {', '.join(unknown)}")
    check_folder(out)
    path = out / BENCH_JSON
    record = BENCH.read(path) if path.exists() else {}
    if not record and "svm" not in set(only):
        raise ParameterError(f"expected {path} or svm among the parts, with which a record begins, got neither")
    measures: dict[str, Callable[[], Any]] = {
        "svm": lambda: bench_svm(
            engine, reference=reference, iterations=iterations, repetitions=repetitions, progress=progress
        ),
        "networks": lambda: bench_networks(engine, reference=reference, repetitions=repetitions, progress=progress),
        "spu": lambda: bench_spu(progress=progress),
        "scaling": lambda: bench_scaling(engine, progress=progress),
        "threads": lambda: bench_threads(engine, progress=progress),
        "products": lambda: bench_products(progress=progress),
        "start_up": lambda: start_up(load_task(DATASET), progress=progress),
    }
    for part in [name for name in PARTS if name in set(only)]:
        found = measures[part]()
        record.update(found if part == "svm" else {part: found})
        record["environment"] = environment()
        record["threads_per_party"] = engine.threads or 1
        record["commits"] = {**record.get("commits", {}), part: record["environment"]["commit"]}
        record["configuration"] = configuration
        record = BENCH.write(path, record, indent=2)
        write_atomically(out / BENCH_MARKDOWN, bench_table(record), public=True)
    return record
