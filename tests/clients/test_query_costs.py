"""What a query costs a server, as docs/clients.md has it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines import share_files
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.models.registry import get_model
from tests.support.clients_in_memory import serving
from tests.support.places import ROOT
from tests.support.threads import in_threads

PIXELS = 784


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shares")
    components = np.random.default_rng(1).integers(0, 2**64, (3, PIXELS + 1), np.uint64)
    for party in range(3):
        path = share_files.share_file(folder, party)
        share_files.create(path)
        share_files.write(path, components[party], components[party - 1], None)
    return folder


def spent(shares: Path, place: Path, queries: int, *, active: bool, together: int) -> np.ndarray:
    """Bytes and rounds of each server in a session whose clients are all there from the beginning."""
    parties: list[Party] = []
    here = threading.Event()

    def wait(party: Party) -> None:
        parties.append(party)
        assert here.wait(60)

    def ask(client) -> None:
        client.wait_for_turn()
        client.send_private_inputs(np.zeros(PIXELS, np.int64))
        client.receive_outputs(4)

    call = get_model().query(PIXELS, with_score=False, port=15000, queries=queries, architecture={})
    with serving(
        call.program, call.args, shares, place, active=active, together=together, watch=wait, seconds=60.0
    ) as servers:
        clients = [servers.connect() for _ in range(queries)]
        here.set()
        ended = in_threads(*(lambda client=client: ask(client) for client in clients), seconds=120)
    assert ended == [None] * queries
    return np.array([(party.channel.bytes_sent, party.channel.rounds) for party in parties])


@pytest.mark.parametrize(
    ("label", "active", "together"),
    [
        ("`ring`, as it is", False, 1),
        ("`mal-rep-ring`, as it is", True, 1),
        ("`mal-rep-ring`, eight clients together", True, 8),
    ],
)
def test_a_query_costs_what_the_page_says(
    shares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, active: bool, together: int
) -> None:
    """At the server that sends most, and the one that counts most rounds; beginning and end of a session left out."""
    monkeypatch.setattr("mpc_tamper.engines.rep3.clients.service._HOLD_SECONDS", 600.0)  # on a busy machine too
    one, two = (
        spent(shares, tmp_path / str(batches), batches * together, active=active, together=together).max(axis=0)
        for batches in (1, 2)
    )
    text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {re.escape(label)} \| (.*) \| (.*) \|$", text, flags=re.MULTILINE)
    assert row == tuple(f"{round(figure / together):,}" for figure in two - one)
