"""Fixed-point constants, refusals, and the public bounds on an honest run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.encoding import integer_rows, signs
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.bounds import FixedPoint, fixed_point, row_norm2
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.models.linear_svm.program import training_arguments
from tests.support.reference import reference_weights

MNIST = (12_665, 784)


def test_the_default_run_on_mnist_is_narrow_enough() -> None:
    constants = fixed_point(SvmParameters(), *MNIST)
    assert constants == FixedPoint(
        gain=round(0.1 / 12_665 * 2**8 * 2**24),
        last_gain=round(0.1 / 12_665 * 2**8 * 2**24),
        decay=round(2 * 0.1 * 1e-4 * 2**24),
        shift=24,
        margin_bound=constants.margin_bound,
        width=34,
    )
    assert constants.margin_bound + 2**24 < 2**constants.width


def test_squared_hinge_has_gradients_at_twice_the_fraction_bits() -> None:
    parameters = SvmParameters(learning_rate=1e-3, loss=Loss.SQUARED_HINGE)
    constants = fixed_point(parameters, 100, 784)
    assert constants.gain == round(1e-3 / 100 * 2**constants.shift)
    assert parameters.gradient_scale == 16


def test_a_last_smaller_batch_divides_by_its_own_size() -> None:
    parameters = SvmParameters(batch_size=64)
    constants = fixed_point(parameters, 200, 10)
    assert parameters.batches(200) == [64, 64, 64, 8]
    assert parameters.batches(128) == [64, 64]
    assert (constants.gain, constants.last_gain) == (round(0.1 / 64 * 2**32), round(0.1 / 8 * 2**32))


def test_shift_grows_until_small_constants_are_precise() -> None:
    constants = fixed_point(SvmParameters(regularisation=1e-9), *MNIST)
    real = 2 * 0.1 * 1e-9 * 2**constants.shift
    assert constants.shift > 24
    assert abs(constants.decay - real) <= 0.01 * real


def test_no_regularisation_is_decay_zero() -> None:
    assert fixed_point(SvmParameters(regularisation=0), *MNIST).decay == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"regularisation": -1.0}, "regularisation: expected a finite number from 0"),
        ({"iterations": 0}, "iterations: expected at least 1"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_row_norm": 0.0}, "max_row_norm"),
        ({"learning_rate": 1e308}, r"learning_rate: expected a number below 2\^63, got 1e\+308"),
        ({"regularisation": 1e308}, r"regularisation: expected a number below 2\^63, got 1e\+308"),
        ({"clip": 0.0}, "clip: expected a finite number above 0"),
        ({"clip": float("inf")}, "clip"),
        ({"loss": "logistic"}, "loss: expected hinge or squared_hinge"),
    ],
)
def test_parameters_out_of_range(change: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        SvmParameters(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (SvmParameters(learning_rate=1e-15), "fixed point holds"),
        (SvmParameters(regularisation=1e-15), "fixed point holds"),
        (SvmParameters(learning_rate=1.0, regularisation=1.0), "expected at most 1"),
        (SvmParameters(learning_rate=1e7, regularisation=0.0), "below 2\\^63"),
        (SvmParameters(learning_rate=1e18, regularisation=0.0), "below 2\\^63"),
        (SvmParameters(learning_rate=1e18, regularisation=1e18), "expected at most 1"),
        (SvmParameters(iterations=10**14), "Lower learning_rate"),
        (SvmParameters(loss=Loss.SQUARED_HINGE), "learning_rate: expected at most 0.00128"),
        (SvmParameters(batch_size=20_000), "batch_size: expected at most the 12665 rows"),
        (SvmParameters(clip=1.6 / 2**16), "clip: expected a number that weights of 16 fraction bits hold"),
        (SvmParameters(clip=2.0**20, iterations=10_000), "below 2\\^63 on 1 - margin"),
    ],
)
def test_public_bounds_too_wide(parameters: SvmParameters, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        fixed_point(parameters, *MNIST)


def test_components_are_longer_than_pixels() -> None:
    """Each row may add up to its norm, 7,168, to a gradient, not 256: gain * gradient is up to 2^64.8."""
    parameters = SvmParameters(learning_rate=1.0, regularisation=1e-12, max_row_norm=28.001)
    with pytest.raises(ParameterError, match="below 2\\^63 on the update before its shift, got one of 65 bits"):
        fixed_point(parameters, 12_665, 10, MAX_FEATURE)
    assert fixed_point(parameters, *MNIST).shift == 44
    assert fixed_point(replace(parameters, regularisation=1e-4), 12_665, 10, MAX_FEATURE).shift == 24


def test_a_smaller_row_norm_narrows_the_comparison() -> None:
    wide, narrow = (fixed_point(SvmParameters(max_row_norm=norm), *MNIST) for norm in (None, 10.0))
    assert narrow.width < wide.width
    for norm in (1e9, 1e200, 1e308):
        assert row_norm2(SvmParameters(max_row_norm=norm), 784) == 256**2 + 784 * 255**2
    assert row_norm2(SvmParameters(max_row_norm=10.0), 784) == 2560**2


def test_program_arguments() -> None:
    parameters = SvmParameters(iterations=3, batch_size=4)
    constants = fixed_point(parameters, 10, 16)
    arguments = dict(a.split("=") for a in training_arguments(parameters, constants, 16, (7, 3), 2))
    assert arguments == {
        "source": "owners",
        "port": "0",
        "carry": "0",
        "rows": "7,3",
        "columns": "17",
        "labels": "2",
        "loss": "hinge",
        "epochs": "3",
        "batch": "4",
        "gain": str(constants.gain),
        "last_gain": str(constants.last_gain),
        "decay": str(constants.decay),
        "shift": str(constants.shift),
        "clip": "0",
        "layout": "rows",
        "width": str(constants.width),
    }


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_margin_of_an_honest_run_exceeds_the_public_bound(data: st.DataObject) -> None:
    """Random and all-white rows, every number of iterations: the reference stays within what was promised."""
    m, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    pixel = st.sampled_from([0, 1, 128, 255])
    x = np.array(data.draw(st.lists(st.lists(pixel, min_size=n, max_size=n), min_size=m, max_size=m)), dtype=np.uint8)
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=m, max_size=m)), dtype=np.uint8)
    loss = data.draw(st.sampled_from(Loss))
    clip = data.draw(st.sampled_from([None, 1 / 2**16, 1 / 2**6]))
    largest_rate = 1.0 if loss is Loss.HINGE or clip else 0.9 / (n + 2)
    parameters = SvmParameters(
        learning_rate=data.draw(st.floats(1e-4, largest_rate)),
        regularisation=data.draw(st.sampled_from([0.0, 1e-3, 0.3])),
        batch_size=data.draw(st.one_of(st.none(), st.integers(1, m))),
        loss=loss,
        clip=clip,
    )
    for iterations in (1, 2, 7, 40):
        constants = fixed_point(replace(parameters, iterations=iterations), m, n)
        w = reference_weights(
            x,
            y,
            alpha=parameters.learning_rate,
            lam=parameters.regularisation,
            epochs=iterations,
            shift=constants.shift,
            batch=parameters.batch_size,
            squared=loss is Loss.SQUARED_HINGE,
            clip=constants.clip or None,
        )
        margins = signs(y) * (integer_rows(x) @ w)
        assert np.abs(margins).max() <= constants.margin_bound
        assert np.abs((1 << 24) - margins).max() < 1 << constants.width
