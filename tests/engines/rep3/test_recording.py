"""What kernels record of gates, against NumPy: whole, and in the pieces that the ends of blocks make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import recording

RNG = np.random.default_rng(0)
ROOM = 3  # words before and after what is recorded, which stay what they are


def words(*shape: int) -> np.ndarray:
    return RNG.integers(0, 2**64, shape, np.uint64)


def assert_records(
    kernel: Callable[..., None], gates: list[Any], want_t: list[np.ndarray], want_factors: list[np.ndarray]
) -> None:
    """want_factors: as many words to each gate as it has."""
    outputs = want_t[0].size
    inner = want_factors[0].size // outputs
    for done in range(outputs + 1):
        for count in {0, 1, outputs // 2, outputs - done}:
            if count > outputs - done:
                continue
            before = words(2, count + 2 * ROOM), words(len(want_factors), inner * (count + 2 * ROOM))
            t, factors = (each.copy() for each in before)
            kernel(*gates, done, ROOM, count, t, factors)
            for got, was, want, width in ((t, before[0], want_t, 1), (factors, before[1], want_factors, inner)):
                expected = was.copy()
                for row, column in zip(expected, want, strict=True):
                    row[width * ROOM : width * (ROOM + count)] = column.reshape(-1)[
                        width * done : width * (done + count)
                    ]
                np.testing.assert_array_equal(got, expected)


def test_and_gates():
    own, previous, left, right = *words(2, 6, 3), *RNG.integers(0, 6, (2, 5))
    z_previous, *pads = words(3, 5, 3)
    t_right = previous[left] & previous[right] ^ z_previous ^ pads[1]
    factors = [own[left], previous[right], previous[left], own[right]]
    assert_records(recording.ands, [own, previous, left, right, z_previous, *pads], [t_right, pads[0]], factors)


def test_majorities():
    x_own, x_previous, z_previous, *pads = words(5, 5, 3)
    gates = [x_own, x_previous, z_previous, *pads]
    assert_records(recording.majorities, gates, [z_previous ^ pads[1], pads[0]], [x_own, x_previous])


@pytest.mark.parametrize("inner", [1, 4])
@pytest.mark.parametrize("terms", [(False, False), (True, False), (False, True), (True, True)])
def test_products(inner, terms):
    x_own, x_previous, y_own, y_previous = words(4, 7, inner)
    z_previous, *pads = words(3, 7)
    t_right = z_previous - pads[1] - terms[0] * (x_previous * y_previous).sum(axis=1, dtype=np.uint64)
    t_left = pads[0] - terms[1] * (x_own * y_own).sum(axis=1, dtype=np.uint64)
    gates = [each.reshape(-1) for each in (x_own, x_previous, y_own, y_previous, z_previous, *pads)]
    assert_records(
        recording.products, [*gates, inner, *terms], [t_right, t_left], [x_own, y_previous, x_previous, y_own]
    )


def test_products_without_terms():
    t, factors, nothing = np.zeros((2, 5), np.uint64), np.zeros((4, 0), np.uint64), words(0)
    z_previous, *pads = words(3, 4)
    recording.products(*[nothing] * 4, z_previous, *pads, 0, True, True, 1, 2, 3, t, factors)
    np.testing.assert_array_equal(t, [[0, 0, *(z_previous - pads[1])[1:]], [0, 0, *pads[0][1:]]])


@pytest.mark.parametrize("cuts", [(0, 3, 6, 10), (0, 0, 0, 1), (0, 0, 1, 2)])
@pytest.mark.parametrize("number", range(3))
def test_conversions(cuts, number):
    """The equations of primitives/conversion.py, for each party's rotation of the roles."""
    pad_own, pad_previous, own, previous = words(4, cuts[-1])
    parts = [slice(cuts[i], cuts[i + 1]) for i in range(3)]
    role_0, role_1, role_2 = (parts[(number - role) % 3] for role in range(3))
    beta_1, beta_1_here, z_0_here, z_2_here = (
        words(part.stop - part.start) for part in (role_1, role_2, role_1, role_0)
    )
    minus_two = np.uint64(2**64 - 2)
    u = [pad_own[role_0], minus_two * own[role_1], own[role_2]]
    v = [previous[role_0], previous[role_1], beta_1_here]
    u_right = [pad_previous[role_1], minus_two * previous[role_2], previous[role_0]]
    t_right = [z_0_here, beta_1_here - previous[role_2], z_2_here - pad_previous[role_0]]
    v_left = [own[role_2], own[role_0], beta_1]
    t_left = [pad_own[role_2], pad_own[role_0] - own[role_0], pad_own[role_1]]
    assert_records(
        recording.conversions,
        [pad_own, pad_previous, own, previous, beta_1, beta_1_here, z_0_here, z_2_here]
        + [role.start for role in (role_0, role_1, role_2)],
        [np.concatenate(t_right), np.concatenate(t_left)],
        [np.concatenate(each) for each in (u, v, u_right, v_left)],
    )
