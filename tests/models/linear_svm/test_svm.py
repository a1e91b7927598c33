"""Fixed-point constants, refusals, and the public bounds on an honest run."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.encoding import integer_rows, signs
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.bounds import FixedPoint, fixed_point, row_norm2
from mpc_tamper.models.linear_svm.parameters import PLAIN, Loss, Schedule, SvmParameters
from mpc_tamper.models.linear_svm.program import training_call
from mpc_tamper.runs.owners import Owners
from tests.support.reference import reference_weights

MNIST = (12_665, 784)


def test_the_plain_run_on_mnist_is_narrow_enough() -> None:
    constants = fixed_point(PLAIN, *MNIST)
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
    parameters = replace(PLAIN, batch_size=64)
    constants = fixed_point(parameters, 200, 10)
    assert parameters.batches(200) == [64, 64, 64, 8]
    assert parameters.batches(128) == [64, 64]
    assert (constants.gain, constants.last_gain) == (round(0.1 / 64 * 2**32), round(0.1 / 8 * 2**32))


def test_shift_grows_until_small_constants_are_precise() -> None:
    constants = fixed_point(replace(PLAIN, regularisation=1e-9), *MNIST)
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
        ({"loss": "logistic"}, "loss: expected auto or hinge or squared_hinge or modified_huber"),
        ({"schedule": "cosine"}, "schedule: expected constant or linear, got cosine"),
        ({"momentum": 1.0}, "momentum: expected 0 to 0.99, got 1"),
        ({"loss": "squared_hinge", "momentum": 0.5}, "momentum: expected 0 for the squared hinge"),
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
        (replace(PLAIN, iterations=10**14), "Lower learning_rate"),
        (SvmParameters(iterations=10**14, regularisation=0.0), "Lower the iterations, raise the learning rate"),
        (replace(PLAIN, loss=Loss.SQUARED_HINGE), "learning_rate: expected at most 0.00128"),
        (SvmParameters(0.1, 0.02, momentum=0.9), "expected at most 0.00263 with momentum 0.9, .* got 0.004"),
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
    wide, narrow = (fixed_point(replace(PLAIN, max_row_norm=norm), *MNIST) for norm in (None, 10.0))
    assert narrow.width < wide.width
    for norm in (1e9, 1e200, 1e308):
        assert row_norm2(SvmParameters(max_row_norm=norm), 784) == 256**2 + 784 * 255**2
    assert row_norm2(SvmParameters(max_row_norm=10.0), 784) == 2560**2


def test_program_arguments() -> None:
    parameters = replace(PLAIN, iterations=3, batch_size=4)
    constants = fixed_point(parameters, 10, 16)
    call = training_call(parameters, constants, DataSize(10, 16, 255), Owners((7, 3), 2))
    arguments = dict(a.split("=") for a in call.args)
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


def test_what_is_added_to_the_arguments_of_other_trainings() -> None:
    """The plain one keeps the arguments that it always had."""
    size = DataSize(10, 16, 255, 3)
    call = training_call(SvmParameters(), fixed_point(SvmParameters(), 10, 16), size, Owners((10,)))
    assert call.args[-3:] == ("outputs=3", "schedule=linear", "momentum=0.9")


def test_what_is_not_given_follows_from_what_is() -> None:
    default, plain, squared = SvmParameters(), SvmParameters(0.1), SvmParameters(loss=Loss.SQUARED_HINGE)
    assert (default.schedule, default.momentum, default.iterations, default.regularisation) == (
        Schedule.LINEAR,
        0.9,
        200,
        1e-5,
    )
    for constant in (plain, squared):
        assert (constant.schedule, constant.momentum, constant.iterations, constant.regularisation) == (
            Schedule.CONSTANT,
            0.0,
            100,
            1e-4,
        )
    assert plain == PLAIN
    assert (plain.loss, default.loss) == (Loss.HINGE, Loss.AUTO)
    assert plain.for_classes(3) == plain
    assert default.for_classes(2).loss is Loss.HINGE
    assert SvmParameters(loss=Loss.MODIFIED_HUBER).momentum == 0.9
    assert SvmParameters(0.1, schedule=Schedule.LINEAR).momentum == 0.9
    assert SvmParameters(schedule=Schedule.CONSTANT).momentum == 0
    assert SvmParameters(**asdict(default)) == default  # as an invitation to clients has them


def test_a_step_size_from_public_bounds() -> None:
    """200 to 400 over the square of a row's norm, a tenth of it for a step of which nine tenths go on."""
    assert SvmParameters().rate(2.0) == pytest.approx(5)
    assert SvmParameters().rate(20.0) == pytest.approx(0.1 * 14.3 / 20)
    assert SvmParameters().rate(50.0) == pytest.approx(40 / 50**2)
    assert SvmParameters(momentum=0.0).rate(2.0) == pytest.approx(50)
    assert SvmParameters().rate(0.1) == SvmParameters().rate(1.0)  # no row is shorter than its constant attribute
    assert SvmParameters(0.3).rate(2.0) == 0.3
    for parameters in (SvmParameters(regularisation=0.1), SvmParameters(loss=Loss.SQUARED_HINGE, regularisation=0.1)):
        constants = fixed_point(parameters, 100, 3)  # with a larger one there would be no public bound
        assert constants.width < 40


