"""A cell of the matrix on the page: the few words in the table, and the record that opens."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc_tamper.report.heat_map import harm
from mpc_tamper.report.matrix_cells import Outcome, outcome, percent
from mpc_tamper.report.matrix_record import Record
from mpc_tamper.report.names import HONEST
from mpc_tamper.report.seeds import PER_SEED, SEED, interval

DEFAULT_MODEL, DEFAULT_ENGINE = "linear_svm", "rep3"
BUNDLED = ("mnist_0_1", "mnist_10")  # data sets that mpc-tamper has
CIFAR10 = "cifar10_airplane_automobile"
HARM_STEPS = (0.05, 0.25, 0.5, 0.75, 0.95)  # where the colours change
_SHARES = {
    "clean_accuracy": "Accuracy without the trigger",
    "attack_success_rate": "Attack success (ASR)",
    "attack_success_rate_clipped": "ASR, pixels kept in range",
    "robust_accuracy": "Robust accuracy",
}
_WORDS = {
    Outcome.REJECTED: "A check of the secret model said no. Its numbers are the experimenter's, who opened it all the "
    "same.",
    Outcome.ABORTED: "The cheating was noticed and the run ended. There is no model.",
    Outcome.FALSE_ALARM: "Nobody cheated, and no model was delivered.",
    Outcome.NOT_APPLICABLE: "This was not run, as there can be no such cell.",
}
_QUANTITIES = (
    ("Seconds", "seconds", 1.0, ".2f"),
    ("Sent, MB", "bytes_per_party", 1e6, ",.2f"),
    ("Rounds", "rounds", 1.0, ",.0f"),
)
_SHOWN_DIGITS = 16  # of a digest

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Where:
    """What the cells of one data set have in common. place: of the record, as a command names it."""

    place: str
    dataset: str
    facts: Record
    environment: str


def css_class(cell: Record | None) -> str:
    """How a cell is coloured: h0 to h5 by how often a delivered model is wrong, else by what became of it."""
    kind = outcome(cell)
    if cell is None or kind is not Outcome.DELIVERED:
        return {Outcome.NOT_APPLICABLE: "none"}.get(kind, kind.replace(" ", "-"))
    return f"h{sum(harm(cell) >= step for step in HARM_STEPS)}"


def lines(cell: Record | None) -> tuple[str, str]:
    """The two lines of a cell: what became of the model, or else its ASR; and its accuracy."""
    kind = outcome(cell)
    if cell is None or cell.get("clean_accuracy") is None:
        return str(kind), ""
    success, accuracy = percent(cell["attack_success_rate"]), f"acc. {percent(cell['clean_accuracy'])}"
    if kind is Outcome.DELIVERED:
        return f"ASR {success}", accuracy
    return str(kind), f"ASR {success}"


def detail(cell: Record, bare: Record | None, where: Where) -> dict[str, Any]:
    """What opens. bare: the cell of an honest run without a defence, for the costs beside it.

    {"words": a sentence or "", "groups": [[name, [[label, value], ...]], ...], "command", "note", "seeds"}.
    """
    first = next(iter(cell.get(PER_SEED, ())), cell)
    planned = "Plan of the attacker" if first is cell else f"Plan of the attacker, seed {first[SEED]}"
    groups = [
        ("Result", _result(cell, where)),
        (planned, _plan(first)),
        ("Defence", _defence(cell, where)),
        ("Costs per party", _costs(cell, bare)),
        ("Record", _record(cell, where)),
    ]
    ran = outcome(cell) is not Outcome.NOT_APPLICABLE
    return {
        "words": _WORDS.get(outcome(cell), ""),
        "groups": [(name, facts) for name, facts in groups if facts],
        "command": rerun_command(cell, where) if ran else "",
        "note": _data_note(where) if ran else "",
        "seeds": [list(_seed(run)) for run in cell.get(PER_SEED, ())],
    }


def rerun_command(cell: Record, where: Where) -> str:
    """FILE stands for data that mpc-tamper has not; _data_note says which."""
    model = where.facts.get("model", DEFAULT_MODEL)
    words = ["mpc-tamper", "rerun", where.place, *_data_words(where)]
    words += ["--attack", cell["attack"], "--defence", cell["defence"]]
    words += ["--model", model] if model != DEFAULT_MODEL else []
    words += ["--engine", cell["engine"]] if cell["engine"] != DEFAULT_ENGINE else []
    return shlex.join(words)


def _data_words(where: Where) -> list[str]:
    name = _own_name(where)
    if name == BUNDLED[0]:
        return []
    return ["--data", name] if name in BUNDLED else ["--cifar10" if name == CIFAR10 else "--data", "FILE"]


def _data_note(where: Where) -> str:
    if "FILE" not in _data_words(where):
        return ""
    digest = str(where.facts["data_sha256"])[:_SHOWN_DIGITS]
    return f"FILE is the data set {_own_name(where)} ({where.facts['source']}), whose rows have the digest {digest}."


def _own_name(where: Where) -> str:
    """Of the data: a study of another model than the default one has its name behind it."""
    model = where.facts.get("model", DEFAULT_MODEL)
    return where.dataset if model == DEFAULT_MODEL else where.dataset.removesuffix(f"-{model}")


def _result(cell: Record, where: Where) -> Facts:
    facts: Facts = [("Outcome", str(outcome(cell)))]
    if cell.get("reason"):
        facts.append(("Reason", cell["reason"]))
    if cell.get("passed") is not None:
        facts.append(("Checks", f"{cell['passed']} of {cell['seeds']} models pass"))
    elif cell["verdict"] in ("pass", "fail"):
        facts.append(("Check", "passed" if cell["verdict"] == "pass" else "failed"))
    if cell.get("statement"):
        facts.append(("Said by the run" if cell["aborted"] else "What is checked", cell["statement"]))
    for name, label in _SHARES.items():
        if cell.get(name) is not None:
            facts.append((label, _share(cell, name, where.facts)))
    if cell.get("honest_success_rate") is not None and cell["attack"] != HONEST:
        facts.append(("ASR of this trigger, nobody cheating", percent(cell["honest_success_rate"])))
    if cell.get("max_abs_weight") is not None:
        facts.append(("Largest weight", f"{cell['max_abs_weight']:.3g}"))
    return facts


def _share(cell: Record, name: str, dataset: Record) -> str:
    found = interval(cell, name, dataset)
    text = f"{cell[name]:.2%}"
    if found is not None:
        text += f", 95% interval {percent(found[0])} to {percent(found[1])}"
    if cell.get("seeds", 1) > 1:
        text += f"; seeds from {percent(cell[f'{name}_min'])} to {percent(cell[f'{name}_max'])}"
    return text


def _plan(cell: Record) -> Facts:
    if cell["attack"] == HONEST or outcome(cell) is Outcome.NOT_APPLICABLE:
        return []
    facts: Facts = []
    if cell.get("corrupt_party") is not None:
        facts.append(("Corrupt party", str(cell["corrupt_party"])))
    errors, plans = cell.get("plan_errors") or {}, cell.get("plans") or {}
    for stage, count in errors.items():
        digest = f", plan {plans[stage][:_SHOWN_DIGITS]}" if stage in plans else ""
        facts.append((f"Lines of the plan in {stage}", f"{count:,}{digest}"))
    if not errors:
        facts.append(("Additive errors", "none: the attack is in the data"))
    if cell.get("sites"):
        facts.append(("At the outputs of", ", ".join(cell["sites"])))
    if cell.get("trigger_pixels"):
        facts.append(("Trigger", _trigger(cell["trigger_pixels"], cell.get("trigger_level"))))
    if cell.get("target") is not None:
        facts.append(("Class that the attacker wants", str(cell["target"])))
    facts += [(name.replace("_", " "), _value(value)) for name, value in (cell.get("settings") or {}).items()]
    return facts


def _trigger(pixels: Sequence[int], level: object) -> str:
    added = "" if level is None else f", {level} of 255 added"
    return f"values {_value(pixels)}{added}" if len(pixels) > 1 else f"value {pixels[0]}{added}"


def _defence(cell: Record, where: Where) -> Facts:
    if outcome(cell) is Outcome.NOT_APPLICABLE:
        return []
    facts: Facts = [("Protocol of the training", cell["protocol"])]
    if cell.get("check_protocol"):
        facts.append(("Protocol of the check", cell["check_protocol"]))
    least = where.facts.get("thresholds", {}).get(cell["defence"])
    if least is not None:
        facts.append(("Threshold", f"{least:,} examples"))
    if cell.get("soundness_error") is not None:
        facts.append(("Soundness error", f"{cell['soundness_error']:.2g}"))
    facts.append(("Stages", ", ".join(cell["stages"])))
    facts += [(name.replace("_", " "), _value(value)) for name, value in (cell.get("defence_settings") or {}).items()]
    return facts


def _costs(cell: Record, bare: Record | None) -> Facts:
    if outcome(cell) is Outcome.NOT_APPLICABLE:
        return []
    facts: Facts = []
    for label, name, unit, form in _QUANTITIES:
        value = cell.get(name)
        if value is None:
            facts.append((label, "not measured"))
            continue
        base = None if bare is None or bare is cell else bare.get(name)
        beside = f", {value / base:.2f} times an honest run without a defence" if base else ""
        facts.append((label, format(value / unit, form) + beside))
    if cell.get("seconds_to_abort") is not None:
        facts.append(("Seconds to the abort", f"{cell['seconds_to_abort']:.2f}"))
    return facts


def _record(cell: Record, where: Where) -> Facts:
    facts: Facts = [("File", where.place)]
    if cell.get("engine"):
        facts.append(("Engine", cell["engine"]))
        facts.append(("Run on", where.environment))
    if cell.get("weights_sha256"):
        facts.append(("Weights, SHA-256", cell["weights_sha256"][:_SHOWN_DIGITS]))
    if cell.get("insecure_fixed_seed") is not None:
        facts.append(("Insecure fixed seed", str(cell["insecure_fixed_seed"])))
    if cell.get("commit"):
        facts.append(("Commit", cell["commit"]))
    return facts


def _seed(run: Record) -> Iterator[str]:
    yield str(run[SEED])
    for name in ("clean_accuracy", "attack_success_rate"):
        yield "-" if run.get(name) is None else percent(run[name])
    yield str(outcome(run))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, Sequence):
        shown = ", ".join(_value(each) for each in value[:8])
        return shown if len(value) <= 8 else f"{shown} and {len(value) - 8} more"
    if value is None:
        return "none"
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:,}"
