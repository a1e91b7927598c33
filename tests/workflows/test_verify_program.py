"""svm_verify.mpc and handoff.mpc: exact counting, one opened bit, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ProgramCrash, ProgramError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.runs.spec import InputFiles, RunSpec
from tests.support.in_memory import InMemoryRep3
from tests.support.verify_program import VERIFY, X, Y, arguments, leave_shares

HANDOFF, REVEAL = bundle.program("handoff.mpc"), bundle.program("svm_reveal.mpc")
ENGINES = [ClearEngine(), InMemoryRep3()]
KINDS = ["public", "secret"]


def verdict(engine: Engine, folder: Path, kind: str, threshold: int) -> tuple[int, ...]:
    args, inputs = arguments(folder, kind, threshold)
    run_dir = folder / f"{engine.name}-{kind}-{threshold}"
    return engine.run(RunSpec(VERIFY, args, inputs=inputs, run_dir=run_dir, shares_from=folder / "train")).binary_output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(
    "weights",
    [(0, 0, 0), (-5, 1, -1), (1, 0, 0), (-1, 0, 0), (-256, 2**40, -(2**40)), (2**44, -(2**45), 2**45)],
    ids=str,
)
def test_the_count_is_exact_at_its_boundary(
    tmp_path: Path, engine: Engine, kind: str, weights: tuple[int, ...]
) -> None:
    """Scores of 0, which are class 0, and weights of any size that leaves margins within 64 bits, included."""
    leave_shares(tmp_path / "train", np.array(weights))
    right = int(((scores(np.array(weights), X) > 0) == (Y == 1)).sum())
    assert 0 < right < len(X)
    assert verdict(engine, tmp_path, kind, right) == (1,)
    assert verdict(engine, tmp_path, kind, right + 1) == (0,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("active", [False, True], ids=["ring", "mal-rep-ring"])
@pytest.mark.parametrize("pixels", [0, 1])
def test_nothing_is_opened_but_one_bit(tmp_path: Path, kind: str, active: bool, pixels: int) -> None:
    leave_shares(tmp_path / "train", np.array([-5, 1, -1]))
    args, inputs = arguments(tmp_path, kind, 4, pixels)
    program = load_program(VERIFY)

    def run(party: Party) -> list[tuple[int, str, bytes]]:
        received = party.channel.record_received()
        own_input = OwnerInput(party.party_id, inputs.get(party.party_id))
        run_program(program, args, Rep3Machine(party, own_input, tmp_path / "train", lambda text: None))
        return received

    for party, received in enumerate(run_in_threads(run, sites=dict(program.sites), active=active)):
        opened = [(sender, len(payload)) for sender, tag, payload in received if tag.endswith("open")]
        # one word, the missing component, from the next party; from the previous one the same word, or its hash
        assert sorted(opened) == sorted([((party + 1) % 3, 8), ((party - 1) % 3, 32 if active else 8)])


def test_other_public_examples_than_agreed_are_refused(tmp_path: Path) -> None:
    leave_shares(tmp_path / "train", np.array([-5, 1, -1]))
    args, _ = arguments(tmp_path, "public", 4)
    path = tmp_path / "public.bin"
    path.write_bytes(b"\1" + path.read_bytes()[1:])
    with pytest.raises(ProgramError, match="got another file"):
        ClearEngine().run(RunSpec(VERIFY, args, run_dir=tmp_path / "run", shares_from=tmp_path / "train"))


@pytest.mark.parametrize(
    "text",
    [
        "columns=3 rows=7 threshold=8 pixels=0 channels=1 owner=0",
        "columns=3 rows=7 threshold=0 pixels=0 channels=1 owner=0",
        "columns=3 rows=7 threshold=1 pixels=0 channels=1 owner=3",
        "columns=3 rows=7 threshold=1 pixels=0 channels=1",
        "columns=3 rows=7 threshold=1 pixels=0 channels=1 owner=0 file=x sha256=y",
        "columns=3 rows=-7 threshold=1 pixels=0 channels=1 owner=0",
        "columns=3 rows=7 rows=8 threshold=1 pixels=0 channels=1 owner=0",
        "columns=3 rows=7 threshold=1 channels=1 owner=0",
        "columns=3 rows=7 threshold=1 pixels=3 channels=1 owner=0",
        "columns=3 rows=7 threshold=1 pixels=2 channels=2 owner=0",
        "columns=3 rows=7 threshold=1 pixels=1 channels=3 owner=0",
        "columns=3 rows=7 threshold=1 pixels=1 channels=0 owner=0",
        "columns=16777217 rows=7 threshold=1 pixels=1 channels=1 owner=0",
    ],
)
def test_malformed_arguments_are_refused(tmp_path: Path, text: str) -> None:
    leave_shares(tmp_path / "train", np.array([-5, 1, -1]))
    with pytest.raises(ProgramError, match="svm_verify: expected"):
        ClearEngine().run(
            RunSpec(VERIFY, tuple(text.split()), run_dir=tmp_path / "run", shares_from=tmp_path / "train")
        )


def hand_over(tmp_path: Path, entered: np.ndarray) -> InMemoryRep3:
    """entered: (3, 2, n), what each party takes for its own and its previous component."""
    engine, inputs = InMemoryRep3(), {}
    for party in range(PARTIES):
        path = tmp_path / f"party-{party}.bin"
        path.write_bytes(entered[party].astype("<u8").tobytes())
        inputs[party] = InputFiles(binary=path)
    engine.run(RunSpec(HANDOFF, (f"columns={entered.shape[2]}",), inputs=inputs, run_dir=tmp_path / "handoff"))
    return engine


def held(components: np.ndarray) -> np.ndarray:
    return np.stack([[components[i], components[i - 1]] for i in range(PARTIES)])


def test_handoff_keeps_the_values(tmp_path: Path) -> None:
    components = np.random.default_rng(1).integers(0, 2**64, (3, 4), np.uint64)
    engine = hand_over(tmp_path, held(components))
    spec = RunSpec(REVEAL, ("columns=4",), run_dir=tmp_path / "open", shares_from=tmp_path / "handoff")
    assert engine.name is EngineName.REP3
    assert engine.run(spec).binary_output == tuple(components.sum(axis=0, dtype=np.uint64).view(np.int64).tolist())


@pytest.mark.parametrize("bit", [0, 63])
@pytest.mark.parametrize("component", range(2))
@pytest.mark.parametrize("liar", range(PARTIES))
def test_handoff_stops_at_a_difference(tmp_path: Path, liar: int, component: int, bit: int) -> None:
    entered = held(np.random.default_rng(1).integers(0, 2**64, (3, 4), np.uint64))
    entered[liar, component, 3] ^= np.uint64(1 << bit)
    with pytest.raises(ProgramCrash):
        hand_over(tmp_path, entered)
    assert not list((tmp_path / "handoff").glob("Persistence/*.data"))
