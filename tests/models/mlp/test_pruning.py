"""mlp_prune.mpc: clear, rep3 and NumPy agree on every weight, whatever the network holds, and nothing is opened."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.mlp.pruning import activation_sums, least_sum, pruned_weights, pruning_call
from mpc_tamper.models.mlp.scoring import split
from mpc_tamper.models.pruning import CleanRows, InputPruning, NeuronPruning, Pruning
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.mlp_programs import FEATURES, architecture, examples, trained
from tests.support.verify_program import leave_shares

CLEAR, REP3 = ClearEngine(), InMemoryRep3()
WORD = st.one_of(st.integers(-300, 300), st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**62, -(2**63), 0]))
HIDDEN = 4


def left(
    pruning: Pruning,
    weights: np.ndarray,
    described: Mapping[str, int],
    x: np.ndarray,
    engine: Engine,
    *,
    owner: int | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    corruption: Corruption | None = None,
) -> np.ndarray:
    """The opened weights that the program leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leave_shares(folder / "train", weights)
        call = pruning_call(pruning, CleanRows(x, np.zeros(len(x), np.uint8), owner), described, folder)
        spec = RunSpec(
            call.program,
            call.args,
            protocol=protocol,
            inputs=call.inputs,
            run_dir=folder / "run",
            shares_from=folder / "train",
            corruption=corruption,
        )
        pruned = engine.run(spec)
        assert not pruned.binary_output
        assert not pruned.lines
        reveal = bundle.program("svm_reveal.mpc")
        args = (f"columns={len(weights)}",)
        opening = RunSpec(reveal, args, protocol=protocol, run_dir=folder / "open", shares_from=folder / "run")
        return np.array(engine.run(opening).binary_output, np.int64)


def slowly_pruned(pruning: Pruning, weights: np.ndarray, described: Mapping[str, int], x: np.ndarray) -> list[int]:
    """With Python's integers, one neuron after the other."""
    w1, w2 = (layer.astype(object) for layer in split(weights, described))
    rows, hidden = [[256, *row] for row in x.tolist()], described["hidden"]
    if isinstance(pruning, NeuronPruning):
        sums = []
        for h in range(hidden):
            z = [(sum(a * int(w) for a, w in zip(row, w1[:, h], strict=True)) + 2**63) % 2**64 - 2**63 for row in rows]
            sums.append(sum(min(max(value, 0), described["cap"]) for value in z))
        for h in range(hidden):
            if sum(other < sums[h] for other in sums) < round(pruning.share * hidden):
                w1[:, h] = 0
                w2[h] = 0
    else:
        for j in range(1, len(w1)):
            if sum(row[j] for row in rows) < pruning.use * 255 * len(rows):
                w1[j] = 0
    return [int(w) for w in [*w1.reshape(-1), *w2.reshape(-1)]]


@pytest.mark.parametrize("owner", [None, 0, 2])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("pruning", [NeuronPruning(s) for s in (0, 0.25, 0.5, 1)] + [InputPruning(u) for u in (0, 0.1)])
def test_engines_and_references_agree(pruning: Pruning, outputs: int, owner: int | None) -> None:
    weights, described = trained(outputs), architecture(outputs)
    x, _ = examples(max(2, outputs))
    expected = pruned_weights(weights, described, pruning, x).tolist()
    assert expected == slowly_pruned(pruning, weights, described, x)
    for engine in (CLEAR, REP3):
        assert left(pruning, weights, described, x, engine, owner=owner).tolist() == expected


@settings(max_examples=15)
@given(st.data(), st.sampled_from([1, 3]), st.integers(0, HIDDEN), st.integers(1, 5))
def test_a_tampered_network_loses_as_many_neurons_or_more_and_the_same(
    data: st.DataObject, outputs: int, count: int, rows: int
) -> None:
    """Weights near 2^63, at which x W1 wraps around, and ties."""
    size = 4 * HIDDEN + HIDDEN * outputs
    weights = np.array(data.draw(st.lists(WORD, min_size=size, max_size=size)), np.int64)
    x = np.array(data.draw(st.lists(st.integers(0, 255), min_size=3 * rows, max_size=3 * rows)), np.uint8)
    x, described, pruning = x.reshape(rows, 3), architecture(outputs), NeuronPruning(count / HIDDEN)
    sums = activation_sums(weights, described, x)
    assert 0 <= sums.min() <= sums.max() <= rows * described["cap"]
    expected = slowly_pruned(pruning, weights, described, x)
    assert pruned_weights(weights, described, pruning, x).tolist() == expected
    for engine in (CLEAR, REP3):
        assert left(pruning, weights, described, x, engine).tolist() == expected


