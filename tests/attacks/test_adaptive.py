"""Attacks that know the check: they pass it at the largest strength that does; a certificate bounds what is left."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from mpc_tamper.attacks.adaptive import AdaptiveBackdoor, AdaptiveReplacement, AdaptiveSabotage
from mpc_tamper.attacks.registry import ADAPTIVE
from mpc_tamper.datasets import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.checks import Check
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.scenarios.runner import ScenarioRunner, judged
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.testing import small_task
from mpc_tamper.workflows.oracle import oracle
from tests.support.places import ROOT

PARAMETERS = SvmParameters(iterations=40)


@cache
def task() -> Task:
    return small_task(rows=80, tests=60, side=10)


class Against:
    """A check of a training, as the attacker rehearses it."""

    def __init__(self, folder: Path, check: Check) -> None:
        self.scenario = Scenario.plain(task(), PARAMETERS)
        self.check = check
        self.rehearsal = ScenarioRunner(get_engine(EngineName.CLEAR), folder).rehearsal(self.scenario)
        self.trial = judged(self.rehearsal)

    def passes(self, attempt: Attempt) -> bool:
        return oracle(self.rehearsal(attempt).shares, task().x_test, task().y_test)(self.check)


def test_a_backdoor_of_at_most_k_pixels_is_left_with_what_the_certificate_bounds(tmp_path: Path) -> None:
    check = PixelRobustness(1, 0.9)
    against = Against(tmp_path, check)
    attempt = AdaptiveBackdoor(1).prepare_against(against.scenario, against.trial, against.passes)
    assert attempt.settings["passes"] == 1
    assert against.passes(attempt)
    examples, least = len(task().x_test), check.least(len(task().x_test))
    others = int((task().y_test != 1).sum())
    assert against.trial(attempt).attack_success_rate <= (examples - least) / others
    unchecked = AdaptiveBackdoor(1).prepare(against.scenario, against.trial)
    assert against.trial(unchecked).attack_success_rate_clipped >= 0.99
    assert not against.passes(unchecked)


def test_more_pixels_than_k_get_past_a_certificate(tmp_path: Path) -> None:
    against = Against(tmp_path, PixelRobustness(1, 0.9))
    attempt = AdaptiveBackdoor().prepare_against(against.scenario, against.trial, against.passes)
    assert (attempt.settings["passes"], attempt.settings["reached"]) == (1, 1)
    assert against.passes(attempt)
    assert len(attempt.trigger.pixels) > 1
    assert against.trial(attempt).attack_success_rate_clipped >= 0.99


@pytest.mark.parametrize("attack", [AdaptiveSabotage(), AdaptiveReplacement(1)])
def test_what_passes_a_threshold_just_does(tmp_path: Path, attack: AdaptiveSabotage | AdaptiveReplacement) -> None:
    check: Check = AccuracyThreshold(0.8) if isinstance(attack, AdaptiveSabotage) else PixelRobustness(1, 0.9)
    against = Against(tmp_path, check)
    attempt = attack.prepare_against(against.scenario, against.trial, against.passes)
    assert against.passes(attempt)
    assert attempt.settings["passes"] == 1
    if isinstance(attack, AdaptiveSabotage):
        assert 0.8 <= against.trial(attempt).test_accuracy < 1


def test_a_check_that_nothing_passes_is_met_with_the_strongest(tmp_path: Path) -> None:
    against = Against(tmp_path, AccuracyThreshold(0.9))
    attempt = AdaptiveBackdoor(1).prepare_against(against.scenario, against.trial, lambda attempt: False)
    assert (attempt.settings["passes"], attempt.settings["reached"]) == (0, 1)


def test_every_adaptive_attack_is_documented() -> None:
    text = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ADAPTIVE)
