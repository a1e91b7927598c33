"""A bar for each audited protocol: the shares of its tampered runs that were noticed, late, harmless or accepted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

from mpc_tamper.core.counted import counted

_VERDICTS = (
    ("noticed", "noticed before an opening", "#4477aa"),
    ("noticed late", "noticed after a wrong opening", "#ccbb44"),
    ("another own input", "another input of the corrupt party", "#66ccee"),
    ("no end", "nobody went on", "#aa77aa"),
    ("right output", "right output although tampered", "#bbbbbb"),
    ("WRONG OUTPUT ACCEPTED", "wrong output accepted", "#cc3311"),
)


class Audited(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def tampered(self) -> int: ...
    def of(self, verdict: str, point: str | None = None) -> int: ...


def draw(found: Sequence[Audited]) -> bytes:
    """PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.4 + 0.36 * len(found)), layout="constrained")
    axes = figure.subplots()
    names = [f"{each.title}, {counted(each.tampered, 'run')}" for each in found]
    left = [0.0] * len(found)
    for verdict, label, colour in _VERDICTS:
        shares = [100 * each.of(verdict) / max(1, each.tampered) for each in found]
        axes.barh(names, shares, left=left, color=colour, label=label)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of tampered runs, %")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return out.getvalue()