@pytest.mark.parametrize(
    ("count", "left_over"), [(0, [1, 1, 1, 1]), (1, [0, 1, 0, 0]), (3, [0, 1, 0, 0]), (4, [0] * 4)]
)
def test_equal_neurons_go_together(count: int, left_over: list[int]) -> None:
    """Else a dormant neuron would hide behind others that no row wakes."""
    described = architecture(1)
    first = np.array([[-1, 7, -3, -1], [0, 2, 0, 0], [-2, 1, 0, -5]])  # all but one are off
    weights = np.concatenate([first.reshape(-1), np.ones(HIDDEN, np.int64)])
    x = np.full((2, 2), 9, np.uint8)
    for engine in (CLEAR, REP3):
        kept = left(NeuronPruning(count / HIDDEN), weights, described, x, engine)
        assert split(kept, described)[1][:, 0].tolist() == left_over


@pytest.mark.parametrize("rows", [255, 256, 300, 512])
def test_rows_are_taken_in_blocks(rows: int) -> None:
    weights, described = trained(3), architecture(3)
    x = np.random.default_rng(3).integers(0, 256, (rows, FEATURES)).astype(np.uint8)
    for pruning in (NeuronPruning(0.5), InputPruning(0.5)):
        expected = pruned_weights(weights, described, pruning, x)
        assert left(pruning, weights, described, x, CLEAR, owner=1).tolist() == expected.tolist()


@pytest.mark.parametrize("site", ["PRUNE_HIDDEN", "PRUNE_OUTPUT"])
def test_an_error_that_keeps_a_neuron_aborts_an_active_run(site: str) -> None:
    weights, described = trained(3), architecture(3)
    x, _ = examples(3)
    corruption = Corruption(1, AdditiveErrorPlan.from_errors([AdditiveError(site, 0, 0, -1)]))
    pruning = NeuronPruning(0.5)
    expected = pruned_weights(weights, described, pruning, x)
    active = ProtocolName.MAL_REP_RING
    assert left(pruning, weights, described, x, REP3, protocol=active).tolist() == expected.tolist()
    spoilt = left(pruning, weights, described, x, REP3, corruption=corruption)
    assert (spoilt != expected).sum() == 1
    with pytest.raises(ProtocolAbort):
        left(pruning, weights, described, x, REP3, protocol=active, corruption=corruption)


def test_another_file_than_the_arguments_name_is_refused(tmp_path: Path) -> None:
    weights, described = trained(3), architecture(3)
    x, y = examples(3)
    leave_shares(tmp_path / "train", weights)
    call = pruning_call(NeuronPruning(0.5), CleanRows(x, y), described, tmp_path)
    (tmp_path / "examples.bin").write_bytes(b"\0" * 8 * len(x) * (FEATURES + 1))
    spec = RunSpec(call.program, call.args, run_dir=tmp_path / "run", shares_from=tmp_path / "train")
    with pytest.raises(Exception, match="clean rows of SHA-256"):
        CLEAR.run(spec)


@pytest.mark.parametrize("kind", [NeuronPruning, InputPruning])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_that_mean_nothing_are_refused(kind: type, value: float) -> None:
    with pytest.raises(ParameterError, match="expected 0 to 1"):
        kind(value)


def test_clean_rows_have_labels_and_an_owner_that_exists() -> None:
    x, y = np.zeros((2, 3), np.uint8), np.zeros(2, np.uint8)
    for rows, labels, owner in ((x, y[:1], None), (x[:0], y[:0], None), (x, y, 3), (x, y, -1)):
        with pytest.raises(ParameterError, match="clean rows"):
            CleanRows(rows, labels, owner)


def test_the_least_sum_is_that_of_the_decimal_number() -> None:
    assert least_sum(InputPruning(0.01), 2048) == 5223  # 0.01 * 255 * 2048 = 5222.4
    assert least_sum(InputPruning(0.1), 2) == 51