def test_parts_of_the_step_size_add_up_to_half_of_it_in_every_pass() -> None:
    constants = fixed_point(SvmParameters(iterations=7), 10, 4)
    assert [constants.parts_in(p) for p in range(7)] == [7, 6, 5, 4, 3, 2, 1]
    assert constants.gain * 7 == pytest.approx(SvmParameters().rate(5**0.5) / 10 * 2 ** (8 + constants.shift), rel=0.02)
    assert fixed_point(PLAIN, 10, 4).parts_in(99) == 1


def test_defaults_have_a_public_bound_for_tables_and_for_large_images() -> None:
    for rows, features in ((2, 1), (100, 4), MNIST, (60_000, 784), (10_000, 3072), (10_000_000, 20), (1000, 49_152)):
        width = 39 if features < 190 else 40
        assert fixed_point(SvmParameters(), rows, features).width == width
        many = SvmParameters().for_classes(10)
        assert (many.loss, fixed_point(many, rows, features).width) == (Loss.MODIFIED_HUBER, width + 1)
    with_components = SvmParameters(max_row_norm=17.0)
    assert fixed_point(with_components, 12_665, 10, MAX_FEATURE).width == 39


@settings(max_examples=150)
@given(data=st.data())
def test_no_margin_of_an_honest_run_exceeds_the_public_bound(data: st.DataObject) -> None:
    """Random and all-white rows, every number of iterations: the reference stays within what was promised."""
    m, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    pixel = st.sampled_from([0, 1, 128, 255])
    x = np.array(data.draw(st.lists(st.lists(pixel, min_size=n, max_size=n), min_size=m, max_size=m)), dtype=np.uint8)
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=m, max_size=m)), dtype=np.uint8)
    loss = data.draw(st.sampled_from(Loss))
    clip = data.draw(st.sampled_from([None, 1 / 2**16, 1 / 2**6]))
    largest_rate = 0.9 / (n + 2) if loss is Loss.SQUARED_HINGE and not clip else 1.0
    momentum = 0.0 if loss is Loss.SQUARED_HINGE else data.draw(st.sampled_from([0.0, 0.5, 0.9]))
    decays = [0.0, 1e-3] if momentum else [0.0, 1e-3, 0.3]
    parameters = SvmParameters(
        learning_rate=data.draw(st.one_of(st.none(), st.floats(1e-4, largest_rate))),
        regularisation=data.draw(st.sampled_from(decays)),
        batch_size=data.draw(st.one_of(st.none(), st.integers(1, m))),
        loss=loss,
        clip=clip,
        schedule=data.draw(st.sampled_from(Schedule)),
        momentum=momentum,
    )
    for iterations in (1, 2, 7, 40):
        constants = fixed_point(replace(parameters, iterations=iterations), m, n)
        w = reference_weights(
            x,
            y,
            alpha=parameters.rate(math.sqrt(row_norm2(parameters, n)) / 256),
            lam=parameters.regularisation,
            epochs=iterations,
            shift=constants.shift,
            batch=parameters.batch_size,
            squared=loss is Loss.SQUARED_HINGE,
            huber=loss is Loss.MODIFIED_HUBER,
            clip=constants.clip or None,
            falling=parameters.schedule is Schedule.LINEAR,
            momentum=momentum,
        )
        margins = signs(y) * (integer_rows(x) @ w)
        assert np.abs(margins).max() <= constants.margin_bound
        assert np.abs((1 << 24) - margins).max() < 1 << constants.width
