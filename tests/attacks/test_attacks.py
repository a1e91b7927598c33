"""Every listed attack on the linear SVM: on pixels, on some of them, on a projection and on a clipped update, from each
party, on rep3. The model that comes out is the clear engine's, or for errors at gates the one that follows on paper."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from mpc_tamper import testing
from mpc_tamper.attacks.gradient_scaling import GradientScaling
from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.attacks.search import GOAL
from mpc_tamper.core.errors import PlanError, ProtocolAbort
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.features import FeatureMap, Pixels
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.workflows.stages import TRAIN
from tests.support.images import SIDE, framed_task
from tests.support.in_memory import InMemoryRep3
from tests.support.places import ROOT
from tests.support.scenario_runs import CLEAR, Linear, metrics_of, signed_rows, weights_of

PARAMETERS = SvmParameters(learning_rate=0.04, iterations=3, batch_size=40)  # two batches a pass, 40 and 20 rows
GATES = ("gradient_zeroing_gate", "gradient_scaling", "comparison_probing")
CLIPPED = replace(PARAMETERS, clip=0.004)
DEFAULT = SvmParameters(iterations=12, batch_size=40)  # steps that fall, with momentum
FOR_LINEAR = [name for name, attack in ATTACKS.items() if not get_model("linear_svm").lacking(attack.needs)]
SHORT = Scenario.plain(framed_task(), PARAMETERS)
every_attack = pytest.mark.parametrize("name", FOR_LINEAR)  # those on networks: test_networks.py
every_scenario = pytest.mark.parametrize("kind", ["pixels", "kept", "projected", "clipped", "default"])
every_party = pytest.mark.parametrize("corrupt_party", range(PARTIES))


def features(kind: str) -> FeatureMap:
    pixels = np.eye(SIDE * SIDE)
    if kind in ("pixels", "clipped", "default"):
        return Pixels(SIDE * SIDE)
    if kind == "kept":
        return Linear(pixels[framed_task().x_train.var(axis=0) > 0])
    return Linear(np.linalg.qr(np.random.default_rng(3).normal(size=(SIDE * SIDE, 6)))[0].T)


@cache
def prepared(name: str, kind: str, corrupt_party: int = 1) -> tuple[Scenario, Attempt]:
    parameters = {"clipped": CLIPPED, "default": DEFAULT}.get(kind, PARAMETERS)
    scenario = Scenario(framed_task(), parameters, features(kind), corrupt_party=corrupt_party)
    return scenario, ATTACKS[name].prepare(scenario, trial_of(scenario))


def trial_of(scenario: Scenario) -> Trial:
    return lambda attempt: metrics_of(scenario, attempt, weights_of(scenario, attempt, CLEAR))


def modelled(scenario: Scenario, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Weights of a training whose h, 0 or 1, is changed: change(h, row numbers). Equation (1) in integers."""
    rows, parameters = signed_rows(scenario, scenario.task), scenario.parameters
    c = scenario.constants
    batches = parameters.batches(len(rows))
    w = velocity = np.zeros(rows.shape[1], dtype=np.int64)
    for number in range(parameters.iterations):
        for k, size in enumerate(batches):
            numbers = np.arange(size) + sum(batches[:k])
            part = rows[numbers]
            h = change(((1 << 24) - part @ w > 0).astype(np.int64), numbers)
            gain = c.gain if size == batches[0] else c.last_gain
            step = c.parts_in(number) * (gain * (part.T @ h) - c.decay * w)
            if c.momentum:
                step += c.momentum * velocity + (1 << (c.shift - 1))
            velocity = (step >> c.shift).clip(-c.clip, c.clip) if c.clip else step >> c.shift
            w = w + velocity
    return w


@every_party
@every_scenario
@every_attack
def test_every_attack_in_every_scenario_from_every_party(name: str, kind: str, corrupt_party: int) -> None:
    scenario, attempt = prepared(name, kind, corrupt_party if name == "gradient_scaling" else 1)
    scenario = replace(scenario, corrupt_party=corrupt_party)
    if not attempt.plans and corrupt_party > 0:
        pytest.skip("no party is corrupt")
    got = weights_of(scenario, attempt, InMemoryRep3())
    if attempt.insecure_fixed_seed is not None:
        return  # every error met its gate; the outcome depends on the pads
    if name == "gradient_zeroing_gate":
        zero = scenario.task.y_train != attempt.trigger.target
        want = modelled(scenario, lambda h, rows: np.where(zero[rows], 1 - h, h))
    elif name == "gradient_scaling":
        chosen = np.isin(np.arange(60), GradientScaling().rows(scenario))
        want = modelled(scenario, lambda h, rows: h + 100 * chosen[rows])
    else:
        want = weights_of(scenario, attempt, CLEAR)
    assert np.array_equal(got, want)


@every_attack
def test_additive_attacks_have_a_plan_and_active_training_aborts(name: str) -> None:
    scenario, attempt = prepared(name, "projected")
    assert set(attempt.plans) == ({TRAIN} if ATTACKS[name].additive else set())
    if attempt.plans:
        with pytest.raises(ProtocolAbort):
            weights_of(scenario, attempt, InMemoryRep3(), protocol=ProtocolName.MAL_REP_RING)


