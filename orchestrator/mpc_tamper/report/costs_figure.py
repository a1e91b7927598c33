"""The costs in one picture: time against iterations and rows, protocols on three networks, the model's check."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Record = Mapping[str, Any]

PASSIVE, VERIFIED, ACTIVE = "tab:blue", "tab:green", "tab:red"
_SHADES = (1.0, 0.65, 0.35)  # this machine, then each network
_NETWORK_MARKS = "os^D"


def draw(record: Record) -> bytes:
    """A PNG of costs.json."""
    figure = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(figure)
    (by_iterations, by_rows), (protocols, check) = figure.subplots(2, 2)
    engine = record["runs"][0]["engine"]
    trainings = [run for run in record["runs"] if run["engine"] == engine and run["phase"] == "train"]
    most, longest = max(run["rows"] for run in trainings), max(run["iterations"] for run in trainings)
    _curves(by_iterations, record, engine, [r for r in trainings if r["rows"] == most], "iterations")
    by_iterations.set_title(f"{engine}: a model from {most:,} rows, by iterations")
    by_iterations.set_xlabel("training iterations T")
    _curves(by_rows, record, engine, [r for r in trainings if r["iterations"] == longest], "rows")
    by_rows.set_title(f"{engine}: a model after T = {longest} iterations, by rows")
    by_rows.set_xlabel("training rows")
    _bars(protocols, record)
    _check(check, record)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": None})
    return png.getvalue()


def _curves(axis: Axes, record: Record, engine: str, trainings: Sequence[Record], key: str) -> None:
    """Seconds of each way to a model, against iterations or rows."""
    for protocol in dict.fromkeys(run["protocol"] for run in trainings):
        runs = sorted((run for run in trainings if run["protocol"] == protocol), key=lambda run: run[key])
        x, seconds = [run[key] for run in runs], [run["seconds"] for run in runs]
        active = runs[0]["active"]
        label = f"train actively ({protocol})" if active else f"train passively and hope ({protocol})"
        axis.plot(x, seconds, marker="o", color=ACTIVE if active else PASSIVE, label=label, zorder=2 + active)
        if not active:
            for check in _verifications(record, engine):
                guarantee = "" if check["active"] else "; no guarantee"
                axis.plot(
                    x,
                    [s + check["seconds"] for s in seconds],
                    marker="s",
                    linestyle="--",
                    color=VERIFIED,
                    label=f"train passively, verify {check['rows']:,} examples ({check['protocol']}{guarantee})",
                )
    axis.set_ylabel("seconds, three parties on this machine")
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", fontsize=8)


def _verifications(record: Record, engine: str) -> Iterator[Record]:
    """The largest with public examples, of each protocol."""
    found = [
        run
        for run in record["runs"]
        if run["engine"] == engine and run["phase"] == "verify" and run["examples"] == "public"
    ]
    for protocol in dict.fromkeys(run["protocol"] for run in found):
        yield max((run for run in found if run["protocol"] == protocol), key=lambda run: run["rows"])


def _bars(axis: Axes, record: Record) -> None:
    """Training in every protocol at the largest size that all of them were run at."""
    trainings = [run for run in record["runs"] if run["phase"] == "train"]
    everyone = {(run["engine"], run["protocol"]) for run in trainings}
    sizes = {(run["rows"], run["iterations"]) for run in trainings}
    common = [
        size
        for size in sizes
        if {(r["engine"], r["protocol"]) for r in trainings if (r["rows"], r["iterations"]) == size} == everyone
    ]
    if not common:
        axis.set_axis_off()
        axis.set_title("No size was run in every protocol")
        return
    rows, iterations = max(common, key=lambda size: size[0] * size[1])
    runs = sorted(
        (run for run in trainings if (run["rows"], run["iterations"]) == (rows, iterations)),
        key=lambda run: run["seconds"],
    )
    names = ["this machine", *(network["name"] for network in record["networks"])]
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        heights = [run["predicted_seconds"].get(name, run["seconds"]) for run in runs]
        colours = [ACTIVE if run["active"] else PASSIVE for run in runs]
        places = np.arange(len(runs)) + (i - (len(names) - 1) / 2) * width
        bars = axis.bar(places, heights, width, color=colours, alpha=_SHADES[i % len(_SHADES)])
        axis.bar_label(bars, [f"{h:.2g}" if h < 10 else f"{h:.0f}" for h in heights], fontsize=7, padding=1)
    axis.set_yscale("log")
    axis.margins(y=0.15)
    axis.set_xticks(range(len(runs)), [f"{run['engine']}\n{run['protocol']}" for run in runs], fontsize=8)
    axis.set_ylabel("seconds")
    axis.set_title(f"Training, {rows:,} rows, T = {iterations}: blue passive, red active")
    axis.text(
        0.01,
        0.98,
        "bars from dark to pale: " + ", ".join([names[0], *(f"{n} (predicted)" for n in names[1:])]),
        transform=axis.transAxes,
        va="top",
        fontsize=8,
    )


def _check(axis: Axes, record: Record) -> None:
    """Predicted against measured, through the relay."""
    checks = record["checks"]
    if not checks:
        axis.set_axis_off()
        axis.set_title("The cost model was not checked in this run")
        return
    for i, network in enumerate(record["networks"]):
        points = [check for check in checks if check["network"] == network["name"]]
        for active, colour in ((False, PASSIVE), (True, ACTIVE)):
            some = [p for p in points if p.get("active", False) is active]
            if some:
                axis.scatter(
                    [p["predicted_seconds"] for p in some],
                    [p["measured_seconds"] for p in some],
                    marker=_NETWORK_MARKS[i],
                    color=colour,
                    label=f"{network['name']}, {'active' if active else 'passive'}",
                    zorder=3,
                )
    values = [check[key] for check in checks for key in ("predicted_seconds", "measured_seconds")]
    span = np.array([min(values) * 0.7, max(values) * 1.4])
    axis.plot(span, span, color="black", linewidth=1, label="measured = predicted")
    axis.fill_between(span, span * 0.8, span * 1.25, color="grey", alpha=0.2, label="within 25%")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("predicted seconds")
    axis.set_ylabel("measured seconds, through the delaying relay")
    axis.set_title("Do the predictions hold? Runs at a small size")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", fontsize=8)
