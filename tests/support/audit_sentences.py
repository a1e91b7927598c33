"""What the pages say of the audits, results/audit.jsonl."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpc_tamper.report.audit import LATE, WRONG, Protocol
from tests.support.records import Records

Figures = Callable[[Records], Sequence[object]]
RELEASE, MENDED = "MP-SPDZ v0.4.2", "MP-SPDZ v0.4.2 with sy-rep-ring-zero-check"
NEWEST = "MP-SPDZ 3a0a7b1d (June 2026)"


def own(r: Records) -> Protocol:
    return r.audits["rep3", "mal-rep-ring"]


def unharmed(r: Records, name: str, implementation: str = RELEASE) -> str:
    """The tampered runs of a protocol in which nothing was found."""
    audit = r.audits[implementation, name]
    assert (audit.of(WRONG), audit.of(LATE), audit.findings) == (0, 0, [])
    return f"{audit.tampered:,}"


def accepting(r: Records) -> list[str]:
    return sorted({name for (_, name), audit in r.audits.items() if audit.of(WRONG)})


README: tuple[tuple[str, Figures], ...] = (
    ("in {} tampered runs of the built-in protocol nothing wrong was accepted", lambda r: (f"{own(r).tampered:,}",)),
)
FINDINGS: tuple[tuple[str, Figures], ...] = (
    (
        "**`rep3`'s `mal-rep-ring`: {} tampered runs, none accepted and nothing opened too early;** {} honest runs",
        lambda r: (f"{own(r).tampered:,}", own(r).honest) if not own(r).findings else ("none", "none"),
    ),
    ("With our patch, {} tampered runs were not accepted", lambda r: (unharmed(r, "sy-rep-ring", MENDED),)),
    ("in commit 3a0a7b1d nothing was found in {}", lambda r: (unharmed(r, "rep4-ring", NEWEST),)),
    ("The audit found it in {} runs", lambda r: (r.audits[RELEASE, "rep4-ring"].tampered,)),
    (
        "in {} tampered runs of `ps-rep-bin` it met no opening that shows it",
        lambda r: (unharmed(r, "ps-rep-bin"),),
    ),
    (
        "`mascot` as a control:** {} tampered runs, none accepted and nothing opened too early",
        lambda r: (unharmed(r, "mascot"),),
    ),
    (
        "`mal-rep-ring`, `ps-rep-field` and `sy-rep-field` in {} tampered runs each, `mal-shamir` in {}, "
        "`mal-rep-field` in {}, `ps-rep-ring` in {}.",
        lambda r: (
            *{unharmed(r, name) for name in ("mal-rep-ring", "ps-rep-field", "sy-rep-field")},
            *(unharmed(r, name) for name in ("mal-shamir", "mal-rep-field", "ps-rep-ring")),
        ),
    ),
    (
        "of {} active protocols two were found to accept a wrong result",
        lambda r: (
            {13: "thirteen"}[len({(i == "rep3", n) for i, n in r.audits})] if len(accepting(r)) == 2 else "other",
        ),
    ),
)
