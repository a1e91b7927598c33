"""The record of comparison probing as tables."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

PROBING_JSON, PROBING_MARKDOWN = "probing.json", "probing.md"
_EVERY = 4  # planes and sizes to show
_SHOWN = ("csa", "generate")  # the prefix gates are in the record
_WAYS = {
    "threshold": "the comparison itself, by errors at operations",
    "carry": "one flipped carry, `csa`, in one step",
    "carries": "the same in each step",
    "generate": "one flipped `generate` bit in one step",
}


def probing_tables(record: Mapping[str, Any]) -> str:
    """What verdicts leak, then how often a flip of each gate changes a comparison."""
    questions = sum(record["leaks"][0]["asked_of_class"])
    lines = [
        "# Comparison probing",
        "",
        f"What a verdict tells about the secret label of one training row: {record['dataset']}, {record['rows']} rows, "
        f"{record['examples']} known examples, accuracy at least {record['threshold']:.0%}, engine {record['engine']}. "
        "Leaked bits are the plug-in estimate of the mutual information, which few questions bias upwards: by about "
        f"{1 / (2 * log(2) * questions):.2f} bit for {questions}.",
        "",
        "| row counts through | fails if the row is of class 0 | of class 1 | leaked bits per verdict |",
        "|---|---:|---:|---:|",
        *(
            f"| {_WAYS[leak['way']]} | {_of(leak, 0)} | {_of(leak, 1)} | {leak['leaked_bits']:.2f} |"
            for leak in record["leaks"]
        ),
    ]
    for gate in (g for g in record["gates"] if g["gate"] in _SHOWN):
        lines += ["", *_gate_table(gate, record["width"], record["repeats"])]
    return "\n".join(lines) + "\n"


def _of(leak: Mapping[str, Any], label: int) -> str:
    return f"{leak['failed_of_class'][label]} of {leak['asked_of_class'][label]}"


def _gate_table(gate: Mapping[str, Any], width: int, repeats: int) -> list[str]:
    planes = len(gate["changed"])
    sizes = range(width - 1, -1, -_EVERY)[::-1]
    shown = range(planes - 1, -1, -_EVERY)[::-1]
    return [
        f"`{gate['gate']}`, {planes} planes: share of comparisons of x that a flip changes, of {repeats} "
        "each, by the size of x from 2^b to 2^(b+1).",
        "",
        "| plane | " + " | ".join(f"2^{b}" for b in sizes) + " |",
        "|---:|" + "---:|" * len(sizes),
        *(
            f"| {plane} | " + " | ".join(f"{gate['changed'][plane][b] / repeats:.0%}" for b in sizes) + " |"
            for plane in shown
        ),
    ]
