"""The benchmark's record as tables: one of steps and trainings, then what explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpc_tamper.report.tables import environment_line

BENCH_JSON, BENCH_MARKDOWN = "bench.json", "bench.md"

Record = Mapping[str, Any]
_HEAD = [
    "| | seconds | quartiles | sent per party | rounds | memory of a party | processor seconds | times rep3 ring |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
]
_MODELS = {"linear_svm": "SVM", "mlp": "network"}
_SIZES = {"rows": "rows", "columns": "columns", "hidden": "neurons", "batch_size": "rows of a batch"}


def bench_table(record: Record) -> str:
    """Ratios are to rep3's passive protocol in the same run: absolute seconds move with the machine."""
    lines: list[str] = []
    if "rep3_ring_seconds" in record or "networks" in record:
        lines += [*_HEAD, *_svm(record), *_networks(record), "", *_remarks(record)]
    for part, table in (
        ("phases", _phases),
        ("scaling", _scaling),
        ("threads", _threads),
        ("products", _products),
        ("start_up", _start_up),
    ):
        if part in record:
            lines += [*table(record[part]), ""]
    return "\n".join([*lines, *_measured(record)]) + "\n"


def _row(
    what: str,
    seconds: float,
    base: float | None,
    *,
    quartiles: Sequence[float] | None = None,
    sent: float | None = None,
    rounds: int | None = None,
    peak: int | None = None,
    cpu: float | None = None,
) -> str:
    scale, unit, digits = (1e3, "ms", 2) if seconds < 1 else (1, "s", 2)
    cells = [
        what,
        f"{seconds * scale:.{digits}f} {unit}",
        "" if quartiles is None else " to ".join(f"{each * scale:.{digits}f}" for each in quartiles),
        "" if sent is None else f"{sent:,.0f} bytes" if sent < 1e6 else f"{sent / 1e6:.1f} MB",
        "" if rounds is None else f"{rounds:,}",
        "" if peak is None else f"{peak / 1e6:.0f} MB",
        "" if cpu is None else f"{cpu:.2f}",
        "" if base is None else f"{seconds / base:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _svm(record: Record) -> Iterator[str]:
    if "rep3_ring_seconds" not in record:
        return
    base, step = record["rep3_ring_seconds"], f"SVM, a step of {record['rows']:,} x {record['columns']}: "
    yield _row(
        step + "NumPy, plaintext",
        record["numpy_float64_seconds"],
        base,
        quartiles=record.get("numpy_float64_quartiles"),
    )
    yield _row(
        step + "rep3 ring",
        base,
        base,
        quartiles=record.get("rep3_ring_quartiles"),
        sent=record["bytes_per_iteration_per_party"],
        rounds=record["rounds_per_iteration"],
        peak=record["peak_rss_bytes_per_party"],
    )
    if "owners" in record:
        yield _row(
            f"{step}rep3 ring, rows of {record['owners']} owners",
            record["rep3_ring_of_owners_seconds"],
            base,
            quartiles=record["rep3_ring_of_owners_quartiles"],
        )
    layouts = {"rows": "rows alone", "both": "rows and transpose"}
    for name, run in record.get("mp_spdz_layouts", {}).items():
        yield _row(
            f"{step}MP-SPDZ ring, {layouts[name]}",
            run["seconds"],
            base,
            quartiles=run.get("quartiles"),
            sent=run["bytes_per_iteration_per_party"],
            rounds=run["rounds_per_iteration"],
            peak=run.get("peak_rss_bytes_per_party"),
        )
    if "svm" in record.get("spu", {}):
        yield _spu(step, record["spu"]["svm"], base)
    if "active_over_passive_seconds" in record:
        yield from _trainings(f"SVM, {record['active_iterations']} iterations with input: ", record)


def _networks(record: Record) -> Iterator[str]:
    networks = record.get("networks", {})
    names = {"numpy": "NumPy, plaintext", "rep3": "rep3 ring", "active": "rep3 mal-rep-ring", "mp_spdz": "MP-SPDZ ring"}
    for network in networks.get("networks", []):
        step, runs = f"network of {network['hidden']}, a step of {networks['batch_size']} rows: ", network["runs"]
        base = runs["rep3"]["step_seconds"]
        steps = networks["epochs"] * networks["rows"] / networks["batch_size"]
        for name, run in runs.items():
            yield _row(
                step + names.get(name, name),
                run["step_seconds"],
                base,
                quartiles=run.get("step_quartiles"),
                sent=run["bytes_per_party"] / steps if "bytes_per_party" in run else None,
                rounds=round(run["rounds"] / steps) if "rounds" in run else None,
                peak=run.get("peak_rss_bytes_per_party"),
                cpu=run["cpu_seconds"] / steps if run.get("cpu_seconds") is not None else None,
            )
        if (spu := record.get("spu", {}).get("networks", {}).get(str(network["hidden"]))) is not None:
            yield _spu(step, spu, base)
    if (epoch := networks.get("epoch")) is not None:
        yield from _trainings(f"network of {epoch['hidden']}, an epoch of {epoch['rows']:,} rows with input: ", epoch)


def _spu(step: str, run: Record, base: float) -> str:
    return _row(
        f"{step}SPU ABY3",
        run["step_seconds"],
        base,
        quartiles=run["step_quartiles"],
        peak=run["peak_rss_bytes_per_party"],
        cpu=run["cpu_seconds_per_step"],
    )


def _trainings(what: str, found: Record) -> Iterator[str]:
    for name, protocol in (("passive", "rep3 ring"), ("active", "rep3 mal-rep-ring")):
        runs = found.get(f"{name}_training_seconds_of_runs")
        yield _row(
            what + protocol,
            found[f"{name}_training_seconds"],
            found["passive_training_seconds"],
            quartiles=None if runs is None else [min(runs), max(runs)],
            sent=found.get(f"{name}_bytes_per_party"),
            rounds=found.get(f"{name}_rounds"),
            peak=found.get(f"{name}_peak_rss_bytes_per_party"),
            cpu=found.get(f"{name}_training_cpu_seconds"),
        )


def _remarks(record: Record) -> Iterator[str]:
    """What the rows cannot say."""
    yield (
        f"Three parties on this machine, threads of each: {record.get('threads_per_party', 1)}. Of a step: medians "
        "over steps and their quartiles; bytes, rounds and processor seconds of all parties are those of a network's "
        "whole training by step. Of trainings: medians and the range of runs that take turns. Memory is the peak of "
        "the run."
    )
    yield ""
    for name, found in (("SVM", record), ("network", record.get("networks", {}).get("epoch", {}))):
        if "active_over_passive_seconds" in found:
            cpu = found.get("active_over_passive_cpu_seconds")
            yield (
                f"Active over passive, {name}: {found['active_over_passive_seconds']:.2f} times the seconds, "
                + (f"{cpu:.2f} times the processor seconds of all parties, " if cpu is not None else "")
                + f"{found['active_over_passive_bytes']:.4f} times the bytes."
            )
            yield ""
    if "rep3_over_mp_spdz_seconds" in record:
        yield (
            f"SVM, rep3 ring over the faster of MP-SPDZ's layouts: {record['rep3_over_mp_spdz_seconds']:.3f} times the "
            f"seconds, {record['rep3_over_mp_spdz_bytes']:.3f} times the bytes."
        )
        yield ""
    for network in record.get("networks", {}).get("networks", []):
        if "rep3_over_mp_spdz_step_seconds" in network["ratios"]:
            yield (
                f"Network of {network['hidden']}, rep3 ring over MP-SPDZ: "
                f"{network['ratios']['rep3_over_mp_spdz_step_seconds']:.3f} times the seconds of a step."
            )
            yield ""
    spu = record.get("spu", {})
    if "missing" in spu:
        yield f"SPU: not measured: {spu['missing']}."
        yield ""
    elif spu:
        versions = ", ".join(f"{name} {version}" for name, version in spu["versions"].items())
        yield (
            f"SPU: {spu['protocol']} over {spu['field']}, three processes over plain TCP ({versions}). It truncates "
            "each product in fixed point, with a random last place, where rep3 has exact integers and one division a "
            "step; its step of the SVM has no late division. Its Python interface does not tell bytes and rounds."
        )
        yield ""


def _phases(phases: Record) -> list[str]:
    total = sum(phases.values())
    return [
        "| step of the SVM, rep3 ring | ms | share |",
        "|---|---:|---:|",
        *(f"| {site} | {seconds * 1e3:.2f} | {seconds / total:.0%} |" for site, seconds in phases.items()),
    ]


def _scaling(points: Sequence[Record]) -> list[str]:
    return [
        "| twice as many | from | to | times the seconds |",
        "|---|---:|---:|---:|",
        *(
            f"| {_MODELS[p['model']]}: {_SIZES[p['what']]} | "
            + " | ".join(f"{sizes[p['what']]:,}" for sizes in p["sizes"])
            + f" | {p['ratio']:.2f} |"
            for p in points
        ),
    ]


_REGISTERS = [
    "",
    "In registers: how many times as fast two threads multiplied and added there, just before and after. That needs "
    "nothing but two cores, so it says what the machine had for them at that time.",
]


def _threads(found: Record) -> list[str]:
    return [
        "| one party's own work, alone in a process | 1 thread | 2 threads | times as fast | in registers |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {work['work']} | "
            + " | ".join(
                f"{seconds * 1e3:.2f} ms ({low * 1e3:.2f} to {high * 1e3:.2f})"
                for seconds, (low, high) in zip(work["seconds"], work["quartiles"], strict=True)
            )
            + f" | {work['gain']:.2f} | {_gain_in_registers(work)} |"
            for work in found["work"]
        ),
        *_REGISTERS * any("registers_gain" in work for work in found["work"]),
        *_active_alone(found),
    ]


