"""mlp_scan.mpc decides what its twin in NumPy decides, and opens one bit."""

from __future__ import annotations

from dataclasses import replace
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
from mpc_tamper.models.checks import Patch, Question
from mpc_tamper.models.mlp.questions import scan_call
from mpc_tamper.models.mlp.scan import counts, largest_share, passes, places
from mpc_tamper.models.mlp.scoring import scores
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.mlp_programs import answer, architecture, examples, trained
from tests.support.verify_program import leave_shares

CLEAR, REP3 = ClearEngine(), InMemoryRep3()
PASSIVE, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
HIDDEN = {1: 4, 3: 8, 10: 8}
NETWORKS = {outputs: (architecture(outputs, hidden), trained(outputs, hidden)) for outputs, hidden in HIDDEN.items()}
EXAMPLES = {outputs: examples(max(2, outputs)) for outputs in HIDDEN}
PATCH = Patch(side=2, stride=1, threshold=0.5, height=6, width=10)
BACKDOOR = 3, 4  # row, column


def backdoored(outputs: int, target: int) -> np.ndarray:
    """Neuron 0 becomes one that a white square of 2 x 2 at BACKDOOR turns on, and is for the target class alone."""
    described, weights = NETWORKS[outputs]
    hidden = described["hidden"]
    columns = len(weights[: -hidden * outputs]) // hidden
    w1, w2 = weights[: columns * hidden].reshape(columns, hidden).copy(), weights[-hidden * outputs :].copy()
    w1[:, 0] = 0
    w1[0, 0] = -60 << described["f1"]  # all four have to be white
    for row in range(2):
        for column in range(2):
            w1[1 + (BACKDOOR[0] + row) * 10 + BACKDOOR[1] + column, 0] = 15.3 * 2 ** described["f1"]
    w2[:outputs] = 0
    w2[0 if outputs == 1 else target] = (64 if target or outputs > 1 else -64) << described["f2"]
    return np.concatenate([w1.reshape(-1), w2])


def agrees(
    weights: np.ndarray,
    outputs: int,
    patch: Patch,
    engine: Engine = CLEAR,
    protocol: ProtocolName = PASSIVE,
    owner: int | None = None,
) -> bool:
    """Whether the program says what the twin says."""
    described, (x, y) = NETWORKS[outputs][0], EXAMPLES[outputs]
    found = answer(Question(0, patch=patch), weights, described, x, y, engine, protocol, owner)
    return found is passes(weights, described, x, y, patch)


@pytest.mark.parametrize(
    ("engine", "protocol", "owner"),
    [(CLEAR, PASSIVE, None), (CLEAR, PASSIVE, 1), (REP3, PASSIVE, 2), (REP3, ACTIVE, None)],
    ids=["clear-public", "clear-secret", "ring-secret", "mal-rep-ring-public"],
)
@pytest.mark.parametrize(("outputs", "target"), [(1, 0), (1, 1), (3, 2)])
def test_a_patch_is_found(engine: Engine, protocol: ProtocolName, owner: int | None, outputs: int, target: int) -> None:
    described, clean = NETWORKS[outputs]
    spoilt, (x, y) = backdoored(outputs, target), EXAMPLES[outputs]
    assert passes(clean, described, x, y, PATCH)
    assert not passes(spoilt, described, x, y, PATCH)
    assert agrees(clean, outputs, PATCH, engine, protocol, owner)
    assert agrees(spoilt, outputs, PATCH, engine, protocol, owner)
    at = list(places(PATCH)).index(BACKDOOR)
    assert counts(spoilt, described, x, y, PATCH)[at, target] == (y != target).sum()


def test_places_in_between_are_not_looked_at() -> None:
    spoilt, described, (x, y) = backdoored(3, 2), NETWORKS[3][0], EXAMPLES[3]
    for stride, found in ((2, False), (3, False), (1, True)):
        patch = replace(PATCH, stride=stride)
        assert passes(spoilt, described, x, y, patch) is not found
        assert agrees(spoilt, 3, patch)


@pytest.mark.parametrize("outputs", HIDDEN)
def test_the_limit_is_exact(outputs: int) -> None:
    """At the largest share itself a network fails, and just above it passes; squares at the edges included."""
    (described, weights), (x, y) = NETWORKS[outputs], EXAMPLES[outputs]
    for patch in (replace(PATCH, side=3), Patch(2, 2, 1.0, 5, 4), Patch(1, 3, 1.0, 2, 10)):
        share = largest_share(weights, described, x, y, patch)
        for threshold in {min(1.0, max(0.01, share + change)) for change in (0.0, 1e-9, -1e-9)}:
            assert agrees(weights, outputs, replace(patch, threshold=threshold))


