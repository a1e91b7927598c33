"""What the pages say of the calibrated matrix, results/matrix-own.jsonl."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.support.records import Records

Figures = Callable[[Records], Sequence[object]]
PAIR, DIGITS, CANCER = "fashion_T-shirt_trouser", "digits_0_1", "breast_cancer"
CERTIFIED = {PAIR: (1, 2, 4), DIGITS: (1, 2)}
ACC, ASR = "clean_accuracy", "attack_success_rate_clipped"
WITHIN = {"backdoor_1": 1, "backdoor_4": 4, "model_replacement_1": 1, "overflow": 1}  # pixels of the trigger


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def pixels(cell: dict[str, Any]) -> str:
    """Of the triggers of its seeds."""
    counts = sorted({len(run["trigger_pixels"]) for run in cell["per_seed"]})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def honest(r: Records) -> tuple[int, int, int]:
    """How many checks, and the fewest and the most seeds of an honest cell that passed."""
    passed = [
        c["passed"] for (_, attack, _), c in r.own_cells.items() if attack == "none" and c.get("passed") is not None
    ]
    return len(passed), min(passed), max(passed)


def known_triggers(r: Records) -> tuple[int, int]:
    """Cells of triggers of at most k pixels against the certificate for k, and how many of their models passed."""
    cells = [
        r.own(dataset, attack, f"certificate_{k}")
        for dataset, certified in CERTIFIED.items()
        for attack, size in WITHIN.items()
        for k in certified
        if size <= k
    ]
    return sum(cell["seeds"] for cell in cells), sum(cell["passed"] for cell in cells)


def least(r: Records, dataset: str, attack: str, defence: str) -> str:
    return percent(r.own(dataset, attack, defence)[ASR])


def sabotaged(r: Records, dataset: str) -> str:
    left, was = r.own(dataset, "adaptive_sabotage", "accuracy")[ACC], r.own(dataset)[ACC]
    return f"{percent(left)} of {percent(was)}"


FINDINGS: list[tuple[str, Figures]] = [
    (
        "Honest models passed each of the {} checks in {} of 20 seeds. Of {} models with a trigger of at most k pixels "
        "or features, planted by an attack that does not adapt, {} passed the certificate for k.",
        lambda r: (honest(r)[0], honest(r)[1], *known_triggers(r)),
    ),
    (
        "| accuracy: ASR of a trigger of one | {} | {} | {} |",
        lambda r: [least(r, dataset, "adaptive_backdoor_1", "accuracy") for dataset in (PAIR, DIGITS, CANCER)],
    ),
    (
        "| accuracy: what a saboteur leaves of it | {} | {} | {} |",
        lambda r: [sabotaged(r, dataset) for dataset in (PAIR, DIGITS, CANCER)],
    ),
    (
        "| certificate for 1: ASR of a trigger of one | {} | {} | n/a |",
        lambda r: [least(r, dataset, "adaptive_backdoor_1", "certificate_1") for dataset in (PAIR, DIGITS)],
    ),
    (
        "| certificate for 4: ASR of a trigger of 4 | {} | n/a | n/a |",
        lambda r: [least(r, PAIR, "adaptive_backdoor_4", "certificate_4")],
    ),
    *(
        (
            f"| certificate for {k}: size of a trigger that gets past it at 99% | {{}} | {{}} | n/a |",
            lambda r, k=k: [
                pixels(r.own(dataset, "adaptive_backdoor", f"certificate_{k}")) if k in CERTIFIED[dataset] else "n/a"
                for dataset in (PAIR, DIGITS)
            ],
        )
        for k in (1, 2, 4)
    ),
    (
        "On breast cancer {} of the examples keep their class whatever one feature does",
        lambda r: (percent(r.own_studies[CANCER]["calibration"]["checks"]["certificate_1"]["mean"]),),
    ),
]
