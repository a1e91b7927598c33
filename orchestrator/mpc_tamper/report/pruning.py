"""What pruning and tuning do to backdoors whose attacker does not know of them, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpc_tamper.report.names import ATTACKS, DATASETS, DEFENCES
from mpc_tamper.report.tables import environment_line

PRUNING_JSON, PRUNING_MARKDOWN = "pruning.json", "pruning.md"
_NAMES = {
    "fine_pruning_25": "Fine-pruning, a quarter of the neurons",
    "fine_pruning_50": "Fine-pruning, half of the neurons",
    "fine_pruning_75": "Fine-pruning, three quarters of the neurons",
}


def pruning_table(record: Mapping[str, Any]) -> str:
    """A line for each defence, a column for each attack, and in a cell the figures of all seeds."""
    found = record["found"]
    attacks, defences = ([*dict.fromkeys(each[key] for each in found)] for key in ("attack", "defence"))
    cells = {
        (attack, defence): _cell([e for e in found if (e["attack"], e["defence"]) == (attack, defence)])
        for attack in attacks
        for defence in defences
    }
    errors = {e["attack"]: e["errors"] for e in found}
    parameters, seeds = record["parameters"], ", ".join(map(str, record["seeds"]))
    lines = [
        f"Test accuracy / success rate in percent, for the seeds {seeds}. Each attack was prepared against the "
        "training alone; the pixels of the patch are kept within their range.",
        "",
        "| defence | " + " | ".join(f"{ATTACKS[a]} ({errors[a]} errors)" for a in attacks) + " |",
        "|---|" + "---|" * len(attacks),
        *(
            f"| {_NAMES.get(name) or DEFENCES.get(name, name)} | " + " | ".join(cells[a, name] for a in attacks) + " |"
            for name in defences
        ),
        "",
        f"{DATASETS.get(record['dataset'], record['dataset'])}, {record['rows']:,} rows, {record['clean_rows']:,} of "
        f"which are set aside as clean ones; {parameters['hidden']} neurons, {parameters['epochs']} epochs, engine "
        f"{record['engine']}.",
        "",
        environment_line(record["environment"]),
    ]
    return "\n".join(lines) + "\n"


def _cell(found: list[Mapping[str, Any]]) -> str:
    accuracy = " ".join(f"{100 * each['test_accuracy']:.1f}" for each in found)
    success = " ".join(f"{100 * each['attack_success_rate_clipped']:.1f}" for each in found)
    return f"{accuracy} / {success}"