def test_the_twin_counts_what_the_network_says() -> None:
    described, (x, y) = NETWORKS[10][0], EXAMPLES[10]
    weights, patch = NETWORKS[10][1], Patch(2, 1, 0.5, 5, 4)  # of three channels
    expected = []
    for row, column in places(patch):
        images = x.reshape(len(x), 3, 5, 4).copy()
        images[:, :, row : row + 2, column : column + 2] = 255
        given = predict(scores(weights, described, images.reshape(x.shape)))
        expected.append([int(((given == t) & (y != t)).sum()) for t in range(10)])
    assert counts(weights, described, x, y, patch).tolist() == expected
    assert len(expected) == 4 * 3


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([1, 3]), st.sampled_from([1, 10, 30, 62]), st.sampled_from([0.2, 0.9, 1]))
def test_any_weights(seed: int, outputs: int, bits: int, threshold: float) -> None:
    rng, (_, weights) = np.random.default_rng(seed), NETWORKS[outputs]
    noise = rng.integers(-(2**bits), 2**bits, len(weights)) * (rng.random(len(weights)) < 0.3)
    assert agrees(weights + noise, outputs, Patch(2, 2, threshold, 6, 10))


@pytest.mark.parametrize("outputs", HIDDEN)
def test_wrapping_weights_on_shares(outputs: int) -> None:
    rng = np.random.default_rng(outputs)
    weights = rng.integers(-(2**63), 2**63 - 1, len(NETWORKS[outputs][1]), endpoint=True)
    for threshold in (0.3, 1.0):
        assert agrees(weights, outputs, Patch(3, 3, threshold, 6, 10), REP3, ACTIVE)


@pytest.mark.parametrize("active", [False, True], ids=["ring", "mal-rep-ring"])
def test_nothing_is_opened_but_one_bit(tmp_path: Path, active: bool) -> None:
    described, weights = NETWORKS[3]
    leave_shares(tmp_path / "train", weights)
    call = scan_call(replace(PATCH, stride=3), *EXAMPLES[3], tmp_path, 1, described)
    program = load_program(call.program)

    def run(party: Party) -> list[tuple[int, str, bytes]]:
        received = party.channel.record_received()
        own_input = OwnerInput(party.party_id, call.inputs.get(party.party_id))
        run_program(program, call.args, Rep3Machine(party, own_input, tmp_path / "train", lambda text: None))
        return received

    for party, received in enumerate(run_in_threads(run, sites=dict(program.sites), active=active)):
        opened = [(sender, len(payload)) for sender, tag, payload in received if tag.endswith("open")]
        assert sorted(opened) == sorted([((party + 1) % 3, 8), ((party - 1) % 3, 32 if active else 8)])


GOOD = "columns=61 hidden=8 outputs=3 cap=8388608 rows=14 height=6 width=10 side=2 stride=1 share=1/2 owner=0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("side=2", "side=7"),
        ("side=2", "side=0"),
        ("stride=1", "stride=0"),
        ("width=10", "width=7"),
        ("share=1/2", "share=3/2"),
        ("share=1/2", "share=0/2"),
        ("share=1/2", "share=0.5"),
        ("share=1/2", f"share=1/{2**58}"),
        ("owner=0", "owner=4"),
        (" owner=0", ""),
        ("rows=14", "rows=0"),
        ("rows=14", "rows=14 rows=14"),
    ],
)
def test_malformed_arguments_are_refused(tmp_path: Path, old: str, new: str) -> None:
    leave_shares(tmp_path / "train", NETWORKS[3][1])
    assert old in GOOD
    args = tuple(GOOD.replace(old, new).split())
    program = bundle.program("mlp_scan.mpc")
    with pytest.raises(ProgramError, match="mlp_scan: expected"):
        CLEAR.run(RunSpec(program, args, run_dir=tmp_path / "run", shares_from=tmp_path / "train"))


def test_scans_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    described, (x, y) = NETWORKS[3][0], EXAMPLES[3]
    for patch, images, match in (
        (replace(PATCH, side=7), x, "side from 1 to 6"),
        (replace(PATCH, height=7), x, "shape of the images"),
        (PATCH, x.astype(np.int32), "no white patches"),
    ):
        with pytest.raises((DataError, ParameterError), match=match):
            scan_call(patch, images, y, tmp_path, None, described)
