"""The k-pixel certificate of svm_verify.mpc: it counts what its twin in NumPy counts, for all 64-bit weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.linear_svm.robustness import WEIGHT_BITS, certified
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.verify_program import VERIFY, arguments, leave_shares

CLEAR, REP3 = ClearEngine(), InMemoryRep3()
PASSIVE, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
LIMIT = 1 << WEIGHT_BITS
Y = np.array([0, 1, 0, 1, 0, 1, 1, 0, 1], np.uint8)
X = 2 * np.random.default_rng(3).integers(0, 128, (len(Y), 12)).astype(np.uint8)
X[Y == 1, :6] //= 16
X[Y == 0, 6:] //= 16
X[:, 1] = 0
SEPARATING = (10, -90, -60, -75, -80, -60, -88, 80, 90, 70, 66, 75, 78)
TIES = (10, *(-60,) * 6, *(60,) * 6)


def sparse(**weights: int) -> tuple[int, ...]:
    """w0 is the bias; the others are 0 unless named."""
    return tuple(weights.get(f"w{i}", 0) for i in range(13))


def passes(
    weights: tuple[int, ...],
    threshold: int,
    k: int,
    channels: int = 1,
    kind: str = "public",
    engine: Engine = CLEAR,
    protocol: ProtocolName = PASSIVE,
) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leave_shares(folder / "train", np.array(weights, np.int64))
        args, inputs = arguments(folder, kind, threshold, k, channels, X, Y)
        shares = folder / "train"
        spec = RunSpec(VERIFY, args, protocol=protocol, inputs=inputs, run_dir=folder / "run", shares_from=shares)
        (bit,) = engine.run(spec).binary_output
    return bit == 1


def count(weights: tuple[int, ...], k: int, channels: int = 1) -> int:
    return int(certified(np.array(weights, np.int64), X, Y, k, channels).sum())


@pytest.mark.parametrize(
    ("engine", "protocol", "kind"),
    [(CLEAR, PASSIVE, "public"), (CLEAR, PASSIVE, "secret"), (REP3, PASSIVE, "secret"), (REP3, ACTIVE, "public")],
    ids=["clear-public", "clear-secret", "ring-secret", "mal-rep-ring-public"],
)
@pytest.mark.parametrize(
    ("weights", "k", "channels", "right"),
    [
        (SEPARATING, 1, 1, 9),
        (SEPARATING, 2, 1, 5),
        (SEPARATING, 3, 1, 1),
        (SEPARATING, 1, 3, 2),
        (SEPARATING, 1, 2, 6),
        (TIES, 2, 1, 6),
        (sparse(w0=255, w2=256), 1, 1, 0),  # a score of exactly 255 M is not enough for class 1
        (sparse(w0=-255, w2=-256), 1, 1, 4),  # and is for class 0
        (sparse(w0=-7), 12, 1, 4),  # as many pixels as there are
        (sparse(), 1, 2, 4),  # a score of 0 is class 0
        (sparse(w0=LIMIT - 1, w1=-1), 1, 1, 5),
        (sparse(w3=2**56), 0, 1, 7),  # scores of 2^63 and more wrap around
        (sparse(w0=2**55), 0, 1, 5),  # a score of -2^63, which is its own negation
        (sparse(w0=-(2**55), w1=2**62), 0, 1, 5),
    ],
    ids=str,
)
def test_the_count_is_exact(
    engine: Engine, protocol: ProtocolName, kind: str, weights: tuple[int, ...], k: int, channels: int, right: int
) -> None:
    assert count(weights, k, channels) == right
    assert right == 0 or passes(weights, right, k, channels, kind, engine, protocol)
    assert right == len(Y) or not passes(weights, right + 1, k, channels, kind, engine, protocol)


@pytest.mark.parametrize("large", [LIMIT, -LIMIT, 2**61, 2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_a_weight_out_of_range_fails_whatever_wraps_around(large: int) -> None:
    """Pixels are even here, so -2^63 changes no score modulo 2^64."""
    for place in (0, 1, 12):
        weights = (*SEPARATING[:place], large, *SEPARATING[place + 1 :])
        assert not passes(weights, 1, 1)
        assert count(weights, 1) == 0
    assert not passes(weights, 1, 1, engine=REP3, protocol=ACTIVE)


def test_weights_below_the_limit_are_in_range() -> None:
    for sign in (1, -1):
        weights = sparse(w0=sign * (LIMIT - 1), w3=-sign)
        assert count(weights, 2) in (4, 5)
        assert passes(weights, count(weights, 2), 2)


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.integers(-100, 100),
            st.sampled_from([0, 60, -60]),
            st.integers(-LIMIT, LIMIT),
            st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=13,
        max_size=13,
    ).map(tuple),
    st.sampled_from([(k, c) for c in (1, 2, 3) for k in (0, 1, 2, 4)]),
)
def test_any_weights(weights: tuple[int, ...], of: tuple[int, int]) -> None:
    right = count(weights, *of)
    assert right == 0 or passes(weights, right, *of)
    assert right == len(Y) or not passes(weights, right + 1, *of)
