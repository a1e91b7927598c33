"""Attacks on a table: triggers are features by name, and a patch of k x k pixels is as many features."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import mpc_tamper as mt
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.features import Pixels
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.scenarios.scenario import Scenario
from tests.support.in_memory import InMemoryRep3
from tests.support.scenario_runs import CLEAR, metrics_of, weights_of
from tests.support.tables import people

PARAMETERS = SvmParameters(learning_rate=0.04, iterations=3, batch_size=40)
MLP = mt.MlpParameters(hidden=6, epochs=4, batch_size=16)
WIDE = ("backdoor_16", "backdoor_64", "backdoor_stealthy", "model_replacement_16")  # more features than there are
FOR_LINEAR = [name for name, attack in ATTACKS.items() if not get_model("linear_svm").lacking(attack.needs)]


@cache
def scenario() -> Scenario:
    return Scenario.plain(mt.table_task(people(), "state"), PARAMETERS)


@pytest.mark.parametrize("name", [name for name in FOR_LINEAR if name not in WIDE])
def test_every_attack_on_the_linear_model_takes_a_table(name: str) -> None:
    table = scenario()
    attempt = ATTACKS[name].prepare(table, lambda a: metrics_of(table, a, weights_of(table, a, CLEAR)))
    assert max(attempt.trigger.pixels) < len(table.task.feature_names)
    if not any("/" in site for plan in attempt.plans.values() for site in plan.sites()):  # gates: of rep3 alone
        weights = weights_of(table, attempt, CLEAR)
        assert np.array_equal(weights_of(table, attempt, InMemoryRep3()), weights)
        if name.startswith("backdoor"):
            assert metrics_of(table, attempt, weights).attack_success_rate_clipped == 1


@pytest.mark.parametrize("name", WIDE)
def test_an_attack_of_more_features_than_there_are_is_refused(name: str) -> None:
    with pytest.raises(
        ParameterError, match=r"expected at most the 6 features of table, got (16|64); choose an attack of"
    ):
        ATTACKS[name].prepare(scenario(), lambda attempt: pytest.fail("no trial"))


def test_the_features_that_vary_least_are_the_attackers() -> None:
    table = scenario()
    names = table.task.feature_names
    assert [names[i] for i in place_patch(table, 1).pixels] == ["colour=green"]
    four = place_patch(table, 2).pixels
    assert len(four) == 4
    assert names.index("colour=green") in four
    still = replace(
        table, task=replace(table.task, x_train=table.task.x_train * np.array([1, 0, 1, 1, 1, 1], np.uint8))
    )
    assert place_patch(still, 1).pixels == (1,)  # a column that is always at the least level
    assert place_patch(still, 1, used=True).pixels == (4,)  # for who expects that one to be cut off
    with pytest.raises(ParameterError, match="expected features of the table that the training sees, got none"):
        place_patch(replace(table, features=Nothing(6)), 1)


class Nothing(Pixels):
    def direction(self, delta: np.ndarray) -> np.ndarray:
        return np.zeros(self.size)


def test_a_trigger_is_given_by_the_names_of_features() -> None:
    names = scenario().task.feature_names
    trigger = mt.Trigger.features(names, ["colour=red", "age"], amplitude=0.5, target=0)
    assert (trigger.pixels, trigger.level, trigger.target) == ((0, 5), 128, 0)
    for wrong, message in (
        (["colour"], r"expected a feature of the table, got 'colour'; choose 'colour=.*' or another of 6"),
        (["Age"], r"got 'Age'; choose 'age' or another of 6"),
        ([], r"expected one or more distinct pixels"),
    ):
        with pytest.raises(ParameterError, match=message):
            mt.Trigger.features(names, wrong)
    with pytest.raises(ParameterError, match=r"expected features below 6, got 6; name them with Trigger.features\(\)"):
        mt.Trigger((6,)).check(scenario().task)


def test_a_network_is_attacked_on_a_table() -> None:
    task = mt.table_task(people(), "state")
    trigger = mt.Trigger.features(task.feature_names, ["colour=green"], target=1)
    found = mt.attack(task, trigger, MLP, model="mlp", engine="clear").evaluate(task, trigger)
    assert found.attack_success_rate_clipped == 1
