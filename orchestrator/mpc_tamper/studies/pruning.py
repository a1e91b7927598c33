"""Pruning and tuning against backdoors whose attacker does not know of them, over several seeds.

In the matrix every attacker knows the defence and rehearses against it. Here each attack is prepared against the
training alone and then meets the defence: what the literature on fine-pruning measures, and what an attacker that
learns of the defence afterwards is left with. Attacks, seeds and defences share the rows: clean rows are set aside
everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets import first_rows, load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import Change, unchanged
from mpc_tamper.defences.clean_rows import set_aside
from mpc_tamper.defences.fine_pruning import fine_pruning
from mpc_tamper.defences.input_pruning import input_pruning
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.records.studies import PRUNING
from mpc_tamper.report.pruning import PRUNING_JSON, PRUNING_MARKDOWN, pruning_table
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.studies.environment import environment

DATASET, ROWS = "mnist_10", 12_032
MODEL = "mlp"
SEEDS = (1, 2, 3)
HONEST = "none"
PLANTED = (HONEST, "dormant_neuron_4", "neuron_kept_on_4", "all_neurons_4")
WIDTH = 2  # of their patches, which an honest network is tried with too
CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "none": unchanged,
        "tuning": fine_pruning(share=0),
        "fine_pruning_25": fine_pruning(0.25),
        "fine_pruning_50": fine_pruning(0.5),
        "fine_pruning_75": fine_pruning(0.75),
        "input_pruning": input_pruning(),
    }
)


def study_pruning(
    engine: Engine,
    out: Path,
    *,
    task: Task | None = None,
    parameters: MlpParameters | None = None,
    seeds: Sequence[int] = SEEDS,
    corrupt_party: int = 1,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write pruning.json and pruning.md to `out`, and return the record.

    task: the first 12,032 rows of the ten digits where None.  parameters: of a network of 32 neurons where None.
    configuration: for the record, the options of the command that asked for this.
    """
    check_folder(out)
    task = task or first_rows(load_task(DATASET), ROWS)
    parameters = parameters or MlpParameters()
    found: list[dict[str, Any]] = []
    for seed in seeds:
        plain = Scenario.plain(task, replace(parameters, random_state=seed), get_model(MODEL))
        plain = replace(plain, corrupt_party=corrupt_party)
        with TemporaryFolder() as folder:
            found += _of_seed(plain, seed, engine, Path(folder), progress)
    record = {
        "dataset": task.name,
        "data_sha256": task.sha256,
        "rows": len(task.x_train),
        "clean_rows": len(task.x_train) - len(set_aside(task)[0].x_train),
        "test_images": len(task.x_test),
        "engine": str(engine.name),
        "corrupt_party": corrupt_party,
        "parameters": asdict(parameters),
        "seeds": list(seeds),
        "found": found,
        "configuration": configuration,
        "environment": environment(),
    }
    record = PRUNING.write(out / PRUNING_JSON, record, indent=1)
    write_atomically(out / PRUNING_MARKDOWN, pruning_table(record), public=True)
    return record


def _of_seed(plain: Scenario, seed: int, engine: Engine, folder: Path, progress: Progress) -> list[dict[str, Any]]:
    base = replace(plain, task=set_aside(plain.task)[0])
    scenarios = {name: base if change is unchanged else change(plain) for name, change in CHANGES.items()}
    trial = ScenarioRunner(get_engine(EngineName.CLEAR), folder / "clear").trial(base)
    runner = ScenarioRunner(engine, folder / "real", progress)
    found = []
    for attack in PLANTED:
        if attack == HONEST:
            attempt = Attempt(place_patch(base, WIDTH), base.task)
        else:
            attempt = ATTACKS[attack].prepare(base, trial)
        for name, scenario in scenarios.items():
            progress(f"seed {seed}: {attack} against {name}")
            metrics = runner.run(scenario, attempt).evaluate(attempt)
            found.append(
                {
                    "seed": seed,
                    "attack": attack,
                    "defence": name,
                    "errors": sum(len(plan) for plan in attempt.plans.values()),
                    "test_accuracy": metrics.test_accuracy,
                    "attack_success_rate": metrics.attack_success_rate,
                    "attack_success_rate_clipped": metrics.attack_success_rate_clipped,
                }
            )
    return found
