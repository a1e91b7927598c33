"""mpc-tamper pruning: attacks that do not know of a defence, over seeds."""

from __future__ import annotations

import json
from pathlib import Path

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.report.pruning import PRUNING_JSON, PRUNING_MARKDOWN
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.pruning import CHANGES, PLANTED, study_pruning
from tests.support.digits import stripes


def test_each_seed_has_each_attack_and_defence_and_a_line_says_so(tmp_path: Path) -> None:
    task = stripes(3, 120, 48)
    parameters = MlpParameters(hidden=8, epochs=4, batch_size=16)
    record = study_pruning(get_engine(EngineName.CLEAR), tmp_path, task=task, parameters=parameters, seeds=(3, 4))
    found = {(each["seed"], each["attack"], each["defence"]) for each in record["found"]}
    assert found == {(seed, attack, name) for seed in (3, 4) for attack in PLANTED for name in CHANGES}
    assert json.loads((tmp_path / PRUNING_JSON).read_text()) == record
    assert (record["rows"], record["clean_rows"]) == (120, 30)
    table = (tmp_path / PRUNING_MARKDOWN).read_text()
    assert "for the seeds 3, 4" in table
    assert table.count("\n| Fine-pruning, ") == 3
    honest = [e["test_accuracy"] for e in record["found"] if (e["attack"], e["defence"]) == ("none", "none")]
    assert " ".join(f"{100 * accuracy:.1f}" for accuracy in honest) in table
