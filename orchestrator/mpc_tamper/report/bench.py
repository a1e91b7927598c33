"""The benchmark's record as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpc_tamper.report.tables import environment_line

BENCH_JSON, BENCH_MARKDOWN = "bench.json", "bench.md"


def bench_table(record: Mapping[str, Any]) -> str:
    """Ratios first: absolute seconds move with the machine."""
    environment = record["environment"]
    active = _active(record) if "active_over_passive_seconds" in record else []
    reference = _reference(record) if "mp_spdz_ring_seconds" in record else []
    base = record["scaling"][0]["seconds"]
    lines = [
        f"One full-batch step of {record['dataset']}, {record['rows']:,} x {record['columns']}, "
        f"median of {record['iterations']} iterations.",
        "",
        "| | per iteration |",
        "|---|---:|",
        f"| NumPy float64, plaintext | {record['numpy_float64_seconds'] * 1e3:.2f} ms |",
        f"| rep3 ring, three parties | {record['rep3_ring_seconds'] * 1e3:.2f} ms |",
        f"| ratio | {record['ratio_to_numpy']:.1f} |",
        f"| sent per party | {record['bytes_per_iteration_per_party']:,} bytes |",
        f"| rounds | {record['rounds_per_iteration']} |",
        f"| peak memory of a party, whole run | {record['peak_rss_bytes_per_party'] / 1e6:.0f} MB |",
        *active,
        *reference,
        "",
        "| step | ms | share |",
        "|---|---:|---:|",
        *(
            f"| {site} | {seconds * 1e3:.2f} | {seconds / sum(record['phases'].values()):.0%} |"
            for site, seconds in record["phases"].items()
        ),
        "",
        "| rows | columns | ratio to the first |",
        "|---:|---:|---:|",
        *(f"| {p['m']:,} | {p['n']:,} | {p['seconds'] / base:.2f} |" for p in record["scaling"]),
        "",
        *(_networks(record["networks"]) if "networks" in record else []),
        *(_start_up(record["start_up"]) if "start_up" in record else []),
        environment_line(environment),
    ]
    return "\n".join(lines) + "\n"


def _active(record: Mapping[str, Any]) -> list[str]:
    what = f"{record['active_protocol']} over ring, {record['active_iterations']} iterations with input"
    return [
        f"| {what}, seconds | {record['active_over_passive_seconds']:.2f} |",
        f"| {what}, bytes | {record['active_over_passive_bytes']:.3f} |",
    ]


def _networks(record: Mapping[str, Any]) -> list[str]:
    engines = {"rep3": "rep3 ring", "active": "rep3 mal-rep-ring", "mp_spdz": "MP-SPDZ ring"}
    ratios = {
        "active_over_passive": "mal-rep-ring over ring on rep3",
        "rep3_over_mp_spdz": "rep3 over MP-SPDZ, ring",
    }
    lines = [
        f"Networks: {record['epochs']} epochs on {record['rows']:,} rows of {record['dataset']}, batches of "
        f"{record['batch_size']} rows.",
        "",
        "| neurons | | a step | training, with input | sent per party | rounds |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for network in record["networks"]:
        lines += [
            f"| {network['hidden']} | {engines.get(name, name)} | {run['step_seconds'] * 1e3:.1f} ms | "
            f"{run['seconds']:.2f} s | {run['bytes_per_party'] / 1e6:.1f} MB | {run['rounds']:,} |"
            for name, run in network["runs"].items()
        ]
        lines += [
            f"| {network['hidden']} | ratio: {text} | {network['ratios'][f'{name}_step_seconds']:.2f} | "
            f"{network['ratios'][f'{name}_seconds']:.2f} | {network['ratios'][f'{name}_bytes_per_party']:.3f} | |"
            for name, text in ratios.items()
            if f"{name}_seconds" in network["ratios"]
        ]
    return [*lines, ""]


def _start_up(commands: Mapping[str, Mapping[str, float | int]]) -> list[str]:
    names = {
        "program": "mpc-tamper run, a program that opens one number",
        "training": "mpc-tamper train, 300 rows and 3 iterations",
        "help": "mpc-tamper --help",
    }
    return [
        "| start-up | seconds | processor seconds, parties included |",
        "|---|---:|---:|",
        *(
            f"| {names[what]} | {times['wall_seconds']:.2f} | {times['cpu_seconds']:.2f} |"
            for what, times in commands.items()
        ),
        "",
    ]


def _reference(record: Mapping[str, Any]) -> list[str]:
    layouts = {"rows": "the rows alone", "both": "rows and their transpose"}
    lines = [
        f"| MP-SPDZ ring, keeping {layouts[name]} | {run['seconds'] * 1e3:.2f} ms, "
        f"{run['bytes_per_iteration_per_party']:,} bytes |"
        for name, run in record["mp_spdz_layouts"].items()
    ]
    return [
        *lines,
        f"| rep3 over the faster of these, seconds | {record['rep3_over_mp_spdz_seconds']:.2f} |",
        f"| rep3 over the faster of these, bytes | {record['rep3_over_mp_spdz_bytes']:.2f} |",
    ]
