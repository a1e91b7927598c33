"""Scores of a network are those of Python's integers modulo 2^64, however large its weights are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import DataError
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.mlp.scoring import scores, split

WORD = st.one_of(st.integers(-300, 300), st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**62, -(2**63)]))


def signed(x: int) -> int:
    return (x + 2**63) % 2**64 - 2**63


def slow_scores(w1: np.ndarray, w2: np.ndarray, cap: int, row: list[int]) -> list[int]:
    hidden = []
    for h in range(w1.shape[1]):
        z = signed(sum(x * int(w) for x, w in zip([256, *row], w1[:, h], strict=True)))
        over = signed(z - cap) >= 0
        hidden.append(cap - z if z < 0 and over else 0 if z < 0 else cap if over else z)
    return [signed(sum(a * int(w) for a, w in zip(hidden, w2[:, o], strict=True))) for o in range(w2.shape[1])]


@settings(max_examples=60)
@given(st.data(), st.sampled_from([1, 3]), st.sampled_from([np.uint8, np.int32]))
def test_exact_modulo_2_64(data: st.DataObject, outputs: int, dtype: type) -> None:
    weights = np.array(data.draw(st.lists(WORD, min_size=4 * 2 + 2 * outputs, max_size=4 * 2 + 2 * outputs)), np.int64)
    largest = 255 if dtype is np.uint8 else 1 << 20
    row = data.draw(st.lists(st.integers(-largest if dtype is np.int32 else 0, largest), min_size=3, max_size=3))
    cap = data.draw(st.sampled_from([1, 1000, 2**42]))
    architecture = {"hidden": 2, "outputs": outputs, "f1": 30, "f2": 8, "cap": cap}
    expected = slow_scores(*split(weights, architecture), cap, row)
    assert scores(weights, architecture, np.array([row], dtype)).tolist() == [expected]


def test_many_rows_are_scored_as_single_ones() -> None:
    rng = np.random.default_rng(1)
    architecture = {"hidden": 5, "outputs": 4, "f1": 20, "f2": 8, "cap": 2**29}
    weights, rows = rng.integers(-(2**22), 2**22, 11 * 5 + 5 * 4), rng.integers(0, 256, (5000, 10)).astype(np.uint8)
    together = scores(weights, architecture, rows)
    assert together.shape == (5000, 4)
    for i in (0, 2047, 2048, 4999):
        assert together[i].tolist() == slow_scores(*split(weights, architecture), 2**29, rows[i].tolist())


def test_the_class_is_the_first_of_the_largest() -> None:
    z = np.array([[1, 1, 0], [0, 2, 2], [-5, -9, -4], [0, 0, 0], [2**61, -(2**61), 3]])
    assert predict(z).tolist() == z.argmax(axis=1).tolist() == [0, 1, 2, 0, 0]
    assert predict(np.array([[1], [0], [-1], [-(2**63)]])).tolist() == [1, 0, 0, 1]  # -2^63 is its own negation


def test_classes_that_beat_each_other_in_a_circle_are_class_0() -> None:
    third = 2**64 // 3
    assert predict(np.array([[0, third, 2 * third - 2**64]])).tolist() == [0]


@pytest.mark.parametrize("count", [0, 5, 11])
def test_a_file_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="give the architecture"):
        split(np.zeros(count, np.int64), {"hidden": 2, "outputs": 2, "f1": 8, "f2": 8, "cap": 1})


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="images of 1 attributes"):
        scores(
            np.zeros(8, np.int64), {"hidden": 2, "outputs": 2, "f1": 8, "f2": 8, "cap": 1}, np.zeros((1, 2), np.uint8)
        )
