"""Table 1: our rows beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

Record = Mapping[str, Any]


def csv_table(record: Record) -> str:
    """A line per row; single values only, so that a spreadsheet reads it. The paper's figures are shares, like ours."""
    rows = [
        {key: value for key, value in row.items() if not isinstance(value, (dict, list))}
        | {f"paper_{key}": round(value / 100, 4) for key, value in _paper(record, row).items()}
        for row in record["rows"]
    ]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def markdown_table(record: Record) -> str:
    first = record["rows"][0]
    environment = record["environment"]
    poisoned = next((row for row in record["rows"] if row["model"] == "poisoned"), first)
    lines = [
        "| model | test accuracy | paper | backdoor: ASR | ASR, clipped | paper | mean w.(x+δ) | largest weight |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(record, row) for row in record["rows"]),
        "",
        f"Data {first['dataset']}, engine {first['engine']}, protocol {first['protocol']}, {first['iterations']} "
        f"iterations. Corrupt in the poisoned run: party {poisoned['corrupt_party']}, trigger of amplitude "
        f"{poisoned['amplitude']:g} on {_pixels(poisoned['trigger_pixels'])}, strength {poisoned['strength']:g}.",
        "",
        "ASR, attack success rate: the share of test images of the other class that the model takes for the target "
        "once the trigger is added; clipped: with pixels kept within [0, 1].",
        "",
        *(
            f"{row['model'].capitalize()}: {row['seconds']:.1f} s, {row['bytes_per_party'] / 1e6:.1f} MB and "
            f"{row['rounds']:,} rounds per party, weights {row['weights_sha256'][:16]}."
            for row in record["rows"]
        ),
        "",
        environment_line(environment),
    ]
    return "\n".join(lines) + "\n"


def environment_line(environment: Record) -> str:
    return (
        f"{environment['cpu']}, {environment['cores']} cores, {environment['os']}, Python {environment['python']}, "
        f"NumPy {environment['numpy']}, commit {environment['commit'] or 'unknown'}."
    )


def _line(record: Record, row: Record) -> str:
    paper = _paper(record, row)
    cells = [
        row["model"],
        f"{row['test_accuracy']:.2%}",
        f"{paper['test_accuracy']:g}%" if paper else "-",
        f"{row['attack_success_rate']:.2%}",
        f"{row['attack_success_rate_clipped']:.2%}",
        f"{paper['backdoor']:g}%" if paper else "-",
        f"{row['smoothed_bkd']:.3f}",
        f"{row['max_abs_weight']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _paper(record: Record, row: Record) -> Mapping[str, float]:
    """The paper's figures, in percent, for the data set that a row's name begins with; empty where it has none."""
    found = [models for name, models in record["paper"].items() if row["dataset"].startswith(name)]
    figures: Mapping[str, float] = found[0][row["model"]] if found else {}
    return figures


def _pixels(pixels: list[int]) -> str:
    return f"pixel {pixels[0]}" if len(pixels) == 1 else f"{len(pixels)} pixels"
