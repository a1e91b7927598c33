"""Cells of the attack x defence matrix: one attack on one defence, trained, checked and measured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.registry import ADAPTIVE, ATTACKS, attack_named
from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.active import active_training
from mpc_tamper.defences.base import Change, Defence
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.features import Pixels
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.scenarios.runner import Outcome, Rehearsal, ScenarioRunner, judged
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.matrix.calibration import ask
from mpc_tamper.studies.matrix.record import not_applicable
from mpc_tamper.studies.matrix.study import Study
from mpc_tamper.workflows.verification import Verification

HONEST = "none"  # the attack of nobody
TRIGGER_ROW, TRIGGER_COLUMN = 2, 2  # of the pixel that an honest model is tried with


@dataclass(frozen=True, eq=False)
class Cell:
    """record: JSON types.  weights: of the features, real units, without the bias; None where the run was aborted."""

    record: dict[str, Any]
    weights: list[float] | None


def run_cells(
    study: Study,
    wanted: Sequence[tuple[str, str]],
    engine: Engine,
    corrupt_party: int,
    progress: Progress = silent,
) -> Iterator[Cell]:
    """The cells of these pairs of an attack and a defence; those that share a training one after the other."""
    plain = replace(Scenario.plain(study.task, study.parameters, study.model), corrupt_party=corrupt_party)
    known, commit = study.defences, {"commit": environment()["commit"]}
    scenarios: dict[Change, Scenario] = {}
    with TemporaryFolder() as folder:
        rehearsals = _Rehearsals(ScenarioRunner(get_engine(EngineName.CLEAR), Path(folder, "clear")))
        runner = ScenarioRunner(engine, Path(folder, "real"), progress)
        for attack in dict.fromkeys(attack for attack, _ in wanted):
            for name in (d for a, d in wanted if a == attack and d not in known):
                lacking = study.refused.get(name, f"there is no {name} for {study.name}")
                yield Cell(not_applicable(study.name, attack, name, lacking) | commit, None)
            asked = {d: known[d] for a, d in wanted if a == attack and d in known}
            by_oracle = study.split is not None
            reasons = {
                name: missing(attack, defence, study.model, engine, len(study.task.classes), by_oracle=by_oracle)
                or unfit(defence, study.task)
                for name, defence in asked.items()
            }
            for name, reason in reasons.items():
                if reason is not None:
                    yield Cell(not_applicable(study.name, attack, name, reason) | commit, None)
            possible = {name: defence for name, defence in asked.items() if reasons[name] is None}
            for alike in _by_attempt(attack, possible):
                change = next(iter(alike.values())).change
                progress(f"{study.name}: {attack} against {', '.join(alike)}")
                try:
                    if change not in scenarios:
                        scenarios[change] = change(plain)
                    attempt = rehearsals.attempt(attack, scenarios[change], alike)
                except ParameterError as exc:
                    if not study.task.is_table:
                        raise
                    # A table may have fewer features than a patch has pixels, or than there are components.
                    yield from (
                        Cell(not_applicable(study.name, attack, name, str(exc)) | commit, None) for name in alike
                    )
                    continue
                about = {"dataset": study.name, "attack": attack} | _about(scenarios[change], attempt, engine)
                honest = rehearsals.honest(scenarios[change], attempt.trigger, study.measured)
                about |= {"honest_success_rate": honest} | commit
                yield from _run(about, alike, scenarios[change], attempt, runner, study.measured)


def missing(
    attack: str, defence: Defence, model: Model, engine: Engine, classes: int = 2, *, by_oracle: bool = False
) -> str | None:
    """Why there can be no such cell: what the model or the engine lacks. None where nothing is missing.

    by_oracle: the clear engine may answer checks itself.
    """
    needs = defence.needs | (frozenset() if attack == HONEST else attack_named(attack).needs)
    if lacking := model.lacking(needs, classes):
        return f"{model.name} lacks {', '.join(sorted(lacking))}"
    if Capability.GATE_ERRORS in needs and not engine.capabilities.gates:
        return f"engine {engine.name} lacks {Capability.GATE_ERRORS}"
    answered = by_oracle and engine.name == EngineName.CLEAR
    asks = defence.change is active_training or (defence.check is not None and not answered)
    if asks and engine.active_protocol() is None:
        return f"engine {engine.name} lacks an active protocol"
    return None


def unfit(defence: Defence, task: Task) -> str | None:
    """Why a check cannot be made on a table: it asks about images, or about more features than there are."""
    if not task.is_table or defence.check is None:
        return None
    if Capability.PATCH_SCAN in defence.check.needs:
        return "the rows of a table have no height and width"
    if defence.check.pixels > len(task.feature_names):
        return f"the table has {len(task.feature_names)} features"
    return None


def _run(
    about: dict[str, Any],
    defences: Mapping[str, Defence],
    scenario: Scenario,
    attempt: Attempt,
    runner: ScenarioRunner,
    measured: Task,
) -> Iterator[Cell]:
    """Train once; a cell for each of the defences, which differ in their check alone."""
    began = time.monotonic()
    try:
        outcome = runner.run(scenario, attempt)
    except ProtocolAbort as abort:
        seconds = time.monotonic() - began
        yield from (Cell(_aborted(about, defence, abort, seconds), None) for defence in defences)
        return
    picture = outcome.opened.picture()
    weights = None if picture is None else picture.tolist()
    for name, defence in defences.items():
        found = about | _measured(name, outcome, attempt, measured)
        if defence.check is not None and runner.engine.active_protocol() is None:
            yield Cell(found | _cost(outcome, None) | _answered(outcome, defence), weights)
            continue
        verification = None if defence.check is None else runner.verify(outcome, defence.check, defence.examples)
        yield Cell(found | _cost(outcome, verification), weights)


class _Rehearsals:
    """What attacks do to scenarios. Those that train alike share trials and attempts: a search is many trainings."""

    def __init__(self, runner: ScenarioRunner) -> None:
        self._runner = runner
        self._known: list[tuple[Scenario, Rehearsal, dict[str, Attempt]]] = []

    def attempt(self, attack: str, scenario: Scenario, defences: Mapping[str, Defence]) -> Attempt:
        """defences: that the model meets; of an attack that adapts to the check, one."""
        scenario, rehearsal, attempts = self._alike(scenario)
        if attack in ADAPTIVE:
            (defence,) = defences.values()
            passes = partial(_passes, rehearsal, defence)
            return ADAPTIVE[attack].prepare_against(scenario, judged(rehearsal), passes)
        if attack not in attempts:
            if attack == HONEST:
                attempts[attack] = Attempt(_usual_trigger(scenario), scenario.task)
            else:
                attempts[attack] = ATTACKS[attack].prepare(scenario, judged(rehearsal))
        return attempts[attack]

    def honest(self, scenario: Scenario, trigger: Trigger, measured: Task) -> float:
        """The success rate of a trigger that nobody has planted, clipped, on the rows that success is measured on."""
        scenario, rehearsal, _ = self._alike(scenario)
        attempt = Attempt(trigger, scenario.task)
        return rehearsal(attempt).evaluate(attempt, measured).attack_success_rate_clipped

    def _alike(self, scenario: Scenario) -> tuple[Scenario, Rehearsal, dict[str, Attempt]]:
        scenario = replace(scenario, protocol=ProtocolName.RING)  # of no matter for what errors do if nobody notices
        for known in self._known:
            if _train_alike(known[0], scenario):
                return known
        self._known.append((scenario, self._runner.rehearsal(scenario), {}))
        return self._known[-1]


def _usual_trigger(scenario: Scenario) -> Trigger:
    """What an honest model is tried with: a pixel of a corner, or an attacker's choice of a table's features."""
    if scenario.task.is_table:
        return place_patch(replace(scenario, features=Pixels(len(scenario.task.feature_names))), 1)
    return Trigger.patch(scenario.task.image_shape, TRIGGER_ROW, TRIGGER_COLUMN)


def _train_alike(one: Scenario, other: Scenario) -> bool:
    return (
        one.task is other.task
        and one.features == other.features
        and (one.parameters, one.before, one.after) == (other.parameters, other.before, other.after)
    )


def _by_attempt(attack: str, defences: Mapping[str, Defence]) -> list[dict[str, Defence]]:
    """Those together that one training will do for: they change it in the same way, and the attack knows no more."""
    groups: dict[tuple[Change, str], dict[str, Defence]] = {}
    for name, defence in defences.items():
        groups.setdefault((defence.change, name if attack in ADAPTIVE else ""), {})[name] = defence
    return list(groups.values())


def _passes(rehearsal: Rehearsal, defence: Defence, attempt: Attempt) -> bool:
    """Whether the model that the attempt leaves passes the defence's check."""
    return defence.check is None or ask(rehearsal(attempt), defence)(defence.check)