def _active_alone(found: Record) -> list[str]:
    """Older records do not have it."""
    if "active_over_passive_seconds" not in found:
        return []
    one, two = found["active_over_passive_seconds"]
    said = f"Active over passive, an epoch alone: {one:.2f} times the seconds on one thread, {two:.2f} times on two."
    return ["", said]


def _gain_in_registers(work: Record) -> str:
    """Older records do not have it."""
    if "registers_gain" not in work:
        return ""
    low, high = work["registers_quartiles"]
    return f"{work['registers_gain']:.2f} ({low:.2f} to {high:.2f})"


def _products(found: Record) -> list[str]:
    return [
        "| product modulo 2^64, one thread | x | ms | a call without terms | 10^9 multiply-adds a second | limit |"
        " seconds over limit |",
        "|---|---|---:|---:|---:|---|---:|",
        *(
            f"| {p['name']}, {p['rows']:,} x {p['inner']:,} x {p['columns']} | {p['kind']} | "
            f"{p['seconds'] * 1e3:.4f} | {_call(p)} | "
            f"{p['multiplications_per_second'] / 1e9:.1f} | {_limit(p)} | {p['over_limit']:.2f} |"
            for p in found["products"]
        ),
    ]


def _call(product: Record) -> str:
    return f"{product['call_seconds'] * 1e3:.4f}" if "call_seconds" in product else ""  # not in older records


def _limit(product: Record) -> str:
    if product["limited_by"] == "memory":
        return f"memory, {product['limit_bytes_per_second'] / 1e9:.1f} GB/s"
    return f"multiplications, {product['limit_multiplications_per_second'] / 1e9:.1f}"


def _start_up(commands: Record) -> list[str]:
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
    ]


def _measured(record: Record) -> Iterator[str]:
    """Where, and at which commits if there are several."""
    yield environment_line(record["environment"])
    commits = record.get("commits", {})
    if len(set(commits.values())) > 1:
        yield ""
        parts = (f"{part} {commit or 'unknown'}" for part, commit in commits.items())
        yield "Parts were measured at different commits: " + ", ".join(parts) + "."
