"""mlp_verify.mpc counts what its twin in NumPy counts, for all 64-bit weights, and opens one bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError, ProgramError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.checks import Question
from mpc_tamper.models.mlp.questions import verification_call
from mpc_tamper.models.mlp.robustness import Limits, certified, limits
from mpc_tamper.models.mlp.scoring import scores
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.mlp_programs import FEATURES, answer, architecture, examples, trained
from tests.support.verify_program import leave_shares

CLEAR, REP3 = ClearEngine(), InMemoryRep3()
PASSIVE, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
HIDDEN = {1: 4, 3: 8, 10: 8}
NETWORKS = {outputs: (architecture(outputs, hidden), trained(outputs, hidden)) for outputs, hidden in HIDDEN.items()}
EXAMPLES = {outputs: examples(max(2, outputs)) for outputs in HIDDEN}
LIMITS = limits(NETWORKS[1][0], FEATURES + 1, 1, 1)


def count(weights: np.ndarray, outputs: int, k: int, channels: int = 1) -> int:
    return int(certified(weights, NETWORKS[outputs][0], *EXAMPLES[outputs], k, channels).sum())


def agrees(
    weights: np.ndarray,
    outputs: int,
    k: int,
    channels: int = 1,
    engine: Engine = CLEAR,
    protocol: ProtocolName = PASSIVE,
    owner: int | None = None,
) -> bool:
    """Whether the program says that there are as many as the twin counts, and not one more."""
    right, (x, y), described = count(weights, outputs, k, channels), EXAMPLES[outputs], NETWORKS[outputs][0]

    def passes(threshold: int) -> bool:
        return answer(Question(threshold, k, channels), weights, described, x, y, engine, protocol, owner)

    return (right == 0 or passes(right)) and (right == len(y) or not passes(right + 1))


def changed(weights: np.ndarray, places: dict[int, int]) -> np.ndarray:
    weights = weights.copy()
    weights[list(places)] = list(places.values())
    return weights


@pytest.mark.parametrize(
    ("engine", "protocol", "owner"),
    [(CLEAR, PASSIVE, None), (CLEAR, PASSIVE, 1), (REP3, PASSIVE, 2), (REP3, ACTIVE, None)],
    ids=["clear-public", "clear-secret", "ring-secret", "mal-rep-ring-public"],
)
@pytest.mark.parametrize(
    ("outputs", "k", "channels", "right"),
    [
        (1, 0, 1, 14),
        (1, 1, 1, 14),
        (1, 1, 2, 7),
        (1, 1, 3, 6),
        (1, 2, 1, 6),
        (1, 60, 1, 0),
        (1, 30, 2, 0),
        (3, 0, 1, 14),
        (3, 1, 1, 14),
        (3, 1, 2, 3),
        (10, 0, 1, 12),
        (10, 1, 1, 1),
        (10, 1, 3, 0),
    ],
)
def test_the_count_is_exact(
    engine: Engine, protocol: ProtocolName, owner: int | None, outputs: int, k: int, channels: int, right: int
) -> None:
    assert count(NETWORKS[outputs][1], outputs, k, channels) == right
    assert agrees(NETWORKS[outputs][1], outputs, k, channels, engine, protocol, owner)


def test_right_is_the_class_that_the_network_gives() -> None:
    for outputs, (described, weights) in NETWORKS.items():
        x, y = EXAMPLES[outputs]
        assert (certified(weights, described, x, y, 0) == (predict(scores(weights, described, x)) == y)).all()


@settings(max_examples=40)
@given(
    st.data(), st.sampled_from([(o, k, c) for o in HIDDEN for k, c in ((0, 1), (1, 1), (1, 2), (3, 1)) if k * o < 4])
)
def test_any_weights(data: st.DataObject, of: tuple[int, int, int]) -> None:
    outputs, k, channels = of
    weights = NETWORKS[outputs][1]
    value = st.one_of(
        st.integers(-(2**LIMITS.second), 2**LIMITS.second),
        st.integers(-(2**LIMITS.first), 2**LIMITS.first),
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from([2**62, -(2**62), 2**63 - 1, -(2**63)]),
    )
    hidden = HIDDEN[outputs]
    place = st.one_of(st.integers(0, len(weights) - 1), st.integers(-hidden * outputs, -1))
    assert agrees(changed(weights, data.draw(st.dictionaries(place, value, max_size=4))), outputs, k, channels)


@pytest.mark.parametrize("outputs", HIDDEN)
@pytest.mark.parametrize("k", [0, 1])
def test_wrapping_weights_on_shares(outputs: int, k: int) -> None:
    rng = np.random.default_rng(outputs)
    weights = rng.integers(-(2**63), 2**63 - 1, len(NETWORKS[outputs][1]), endpoint=True)
    assert count(weights, outputs, k) == 0 or k == 0
    assert agrees(weights, outputs, k, engine=REP3, protocol=ACTIVE)


@pytest.mark.parametrize("large", [2**24, -(2**24), 2**61, 2**62, -(2**62), 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_weight_out_of_range_fails_whatever_wraps_around(large: int, place: int) -> None:
    described, weights = NETWORKS[3]
    weights = changed(weights, {place: large})
    assert count(weights, 3, 1) == 0
    assert not answer(Question(1, 1), weights, described, *EXAMPLES[3], CLEAR)


@pytest.mark.parametrize("sign", [1, -1])
def test_limits_are_exact(sign: int) -> None:
    """Of the first layer, at a neuron that does nothing; of the sum of the second; of what a pixel can do."""
    described, weights = NETWORKS[1]
    hidden = HIDDEN[1]
    dead = changed(weights, dict.fromkeys([*range(0, len(weights) - hidden, hidden), -hidden], 0))
    assert Limits(24, 16, 30) == LIMITS
    others = int(np.abs(dead[-hidden:]).sum())
    for within, beyond, some in (
        ({0: sign * (2**24 - 1)}, {0: sign * 2**24}, True),
        ({-hidden: sign * (2**16 - 1 - others)}, {-hidden: sign * (2**16 - others)}, True),
        ({hidden: sign * (2**20 - 1), -hidden: 2**10}, {hidden: sign * 2**20, -hidden: 2**10}, False),
    ):
        inside, outside = (changed(dead, places) for places in (within, beyond))
        assert (count(inside, 1, 1) > 0) is some
        assert agrees(inside, 1, 1)
        assert count(outside, 1, 1) == 0
        assert not answer(Question(1, 1), outside, described, *EXAMPLES[1], CLEAR)


def test_a_certified_example_keeps_its_class() -> None:
    for outputs, channels in ((1, 1), (1, 2), (3, 1), (3, 2)):
        (described, weights), (x, y) = NETWORKS[outputs], EXAMPLES[outputs]
        sure = certified(weights, described, x, y, 1, channels)
        assert sure.any()
        for position in range(FEATURES // channels):
            for value in (0, 128, 255):
                images = x.copy()
                images[:, position :: FEATURES // channels] = value
                assert (predict(scores(weights, described, images)) == y)[sure].all()


@pytest.mark.parametrize(
    ("hidden", "f1", "f2", "cap", "features", "channels", "pixels"),
    [
        (128, 32, 12, 2 << 40, 784, 1, 1),
        (128, 32, 12, 2 << 40, 784, 1, 16),
        (128, 32, 12, 2 << 40, 3072, 3, 16),
        (16, 28, 10, 8 << 36, 784, 1, 64),
    ],
)
def test_honest_networks_are_within_limits(
    hidden: int, f1: int, f2: int, cap: int, features: int, channels: int, pixels: int
) -> None:
    described = {"hidden": hidden, "outputs": 1, "f1": f1, "f2": f2, "cap": cap}
    bound = limits(described, features + 1, pixels, channels)
    assert bound.first >= f1 + 4
    assert bound.second >= f2 + 5
    assert bound.sensitivity >= f1 + f2 + 3


def test_networks_too_wide_for_a_certificate_are_refused() -> None:
    with pytest.raises(ParameterError, match="fewer neurons"):
        limits({"hidden": 128, "outputs": 1, "f1": 40, "f2": 12, "cap": 64 << 48}, 785, 1, 1)


@pytest.mark.parametrize("owner", [None, 1])
@pytest.mark.parametrize("active", [False, True], ids=["ring", "mal-rep-ring"])
@pytest.mark.parametrize(("outputs", "k"), [(1, 2), (3, 1)])
def test_nothing_is_opened_but_one_bit(tmp_path: Path, owner: int | None, active: bool, outputs: int, k: int) -> None:
    (described, weights), (x, y) = NETWORKS[outputs], EXAMPLES[outputs]
    leave_shares(tmp_path / "train", weights)
    call = verification_call(Question(4, k), x, y, tmp_path, owner, described)
    program = load_program(call.program)

    def run(party: Party) -> list[tuple[int, str, bytes]]:
        received = party.channel.record_received()
        own_input = OwnerInput(party.party_id, call.inputs.get(party.party_id))
        run_program(program, call.args, Rep3Machine(party, own_input, tmp_path / "train", lambda text: None))
        return received

    for party, received in enumerate(run_in_threads(run, sites=dict(program.sites), active=active)):
        opened = [(sender, len(payload)) for sender, tag, payload in received if tag.endswith("open")]
        assert sorted(opened) == sorted([((party + 1) % 3, 8), ((party - 1) % 3, 32 if active else 8)])


def test_other_public_examples_than_agreed_are_refused(tmp_path: Path) -> None:
    described, weights = NETWORKS[3]
    leave_shares(tmp_path / "train", weights)
    call = verification_call(Question(4), *EXAMPLES[3], tmp_path, None, described)
    path = tmp_path / "examples.bin"
    path.write_bytes(b"\1" + path.read_bytes()[1:])
    with pytest.raises(ProgramError, match="got another file"):
        CLEAR.run(RunSpec(call.program, call.args, run_dir=tmp_path / "run", shares_from=tmp_path / "train"))


GOOD = "columns=61 hidden=8 outputs=3 cap=8388608 rows=14 threshold=4 pixels=1 channels=1 limits=24,16,30 owner=0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threshold=4", "threshold=15"),
        ("threshold=4", "threshold=0"),
        ("owner=0", "owner=3"),
        (" owner=0", ""),
        ("owner=0", "owner=0 file=x sha256=y"),
        ("rows=14", "rows=-14"),
        ("rows=14", "rows=14 rows=15"),
        (" pixels=1", ""),
        ("pixels=1", "pixels=2"),
        ("channels=1", "channels=7"),
        ("channels=1", "channels=0"),
        ("hidden=8", "hidden=0"),
        ("cap=8388608", f"cap={2**61 + 1}"),
        ("limits=24,16,30", "limits=24,16"),
        ("limits=24,16,30", "limits=0,16,30"),
        ("limits=24,16,30", "limits=49,10,30"),
        ("limits=24,16,30", "limits=24,39,30"),
        ("limits=24,16,30", "limits=37,25,30"),
        ("limits=24,16,30", "limits=24,16,55"),
    ],
)
def test_malformed_arguments_are_refused(tmp_path: Path, old: str, new: str) -> None:
    leave_shares(tmp_path / "train", NETWORKS[3][1])
    assert old in GOOD
    args = tuple(GOOD.replace(old, new).split())
    program = bundle.program("mlp_verify.mpc")
    with pytest.raises(ProgramError, match="mlp_verify: expected"):
        CLEAR.run(RunSpec(program, args, run_dir=tmp_path / "run", shares_from=tmp_path / "train"))


def test_questions_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    described, (x, y) = NETWORKS[3][0], EXAMPLES[3]
    for question, images, labels, match in (
        (Question(1, 2), x, y, "Ask for a certificate of 1 pixel"),
        (Question(1, 61), x, y, "lower it"),
        (Question(1, 1, 7), x, y, "divides the 60"),
        (Question(1, 1), x.astype(np.int32), y, "images of uint8"),
        (Question(1), x, np.zeros_like(y), "two classes at least"),
        (Question(1), x, y + 1, "classes from 0 to 2"),
        (Question(1), x, y[1:], "as many classes as examples"),
    ):
        with pytest.raises((DataError, ParameterError), match=match):
            verification_call(question, images, labels, tmp_path, None, described)
    with pytest.raises(ParameterError, match="training left"):
        verification_call(Question(1), x, y, tmp_path, None, {})