def _about(scenario: Scenario, attempt: Attempt, engine: Engine) -> dict[str, Any]:
    """All that is known before the run; None for what an aborted run leaves unknown."""
    plans, trigger = attempt.plans, attempt.trigger
    return {
        "defence": "",
        "clean_accuracy": None,
        "attack_success_rate": None,
        "attack_success_rate_clipped": None,
        "robust_accuracy": None,
        "verdict": None,
        "aborted": False,
        "engine": str(engine.name),
        "protocol": str(scenario.protocol),
        "check_protocol": None,
        "model": scenario.model.name,
        "corrupt_party": scenario.corrupt_party if plans else None,
        "seconds": None,
        "seconds_to_abort": None,
        "bytes_per_party": None,
        "rounds": None,
        "weights_sha256": None,
        "max_abs_weight": None,
        "statement": None,
        "soundness_error": None,
        "stages": [stage.name for stage in scenario.stages],
        "plans": {name: plan.sha256() for name, plan in plans.items()},
        "plan_errors": {name: len(plan) for name, plan in plans.items()},
        "settings": dict(attempt.settings),
        "trigger_pixels": list(trigger.pixels),
        **({"trigger_features": [names[i] for i in trigger.pixels]} if (names := scenario.task.feature_names) else {}),
        "trigger_level": trigger.level,
        "target": trigger.target,
        "features": scenario.features.size,
        "sites": sorted({site for plan in plans.values() for site in plan.sites()}),
        "portable": not any("/" in site for plan in plans.values() for site in plan.sites()),
        "parameters": asdict(scenario.parameters),
        "insecure_fixed_seed": attempt.insecure_fixed_seed,
    } | _chosen(scenario, attempt)


