"""Studies of the matrix: thresholds that no model of one class passes, parts of the rows, whose record it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task, first_rows
from mpc_tamper.defences.registry import defences
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.studies.matrix.study import QUICK_TESTS, QUICK_TRAINING, Study
from tests.support.images import striped


def unequal() -> Task:
    """10 test images of each of three classes, and 6 more of class 2."""
    task = striped(3)
    more = np.flatnonzero(task.y_test == 2)[:6]
    rows = np.concatenate([np.arange(30), more])
    return replace(task, x_test=task.x_test[rows], y_test=task.y_test[rows])


@pytest.mark.parametrize(("threshold", "passes"), [(15.5 / 36, True), (16.5 / 36, False)])
def test_a_certificate_is_beyond_a_model_of_the_largest_class(threshold: float, passes: bool) -> None:
    known = defences(0.9, {1: threshold, 4: 0.9, 16: 0.9, 64: 0.9})
    if not passes:
        Study(unequal(), "made", SvmParameters(), known)
        return
    with pytest.raises(ParameterError, match=r"certificate_1: expected a threshold above 0.444, .* got 16 of 36"):
        Study(unequal(), "made", SvmParameters(), known)


def test_quick_studies_keep_all_classes() -> None:
    task = striped(5, rows=1000, test_rows=400)
    study = Study.of(task, quick=True)
    assert (len(study.task.x_train), len(study.task.x_test)) == (QUICK_TRAINING, QUICK_TESTS)
    assert set(study.task.y_test.tolist()) == set(range(5))
    assert study.record()["classes"] == list("01234")
    assert study.picture["test_image"] == study.task.x_test[0].tolist()


@pytest.mark.parametrize("rows", [None, 500, QUICK_TRAINING])
def test_a_record_says_which_rows_its_study_had(rows: int | None) -> None:
    task = striped(2, rows=1000, test_rows=500)
    for quick in (False, True) if rows is None else (False,):
        study = Study.of(task if rows is None else first_rows(task, rows), quick=quick)
        again = Study.again(task, {study.name: study.record()})
        np.testing.assert_array_equal(again.task.x_train, study.task.x_train)
        np.testing.assert_array_equal(again.task.x_test, study.task.x_test)
        assert again.parameters == study.parameters
    with pytest.raises(ParameterError, match="expected the data, parameters and thresholds"):
        Study.again(replace(task, sha256="1"), {study.name: study.record()})
