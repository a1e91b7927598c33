"""Rows that train, rows that are known, rows that success is measured on: no row is two of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.studies.matrix.split import KNOWN_SHARE, SAMPLE_SHARE, Purpose, Split
from mpc_tamper.testing import small_task


def numbered(rows: int = 120) -> Task:
    """Each training row says its number."""
    task = small_task(rows=rows)
    x = np.zeros((rows, 64), np.uint8)
    x[:, 0] = np.arange(rows)
    return replace(task, x_train=x)


def test_the_three_parts_share_no_row() -> None:
    task = numbered()
    split = Split.of(task)
    known, left = set(split.training.x_test[:, 0].tolist()), set(split.training.x_train[:, 0].tolist())
    assert known | left == set(range(120))
    assert not known & left
    assert len(known) == KNOWN_SHARE * 120
    assert split.measured.x_test is task.x_test
    for purpose in Purpose:
        for number in range(5):
            sample = split.sample(purpose, number)
            rows = sample.x_train[:, 0].tolist()
            assert len(set(rows)) == len(rows) == SAMPLE_SHARE * 90
            assert set(rows) <= left
            assert set(np.unique(sample.y_train)) == {0, 1}
            assert np.array_equal(task.y_train[rows], sample.y_train)
            assert sample.x_test is split.training.x_test


def test_it_is_drawn_in_public_and_samples_are_drawn_apart() -> None:
    one, again, other = Split.of(numbered()), Split.of(numbered()), Split.of(numbered(), seed=2)
    assert one.record() == again.record()
    assert one.record()["known_examples_sha256"] != other.record()["known_examples_sha256"]
    samples = [one.sample(purpose, number).x_train[:, 0].tolist() for purpose in Purpose for number in range(3)]
    assert samples[0] == again.sample(Purpose.CALIBRATION, 0).x_train[:, 0].tolist()
    assert len({tuple(rows) for rows in samples}) == 6


def test_a_class_of_too_few_rows() -> None:
    task = numbered()
    y = np.zeros(120, np.uint8)
    y[:5] = 1
    with pytest.raises(ParameterError, match="class stripe 1 for known examples and for training, got 5"):
        Split.of(replace(task, y_train=y))