@every_scenario
@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("backdoor")])
def test_backdoors_reach_their_goal_or_say_that_they_do_not(name: str, kind: str) -> None:
    scenario, attempt = prepared(name, kind)
    found = metrics_of(scenario, attempt, weights_of(scenario, attempt, CLEAR))
    assert attempt.settings["reached"] == (found.attack_success_rate_clipped >= GOAL)
    if kind in ("pixels", "clipped", "default"):
        assert attempt.settings["reached"] == 1
        assert found.test_accuracy == 1
    if "within" in attempt.settings:
        limit = attempt.settings["clean_max_abs_weight"]
        assert isinstance(limit, float)
        assert attempt.settings["within"] == (found.max_abs_weight <= limit)


def test_a_smaller_strength_does_not_reach_the_goal() -> None:
    scenario, attempt = prepared("backdoor_1", "pixels")
    errors = [replace(e, value=round(signed(e.value) * 0.9)) for e in attempt.plans[TRAIN]]
    weaker = replace(attempt, plans={TRAIN: AdditiveErrorPlan.from_errors(errors)})
    assert metrics_of(scenario, weaker, weights_of(scenario, weaker, CLEAR)).attack_success_rate_clipped < GOAL


def signed(value: int) -> int:
    return value - (value >> 63 << 64)


def test_zeroed_rows_never_count() -> None:
    """Both ways, as rows that are never learnt stay active."""
    scenario, attempt = prepared("gradient_zeroing", "pixels")
    zero = scenario.task.y_train != attempt.trigger.target
    without = modelled(scenario, lambda h, rows: np.where(zero[rows], 0, h))
    assert np.array_equal(without, weights_of(scenario, attempt, CLEAR))
    scenario, attempt = prepared("gradient_zeroing_gate", "pixels")
    assert np.array_equal(without, weights_of(scenario, attempt, InMemoryRep3()))
    assert metrics_of(scenario, attempt, without).test_accuracy == 0.5


def test_overflow_is_one_error_with_a_large_effect() -> None:
    scenario, attempt = prepared("overflow", "pixels")
    (error,) = attempt.plans[TRAIN]
    assert abs(signed(error.value)) / 2**62 == pytest.approx(1, abs=0.01)
    found = metrics_of(scenario, attempt, weights_of(scenario, attempt, CLEAR))
    assert found.test_accuracy == found.attack_success_rate_clipped == 1
    assert found.max_abs_weight > 1000


def test_sabotage_spoils_the_model() -> None:
    scenario, attempt = prepared("sabotage", "pixels")
    assert metrics_of(scenario, attempt, weights_of(scenario, attempt, CLEAR)).test_accuracy <= 0.6


@pytest.mark.parametrize("name", GATES)
def test_gates_are_refused_by_the_clear_engine(name: str) -> None:
    with pytest.raises(PlanError, match="gates lie inside a primitive"):
        weights_of(*prepared(name, "pixels"), CLEAR)


def test_probing_depends_on_the_pads_alone() -> None:
    scenario, attempt = prepared("comparison_probing", "pixels")
    keys = [[bytes([i + seed]) * 32 for i in range(PARTIES)] for seed in (0, 0, 100)]
    first, again, other = (weights_of(scenario, attempt, InMemoryRep3(insecure_keys=k)) for k in keys)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def texts(attempt: Attempt) -> dict[str, str]:
    return {stage: plan.text() for stage, plan in attempt.plans.items()}


@every_attack
def test_attempts_are_deterministic_and_their_settings_are_json(name: str) -> None:
    _, attempt = prepared(name, "kept")
    prepared.cache_clear()
    _, again = prepared(name, "kept")
    assert (again.settings, again.trigger) == (attempt.settings, attempt.trigger)
    assert texts(again) == texts(attempt)
    assert json.loads(json.dumps(attempt.settings)) == attempt.settings


@every_attack
def test_it_passes_the_checks_that_plug_ins_have_to_pass(name: str) -> None:
    testing.check_attack(ATTACKS[name], SHORT)


@pytest.mark.parametrize("name", ["backdoor_4", "gradient_zeroing_gate", "poisoning_5"])
def test_it_passes_them_with_three_parties(name: str) -> None:
    testing.check_attack(ATTACKS[name], SHORT, engine=InMemoryRep3())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"plans": {}}, "expected some of an additive attack"),
        ({"plans": {"lift": AdditiveErrorPlan.from_errors([])}}, "expected stages of"),
        ({"settings": {"rows": np.int64(3)}}, "JSON"),
        ({"task": replace(framed_task())}, "expected the scenario's"),
    ],
)
def test_the_checks_find_what_is_wrong(changed: dict[str, Any], said: str) -> None:
    class Wrong:
        additive, needs = True, frozenset[Capability]()

        def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
            return replace(ATTACKS["gradient_zeroing"].prepare(scenario, trial), **changed)

    with pytest.raises((AssertionError, TypeError), match=said):
        testing.check_attack(Wrong(), SHORT)


def test_every_attack_is_documented() -> None:
    text = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    for name in ATTACKS:
        assert f"`{name}`" in text or f"`_{name.partition('_')[2]}`" in text
