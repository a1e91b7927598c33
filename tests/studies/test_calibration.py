"""Thresholds from honest models: the share that each just passes, less some room; none that would be of no use."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.patch_scan import PatchScan
from mpc_tamper.defences.registry import defences
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.robustness import certified
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.report.intervals import wilson, wilson_one_sided
from mpc_tamper.studies.matrix.calibration import best_count, calibrate, tolerance_factor
from mpc_tamper.studies.matrix.split import Purpose, Split
from mpc_tamper.testing import small_task
from mpc_tamper.workflows.training import train_and_open

SVM = get_model()
PARAMETERS = SvmParameters(iterations=5)


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_best_count_finds_the_count_in_few_questions(most: int, count: int, guess: int) -> None:
    count, asked = min(count, most), list[int]()

    def passes(tried: int) -> bool:
        assert 1 <= tried <= most
        asked.append(tried)
        return tried <= count

    assert best_count(passes, most, guess) == count
    assert len(asked) == len(set(asked)) <= 13
    if guess == count:
        assert len(asked) <= 2


def test_tolerance_factors_are_those_of_the_tables() -> None:
    """One-sided, 99% of a normal distribution with 95% confidence: NIST/SEMATECH e-Handbook, section 7.2.6.3."""
    for draws, exact in ((15, 3.520), (20, 3.295), (50, 2.862)):
        assert tolerance_factor(draws) == pytest.approx(exact, rel=0.01)


def test_wilson() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    low, high = wilson_one_sided(0.9, 50)
    assert wilson(0.9, 50)[0] < low < 0.9 < high < wilson(0.9, 50)[1]


def hard_task() -> Split:
    """Two classes that differ in little, so that models differ."""
    task = small_task(rows=160, tests=40)
    noise = np.random.default_rng(5)
    hidden = {
        name: (getattr(task, name) // 4 + noise.integers(0, 120, getattr(task, name).shape)).astype(np.uint8)
        for name in ("x_train", "x_test")
    }
    return Split.of(replace(task, **hidden))


def test_thresholds_are_what_honest_models_reach_less_some_room() -> None:
    split = hard_task()
    found = calibrate(split, SVM, PARAMETERS, defences(1.0, {1: 1.0, 16: 1.0}), models=5)
    known = split.training
    samples = [split.sample(Purpose.CALIBRATION, number) for number in range(5)]
    weights = [train_and_open(s, PARAMETERS, engine=get_engine("clear")).weights for s in samples]  # type: ignore[arg-type]
    for name, pixels in (("accuracy", 0), ("certificate_1", 1), ("certificate_16", 16)):
        shares = [float(certified(w, known.x_test, known.y_test, pixels).mean()) for w in weights]
        facts = found.record["checks"][name]
        assert facts["reached"] == pytest.approx(shares, abs=1e-6)
        bound = max(0.0, fmean(shares) - tolerance_factor(5) * stdev(shares))
        assert facts["bound"] == pytest.approx(bound, abs=1e-6)
        assert facts["threshold"] == pytest.approx(wilson_one_sided(bound, len(known.x_test))[0], abs=1e-4)
        assert facts["threshold"] < min(shares) or min(shares) == 0
    assert list(found.refused) == ["certificate_16"]
    assert "would be passed by a model of one class alone" in found.refused["certificate_16"]
    assert found.defences["accuracy"].check.threshold == found.record["checks"]["accuracy"]["threshold"]  # type: ignore[union-attr]
    assert {"none", "pca", "active"} <= found.defences.keys()


def test_a_scan_has_a_threshold_to_stay_below() -> None:
    split = Split.of(small_task(rows=240, tests=40))
    scan = {"patch_scan_2": Defence(check=PatchScan(2), examples=10)}
    found = calibrate(split, get_model("mlp"), MlpParameters(hidden=4, epochs=1), scan, models=5)
    facts = found.record["checks"]["patch_scan_2"]
    assert facts["threshold"] >= facts["bound"] >= facts["mean"]
    assert facts["examples"] == 10


def test_a_few_models_are_not_enough() -> None:
    with pytest.raises(ParameterError, match="at least 5 honest models, got 4"):
        calibrate(hard_task(), SVM, PARAMETERS, {}, models=4)
