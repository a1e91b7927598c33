"""The records of a results folder as runs with parameters, metrics, tags and files, whoever keeps them.

A record is a run that has its files, with a run below it for each of its lines: rows of Table 1, defences of a leak,
phases of the costs, data sets of the accuracy table. Each cell of a matrix is a run of its own, with one below it for
each seed; the record of the matrix has the tables and pictures. Cells that could not be run are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.records.registry import read_record
from mpc_tamper.report.matrix_cells import Outcome, outcome
from mpc_tamper.report.matrix_record import LINES, read_matrix
from mpc_tamper.report.seeds import PER_SEED, SEED

Record = Mapping[str, Any]
Single = str | int | float

_TAGS = ("verdict", "commit", "seed", "data_sha256", "weights_sha256", "plan_sha256", "reason", "statement")
_PICTURES: Mapping[str, tuple[str, ...]] = MappingProxyType(  # that have names of their own
    {"table1": ("figure1.png", "figure2.png"), "table1-mlp": ("figure1-mlp.png",)}
)
_METRICS = frozenset(
    {
        *("clean_accuracy", "attack_success_rate", "attack_success_rate_clipped", "robust_accuracy", "smoothed_bkd"),
        *("honest_success_rate", "honest_accuracy", "accuracy", "test_accuracy", "linear_svc", "max_abs_weight"),
        *("seconds", "seconds_to_abort", "seconds_with_clients", "bytes_per_party", "rounds", "common_rounds"),
        *("peak_rss_bytes_per_party", "soundness_error", "plan_errors", "errors", "passed", "seeds"),
        *("exact", "members_right", "others_right", "predicted_seconds", "least_seconds"),
    }
)
_BESIDES = ("_min", "_max")  # after the name of a metric: over seeds


def _phase(run: Record) -> str:
    size = f"{run['iterations']} iterations" if run["examples"] is None else f"{run['examples']} examples"
    return f"{run['engine']} {run['protocol']} {run['phase']}, {run['rows']} rows, {size}"


_LISTS: Mapping[str, Callable[[Record], str]] = MappingProxyType(  # what a line of a record is called
    {
        "table1.json": lambda line: f"{line['dataset']} {line['training']} {line['model']}",
        "table1-mlp.json": lambda line: f"{line['dataset']} {line['hidden']} neurons {line['model']}",
        "leak-reconstruct.json": lambda line: f"{line['adversary']} against {line['defence']}",
        "leak-membership.json": lambda line: f"{line['adversary']} against {line['defence']}",
        "leak-row.json": lambda line: f"row {line['row']}",
        "costs.json": _phase,
        "costs-counts.json": _phase,
        "accuracy.json": lambda line: str(line["data_set"]),
    }
)
_KEYS = ("rows", "defences", "runs", "data_sets", "found")  # of the lines, the first that is a list


@dataclass(frozen=True)
class Tracked:
    """A run for a tracker. record: what it was made of.  files: tables and pictures.  below: runs of its parts."""

    name: str
    params: Mapping[str, Single]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    record: Record
    files: tuple[Path, ...] = ()
    below: tuple[Tracked, ...] = ()

    def digest(self, above: str = "") -> str:
        """Of its record, name and place: equal for what has been kept already. above: that of the run above it."""
        text = json.dumps([above, self.name, self.record], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __len__(self) -> int:
        return 1 + sum(map(len, self.below))


def tracked(folder: Path) -> Iterator[Tracked]:
    """Runs of each record in the folder. Raises DataError where there is none, or one that does not read."""
    found = [folder / name for name in _LISTS if (folder / name).exists()]
    matrices = sorted(folder.glob(f"matrix*{LINES}"))
    if not found and not matrices:
        raise DataError(
            f"{folder}: expected records of mpc-tamper ({', '.join(_LISTS)}, matrix*{LINES}), got none; run a study "
            "into this folder first, or name another"
        )
    for path in found:
        yield _of_record(path)
    for path in matrices:
        yield from _of_matrix(path)


def _of_record(path: Path) -> Tracked:
    record, name_of = read_record(path), _LISTS[path.name]
    lines = next(record[key] for key in _KEYS if isinstance(record.get(key), list))
    common = {key: value for key, value in record.items() if not isinstance(value, list)}
    commit = {"commit": record["environment"]["commit"]}
    return Tracked(
        path.stem,
        _params(common),
        _metrics(common),
        {"kind": "record", "file": path.name} | _tags(common | commit),
        record,
        _files(path, _PICTURES.get(path.stem, ())),
        tuple(_of_line(commit | line, name_of(line), path.stem) for line in lines),
    )


def _of_matrix(path: Path) -> Iterator[Tracked]:
    """The cells, and then the matrix with its tables and pictures."""
    matrix = read_matrix(path)
    for cell in matrix["cells"]:
        if outcome(cell) is not Outcome.NOT_APPLICABLE:
            yield _of_cell(cell, matrix["datasets"][cell["dataset"]], path)
    facts = {"datasets": matrix["datasets"], "environments": matrix["environments"], "cells": len(matrix["cells"])}
    own = {name: "own-" if "calibration" in study else "" for name, study in matrix["datasets"].items()}
    pictures = [f"{kind}-{prefix}{name}.png" for kind in ("matrix", "gallery") for name, prefix in own.items()]
    content = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    tags = {"kind": "record", "file": path.name}
    yield Tracked(path.stem, {}, {"cells": facts["cells"]}, tags, facts | content, _files(path, pictures))


def _of_cell(cell: Record, study: Record, path: Path) -> Tracked:
    name = f"{cell['dataset']}: {cell['attack']} against {cell['defence']}"
    common = {key: study.get(key) for key in ("data_sha256", "rows", "parameters")}
    seeds = [common | run for run in cell.get(PER_SEED, ())]
    whole = common | {key: value for key, value in cell.items() if key != PER_SEED}
    below = tuple(_of_line(run, f"{name}, seed {run[SEED]}", "seed") for run in seeds)
    found = _of_line(whole, name, "cell", below)
    tags = {**found.tags, "file": path.name, "outcome": str(outcome(cell))}
    return Tracked(found.name, found.params, found.metrics, tags, dict(cell), (), below)


def _of_line(line: Record, name: str, kind: str, below: tuple[Tracked, ...] = ()) -> Tracked:
    return Tracked(name, _params(line), _metrics(line), {"kind": kind} | _tags(line), line, (), below)


def _is_metric(key: str) -> bool:
    return key in _METRICS or any(key.removesuffix(end) in _METRICS for end in _BESIDES)


def _metrics(record: Record) -> dict[str, float]:
    """Numbers that were measured; of one for each network by the network's name."""
    found: dict[str, float] = {}
    for key, value in record.items():
        for name, number in _single(key, value):
            if _is_metric(key) and isinstance(number, int | float) and not isinstance(number, bool):
                found[name] = float(number)
    return found


