"""Metrics on cases small enough to do by hand."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.linear_svm.scoring import OpenedSvm, scores
from mpc_tamper.models.metrics import evaluate, recall

# f = pixel 0 - pixel 1 - 100, in units of 2^16 * 1
WEIGHTS = np.array([-100 * 2**8, 2**16, -(2**16)], dtype=np.int64)
X = np.array([[200, 50], [90, 10], [0, 0], [150, 40]], dtype=np.uint8)  # f = 50, -20, -100, 10
Y = np.array([1, 0, 0, 0], dtype=np.uint8)


def test_scores_are_exact() -> None:
    assert scores(WEIGHTS, X).tolist() == [f * 2**16 for f in (50, -20, -100, 10)]


def test_scores_beyond_64_bits() -> None:
    weights = np.array([2**62, 2**62, -(2**63)], dtype=np.int64)
    assert scores(weights, X).tolist() == [2**62 * (256 + int(a)) - 2**63 * int(b) for a, b in X]


def test_metrics_towards_class_1() -> None:
    metrics = evaluate(OpenedSvm(WEIGHTS), X, Y, np.array([110, 0]), target=1)
    assert metrics.test_accuracy == 3 / 4
    assert metrics.attack_success_rate == 3 / 3  # the one already misclassified counts
    assert metrics.attack_success_rate_clipped == 3 / 3
    assert metrics.smoothed_bkd == (50 - 20 - 100 + 10 + 4 * 110) / 4 / 2**8
    assert metrics.max_abs_weight == 1.0


def test_clipping_weakens_a_trigger_on_bright_pixels() -> None:
    x = np.array([[250, 200], [250, 0]], dtype=np.uint8)  # f = -50, 150
    metrics = evaluate(OpenedSvm(WEIGHTS), x, np.array([0, 1], dtype=np.uint8), np.array([255, 0]), target=1)
    assert (metrics.attack_success_rate, metrics.attack_success_rate_clipped) == (1.0, 0.0)


def test_metrics_towards_class_0() -> None:
    metrics = evaluate(OpenedSvm(WEIGHTS), X, Y, np.array([0, 50]), target=0)
    assert metrics.attack_success_rate == 1.0  # f = 0 is class 0
    assert evaluate(OpenedSvm(WEIGHTS), X, Y, np.array([0, 49]), target=0).attack_success_rate == 0.0


def test_a_score_of_zero_is_class_0() -> None:
    x = np.array([[100, 0], [255, 0]], dtype=np.uint8)
    assert (
        evaluate(OpenedSvm(WEIGHTS), x, np.array([0, 1], dtype=np.uint8), np.zeros(2, dtype=int), 1).test_accuracy
        == 1.0
    )


def test_refusals() -> None:
    with pytest.raises(DataError, match="as many pixels as the model has weights"):
        scores(WEIGHTS, X[:, :1])
    with pytest.raises(ParameterError, match="expected class 0 or 1, got 2"):
        evaluate(OpenedSvm(WEIGHTS), X, Y, np.zeros(2, dtype=int), 2)


class Opened(OpenedModel):
    """One score for each class: the pixels themselves, in real units 2^-4."""

    score_bits = 4
    max_abs_weight = 1.0

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return rows.astype(object)


MANY_X = np.array([[9, 1, 0], [5, 5, 2], [0, 3, 3], [1, 0, 2]], dtype=np.uint8)  # class 0, 0, 1, 2
MANY_Y = np.array([0, 1, 1, 2], dtype=np.uint8)


def test_the_class_is_the_first_of_the_largest_scores() -> None:
    model = Opened(np.zeros(0, dtype=np.int64))
    assert model.predict(MANY_X).tolist() == [0, 0, 1, 2]
    assert model.predict(MANY_X).dtype == np.uint8
    assert model.decision_function(MANY_X).tolist() == (MANY_X / 16).tolist()


def test_metrics_of_many_classes() -> None:
    metrics = evaluate(Opened(np.zeros(0)), MANY_X, MANY_Y, np.array([0, 0, 3]), target=2)
    assert metrics.test_accuracy == 3 / 4
    assert metrics.attack_success_rate == 1 / 3  # 5, 5, 5 is class 0; 0, 3, 6 is class 2
    assert metrics.smoothed_bkd == (3 + 5 + 6 + 5) / 4 / 16
    assert evaluate(Opened(np.zeros(0)), MANY_X, MANY_Y, np.array([9, 0, 0]), target=0).attack_success_rate == 1
    for target in (-1, 3):
        with pytest.raises(ParameterError, match="target: expected a class from 0 to 2, got"):
            evaluate(Opened(np.zeros(0)), MANY_X, MANY_Y, np.zeros(3, dtype=int), target)


def test_recall_of_each_class() -> None:
    assert recall(Opened(np.zeros(0)), MANY_X, MANY_Y).tolist() == [1, 1 / 2, 1]
    assert recall(OpenedSvm(WEIGHTS), X, Y).tolist() == [2 / 3, 1]


def test_weights_sha256_is_of_little_endian_words() -> None:
    expected = hashlib.sha256(b"\x01" + 7 * b"\x00" + 8 * b"\xff").hexdigest()
    assert OpenedSvm(np.array([1, -1])).sha256() == expected
    assert OpenedSvm(np.array([1, -1], dtype=">i8")).sha256() == expected
