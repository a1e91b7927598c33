"""svm_classes_verify.mpc counts what its twin in NumPy counts, for all 64-bit weights; the twin certifies rightly."""

from __future__ import annotations

import tempfile
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import DataError, ParameterError, ProgramError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.models.checks import Question
from mpc_tamper.models.linear_svm.program import verification_call
from mpc_tamper.models.linear_svm.robustness import WEIGHT_BITS, certified_of_classes
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.verify_program import leave_shares

CLEAR, REP3 = ClearEngine(), InMemoryRep3()
PASSIVE, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
CLASSES, FEATURES = 4, 12
LIMIT = 1 << WEIGHT_BITS
RNG = np.random.default_rng(4)
Y = np.array([0, 1, 2, 3, 1, 2, 3, 0, 1], np.uint8)
X = 2 * RNG.integers(0, 32, (len(Y), FEATURES)).astype(np.uint8)
for _row, _label in zip(X, Y, strict=True):
    _row[3 * _label : 3 * _label + 3] += 190
SEPARATING = np.concatenate([[[3, -1, 0, 2]], np.kron(np.eye(CLASSES), np.full((3, 1), 90))]).astype(np.int64)
SEPARATING[1:] += RNG.integers(-9, 10, (FEATURES, CLASSES))


def call(folder: Path, threshold: int, k: int, channels: int, owner: int | None) -> ProgramCall:
    return verification_call(Question(threshold, k, channels), X, Y, folder, owner, CLASSES)


def passes(
    weights: np.ndarray,
    threshold: int,
    k: int,
    channels: int = 1,
    owner: int | None = None,
    engine: Engine = CLEAR,
    protocol: ProtocolName = PASSIVE,
) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leave_shares(folder / "train", weights.reshape(-1))
        asked = call(folder, threshold, k, channels, owner)
        spec = RunSpec(
            asked.program,
            asked.args,
            protocol=protocol,
            inputs=asked.inputs,
            run_dir=folder / "run",
            shares_from=folder / "train",
        )
        (bit,) = engine.run(spec).binary_output
    return bit == 1


def count(weights: np.ndarray, k: int, channels: int = 1) -> int:
    return int(certified_of_classes(weights.reshape(-1), CLASSES, X, Y, k, channels).sum())


@pytest.mark.parametrize(
    ("engine", "protocol", "owner"),
    [(CLEAR, PASSIVE, None), (CLEAR, PASSIVE, 1), (REP3, PASSIVE, 1), (REP3, ACTIVE, None)],
    ids=["clear-public", "clear-secret", "ring-secret", "mal-rep-ring-public"],
)
@pytest.mark.parametrize(("k", "channels"), [(0, 1), (1, 1), (2, 3), (3, 1)])
def test_the_count_is_exact(engine: Engine, protocol: ProtocolName, owner: int | None, k: int, channels: int) -> None:
    right = count(SEPARATING, k, channels)
    assert right == 0 or passes(SEPARATING, right, k, channels, owner, engine, protocol)
    assert right == len(Y) or not passes(SEPARATING, right + 1, k, channels, owner, engine, protocol)


def test_fewer_are_certified_against_more_pixels() -> None:
    found = [count(SEPARATING, k) for k in range(4)]
    assert found == [9, 9, 3, 0]


def test_the_certificate_is_exact_for_triggers_that_may_leave_the_range() -> None:
    """All changes of two pixels by -255, 0 or 255: an example is certified iff none of them takes its class away."""
    columns = SEPARATING
    for x, y, certain in zip(X, Y, certified_of_classes(columns.reshape(-1), CLASSES, X, Y, 2), strict=True):
        safe = True
        for where in combinations(range(FEATURES), 2):
            for change in product((-255, 0, 255), repeat=2):
                changed = x.astype(np.int64)
                changed[list(where)] += change
                scores = changed @ columns[1:] + 256 * columns[0]
                safe &= int(scores.argmax()) == y
        assert safe == certain


@pytest.mark.parametrize("large", [LIMIT, -LIMIT, 2**62, 2**63 - 1, -(2**63)])
def test_a_weight_out_of_range_fails_whatever_wraps_around(large: int) -> None:
    for place in ((0, 0), (1, 3), (FEATURES, 1)):
        weights = SEPARATING.copy()
        weights[place] = large
        assert not passes(weights, 1, 1)
        assert count(weights, 1) == 0
    assert not passes(weights, 1, 1, engine=REP3, protocol=ACTIVE)


_WEIGHTS = st.lists(
    st.one_of(
        st.integers(-100, 100),
        st.sampled_from([0, 60, -60]),
        st.integers(-LIMIT, LIMIT),
        st.integers(-(2**63), 2**63 - 1),
    ),
    min_size=CLASSES * (FEATURES + 1),
    max_size=CLASSES * (FEATURES + 1),
)


@settings(max_examples=25)
@given(
    st.one_of(_WEIGHTS, _WEIGHTS.map(lambda w: [v % LIMIT for v in w])),
    st.sampled_from([(0, 1), (1, 2), (3, 1), (12, 1)]),
)
def test_any_weights(weights: list[int], of: tuple[int, int]) -> None:
    words = np.array(weights, np.int64)
    right = count(words, *of)
    assert right == 0 or passes(words, right, *of)
    assert right == len(Y) or not passes(words, right + 1, *of)


def test_examples_of_one_class_or_of_others_are_refused(tmp_path: Path) -> None:
    for y, message in ((np.full(len(Y), 2), "two classes at least"), (Y + 2, "expected classes from 0 to 3")):
        with pytest.raises(DataError, match=message):
            verification_call(Question(1), X, y.astype(np.uint8), tmp_path, None, CLASSES)
    with pytest.raises(ParameterError, match="at most the 12 pixels"):
        call(tmp_path, 1, 13, 1, None)


def test_the_program_refuses_other_arguments(tmp_path: Path) -> None:
    leave_shares(tmp_path / "train", SEPARATING.reshape(-1))
    asked = call(tmp_path, 1, 1, 1, 1)
    for old, new in (("outputs=4", "outputs=2"), ("pixels=1", "pixels=13"), ("owner=1", "owner=3"), ("rows=9", "m=9")):
        args = tuple(arg.replace(old, new) for arg in asked.args)
        with pytest.raises(ProgramError, match="svm_classes_verify: expected"):
            CLEAR.run(RunSpec(asked.program, args, run_dir=tmp_path / new, shares_from=tmp_path / "train"))