def _params(record: Record) -> dict[str, Single]:
    """Single values that are neither measured nor about the run, those of the parameters and settings among them."""
    return {
        name: value
        for key, inner in record.items()
        if not _is_metric(key) and key not in (*_TAGS, "schema", "environment", "configuration", "steps", "aborted")
        for name, value in _single(key, inner)
    }


def _tags(record: Record) -> dict[str, str]:
    found = {key: str(record[key]) for key in _TAGS if record.get(key) is not None}
    if isinstance(passed := record.get("passed"), bool):
        found["verdict"] = "pass" if passed else "fail"
    return found | ({"aborted": str(record["aborted"]).lower()} if "aborted" in record else {})


def _single(key: str, value: Any) -> Iterator[tuple[str, Single]]:
    """The value if it is single, or those one level below."""
    items = {f"{key}.{inner}": each for inner, each in value.items()} if isinstance(value, Mapping) else {key: value}
    yield from ((name, each) for name, each in items.items() if isinstance(each, str | int | float))


def _files(path: Path, pictures: Sequence[str]) -> tuple[Path, ...]:
    """The record, and what is made of it, as far as it is there."""
    beside = [path.with_suffix(end) for end in (".md", ".csv", ".png")] + [path.parent / name for name in pictures]
    return (path, *(each for each in dict.fromkeys(beside) if each.exists()))
