"""The rule that makes levels of real features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.scaling import Scaling

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(arrays(np.float64, (5, 3), elements=finite))
def test_ends_are_0_and_255_and_the_order_stays(x: np.ndarray) -> None:
    levels = Scaling.of(x).levels(x)
    assert levels.dtype == np.uint8
    for column, scaled in zip(x.T, levels.T, strict=True):
        assert (np.diff(scaled[np.argsort(column)].astype(int)) >= 0).all()
        if np.ptp(column / 2) > 1e-300:
            assert (scaled.min(), scaled.max()) == (0, 255)


def test_what_lies_beyond_is_clipped_and_a_constant_is_0() -> None:
    scaling = Scaling(np.array([0.0, 2.0]), np.array([10.0, 2.0]))
    assert scaling.levels(np.array([[-5.0, 7.0], [5.0, 2.0], [11.0, 0.0]])).tolist() == [[0, 0], [128, 0], [255, 0]]


@pytest.mark.parametrize(("least", "most"), [(np.nan, 1.0), (0.0, np.inf), (2.0, 1.0)])
def test_ranges_that_are_none(least: float, most: float) -> None:
    with pytest.raises(ParameterError, match="range of feature 0"):
        Scaling(np.array([least]), np.array([most]))