def _chosen(scenario: Scenario, attempt: Attempt) -> dict[str, Any]:
    """What a defence chose besides, and on how many rows it left the training; nothing for most."""
    if not scenario.settings:
        return {}
    return {"rows": len(attempt.task.x_train), "defence_settings": dict(scenario.settings)}


def _aborted(about: dict[str, Any], defence: str, abort: ProtocolAbort, seconds: float) -> dict[str, Any]:
    """seconds: from the start to the abort by this clock. The parties of an aborted run report no costs."""
    ended = {"seconds_to_abort": round(seconds, 3), "statement": str(abort)}
    return about | {"defence": defence, "aborted": True} | ended


def _measured(defence: str, outcome: Outcome, attempt: Attempt, measured: Task) -> dict[str, Any]:
    metrics = outcome.evaluate(attempt, measured)
    return {
        "defence": defence,
        "clean_accuracy": metrics.test_accuracy,
        "attack_success_rate": metrics.attack_success_rate,
        "attack_success_rate_clipped": metrics.attack_success_rate_clipped,
        "robust_accuracy": outcome.robust_accuracy(attempt, measured),
        "weights_sha256": outcome.opened.sha256(),
        "max_abs_weight": metrics.max_abs_weight,
    }


def _answered(outcome: Outcome, defence: Defence) -> dict[str, Any]:
    """The verdict as the clear engine has it, which costs nothing that would be worth a record."""
    assert defence.check is not None
    examples = len(outcome.scenario.task.x_test)
    verdict = defence.check.verdict(ask(outcome, defence)(defence.check), examples)
    return {"verdict": "pass" if verdict.passed else "fail", "statement": verdict.statement}


def _cost(outcome: Outcome, verification: Verification | None) -> dict[str, Any]:
    """Of all runs up to the model, and of its check. A shared training counts in each of its cells."""
    runs = outcome.runs + (() if verification is None else verification.runs)
    verdict = None if verification is None else verification.verdict
    return {
        "verdict": None if verdict is None else "pass" if verdict.passed else "fail",
        "seconds": round(sum(run.seconds for run in runs), 3),
        "bytes_per_party": sum(run.bytes_per_party for run in runs),
        "rounds": sum(run.rounds for run in runs),
        "statement": None if verdict is None else verdict.statement,
        "check_protocol": None if verification is None else str(verification.runs[-1].spec.protocol),
        "soundness_error": sum(run.soundness_error or 0.0 for run in runs) or None,
    }
