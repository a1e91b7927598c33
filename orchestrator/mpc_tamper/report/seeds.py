"""Cells of a study with several seeds: one cell of what the model of each seed came to.

Means are over seeds. An interval is Wilson's, at 95%, of the mean as a share of the rows that it was measured on: what
other test rows might have given. Beside it are the least and the largest of the seeds: what other samples of training
rows did give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from mpc_tamper.report.intervals import wilson
from mpc_tamper.report.names import ATTACKS, DEFENCES, title

Record = Mapping[str, Any]

SEED, PER_SEED = "seed", "per_seed"
SHARES = ("clean_accuracy", "attack_success_rate", "attack_success_rate_clipped", "robust_accuracy")
_MEANS = ("honest_success_rate", "seconds", "bytes_per_party", "rounds", "max_abs_weight")
_OF_ONE = (  # what a single model has
    *("weights_sha256", "plans", "plan_errors", "settings", "statement", "soundness_error", "seconds_to_abort"),
    *("parameters", "trigger_pixels", "trigger_features"),
)


def over_seeds(runs: Sequence[Record]) -> dict[str, Any]:
    """runs: the cells of one attack on one defence, each with its seed.

    A cell with the means, "per_seed" with all of the runs, "seeds", "passed" or None where nothing was checked, and for
    each share <name>_min and <name>_max. The verdict, and whether it aborted, are those of most seeds.
    """
    runs = sorted(runs, key=lambda run: run[SEED])
    ran = [run for run in runs if "aborted" in run]
    if not ran:  # nothing but reasons why there can be no such cell
        return {key: value for key, value in runs[-1].items() if key != SEED}
    cell = {key: value for key, value in ran[-1].items() if key not in (SEED, *_OF_ONE)}
    for name in (*SHARES, *_MEANS):
        values = [run[name] for run in ran if run.get(name) is not None]
        cell[name] = fmean(values) if values else None
        if name in SHARES:
            cell[f"{name}_min"], cell[f"{name}_max"] = (min(values), max(values)) if values else (None, None)
    verdicts = [run["verdict"] for run in ran if run["verdict"] is not None]
    passed = sum(verdict == "pass" for verdict in verdicts) if verdicts else None
    aborted = sum(run["aborted"] for run in ran)
    return cell | {
        "verdict": None if passed is None else "pass" if 2 * passed > len(verdicts) else "fail",
        "aborted": 2 * aborted > len(ran),
        "seeds": len(ran),
        "passed": passed,
        PER_SEED: ran,
    }


def with_intervals(cell: Record, dataset: Record) -> dict[str, Any]:
    """The cell with <name>_low and <name>_high for each share, and without its runs; as it is where it has no seeds.

    dataset: the facts of its study.
    """
    if PER_SEED not in cell:
        return dict(cell)
    found = {key: value for key, value in cell.items() if key != PER_SEED}
    for name in SHARES:
        low, high = interval(cell, name, dataset) or (None, None)
        found[f"{name}_low"], found[f"{name}_high"] = low, high
    return found


def interval(cell: Record, name: str, dataset: Record) -> tuple[float, float] | None:
    """Wilson's, at 95%, of one of the shares; None where it was not measured. dataset: the facts of its study.

    Success is measured on the test rows of other classes, of which the record has no count: it is taken that all
    classes are of one size.
    """
    if cell.get(name) is None:
        return None
    rows, classes = dataset["test_images"], len(dataset["classes"])
    return wilson(cell[name], rows if name == SHARES[0] else max(1, round(rows * (classes - 1) / classes)))


def explanation(dataset: Record) -> str:
    """How a calibrated study was made, from the facts of it."""
    how = dataset["calibration"]
    return (
        f"Calibrated: {how['models']} honest models, each trained on {how['rows_of_a_model']:,} of the "
        f"{how['rows_left']:,} rows that train, and judged by {how['known_examples']:,} known examples on which nobody "
        f"trains. A threshold is the lower 95% bound (Wilson) of what {how['content']:.0%} of honest models reach with "
        f"{how['confidence']:.0%} confidence. Checks ask about the known examples, and attackers choose strengths with "
        f"them; success is measured on {dataset['test_images']:,} other rows. "
    )


def threshold_table(dataset: Record) -> list[str]:
    """What honest models reach in each check, and what it asks for."""
    lines = ["| check | honest models reach: mean | least | threshold |", "|---|---:|---:|---:|"]
    of_table = bool(dataset.get("feature_names"))
    for name, facts in dataset["calibration"]["checks"].items():
        used = f"{facts['threshold']:.2%}" if name in dataset["thresholds"] else "none of use"
        called = title(name, DEFENCES, of_table=of_table)
        lines.append(f"| {called} | {facts['mean']:.2%} | {min(facts['reached']):.2%} | {used} |")
    return [*lines, ""]


def interval_table(cells: Sequence[Record], dataset: Record) -> list[str]:
    """Accuracy, ASR and robust accuracy of each training: the mean over seeds, what other rows and other seeds give.

    cells: of one study. Those with the same numbers, as checks of one training have them, are one line.
    """
    lines = [
        "Mean over seeds, [95% interval over test rows (Wilson)], least to largest seed; pixels clipped:",
        "",
        "| attack | defence | seeds | accuracy | ASR | robust accuracy | ASR without an attack |",
        "|---|---|---:|---|---|---|---:|",
    ]
    of_table = bool(dataset.get("feature_names"))
    merged: dict[tuple[object, ...], list[Record]] = {}
    for cell in cells:
        if cell.get(PER_SEED) and cell["clean_accuracy"] is not None:
            numbers = tuple(cell[name] for name in SHARES)
            merged.setdefault((cell["attack"], *numbers), []).append(cell)
    for alike in merged.values():
        cell = with_intervals(alike[0], dataset)
        names = ", ".join(title(each["defence"], DEFENCES, of_table=of_table) for each in alike)
        shares = [_interval(cell, name) for name in (SHARES[0], SHARES[2], SHARES[3])]
        lines.append(
            f"| {title(cell['attack'], ATTACKS, of_table=of_table)} | {names} | {cell['seeds']} | {' | '.join(shares)} "
            f"| {cell['honest_success_rate']:.1%} |"
        )
    return [*lines, ""]


def _interval(cell: Record, name: str) -> str:
    mean, low, high = cell[name], cell[f"{name}_low"], cell[f"{name}_high"]
    seeds = f", {cell[f'{name}_min']:.1%} to {cell[f'{name}_max']:.1%}" if cell["seeds"] > 1 else ""
    return f"{mean:.2%} [{low:.1%}, {high:.1%}]{seeds}"
