"""The recorder that each party has: one place chooses it, and the passive one costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper.engines.rep3 as rep3
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.share import public
from mpc_tamper.runs.protocols import ProtocolName

ROOM = Path(str(rep3.__file__)).parent
ACTIVE = f"{rep3.__name__}.protocol.active"
VALUES = np.arange(5, dtype=np.uint64)


def opened(party: Party) -> tuple[int | None, float | None, list[int]]:
    """What the recorder counts, and how long the two messages of an opening are: the next party's, the previous's."""
    received = party.channel.record_received()
    values = open_to_all(party, public(VALUES, party.party_id))
    assert np.array_equal(values, VALUES)
    sizes = {sender: len(payload) for sender, tag, payload in received if tag == "open"}
    channel = party.channel
    return party.recorder.batches, party.recorder.soundness_error, [sizes[channel.next], sizes[channel.previous]]


def test_the_recorder_says_how_the_second_copy_travels() -> None:
    assert run_in_threads(opened) == ((None, None, [40, 40]),) * 3
    assert run_in_threads(opened, active=True) == ((0, 0.0, [40, 32]),) * 3


def test_an_empty_opening() -> None:
    def program(party: Party) -> int:
        return open_to_all(party, public(VALUES[:0], party.party_id)).size

    for active in (False, True):
        assert run_in_threads(program, active=active) == (0, 0, 0)


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOM)))
def test_one_place_chooses_the_recorder(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    # An audit is of the active protocol alone.
    assert (ACTIVE in modules) == (path.name in ("selection.py", "tampering.py"))
    assert "party.active" not in ast.unparse(tree)


@pytest.mark.parametrize("protocol", [ProtocolName.RING, ProtocolName.MAL_REP_RING])
def test_a_passive_party_does_not_load_the_proofs(protocol: ProtocolName) -> None:
    code = f"""
import sys
import mpc_tamper.engines.rep3.party
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.transport.memory import memory_channels
from mpc_tamper.runs.protocols import ProtocolName
recorder_for(ProtocolName({str(protocol)!r}), memory_channels()[0], Prss(bytes(32), bytes(32)), b"session")
print(sorted(name for name in sys.modules if ".proof" in name)[:1])
"""
    path = {"PYTHONPATH": str(Path(str(rep3.__file__)).parents[3])}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path).stdout
    assert (shown.strip() == "[]") == (protocol == ProtocolName.RING)
