"""Clients outside the servers: what they get, what a server sees, what the language says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.clients.query import answer as answered
from mpc_tamper.clients.serve import sessions
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import (
    EngineUnavailable,
    OpeningError,
    PartyError,
    PeerLost,
    ProgramError,
    UsageError,
)
from mpc_tamper.datasets import Task
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.clients import wire
from mpc_tamper.engines.rep3.clients.client import share
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.service import ClientService
from mpc_tamper.engines.rep3.clients.wire import Code
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.training import TrainedModel, train_and_open
from tests.support.clients_in_memory import serving
from tests.support.in_memory import InMemoryRep3

QUERY = bundle.program("svm_query.mpc")


@pytest.fixture(scope="module")
def model(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, Path]:
    """A trained model and the folder of its shares."""
    folder = tmp_path_factory.mktemp("model")
    return train_and_open(
        tiny_task, SvmParameters(iterations=5), engine=InMemoryRep3(), run_dir=folder / "train"
    ), folder / "train"


def query_arguments(queries: int, answer: str = "score") -> tuple[str, ...]:
    return ("columns=17", f"answer={answer}", "port=15000", f"queries={queries}")


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("answer", ["class", "score"])
def test_answers_are_those_of_the_opened_model(
    model: tuple[TrainedModel, Path], tiny_task: Task, run_dir: Path, active: bool, answer: str
) -> None:
    trained, shares = model
    images = np.concatenate([tiny_task.x_train, tiny_task.x_test])[:20]
    with serving(QUERY, query_arguments(20, answer), shares, run_dir, active=active) as servers:
        for image, score in zip(images, scores(trained.weights, images).tolist(), strict=True):
            client = servers.connect()
            client.wait_for_turn()
            client.send_private_inputs(image.astype(np.int64))
            expected = [int(score > 0), 1, score, 1] if answer == "score" else [int(score > 0), 0, 0, 1]
            assert client.receive_outputs(4).tolist() == expected
            client.close()


# What a client can send in place of a pixel: the neighbours of what is right, the ends of what 64 bits hold, the powers
# of two with which each answer would tell one bit of a weight.
NO_PIXELS = [-1, 256, -256, 257, 2**63 - 1, -(2**63), -(2**63) + 255, -(2**63) + 256, 2**62, -(2**62), 2**32]
NO_PIXELS += [-(2 ** (63 - bit)) for bit in range(0, 55, 6)]


@pytest.mark.parametrize("answer", ["class", "score"])
def test_what_is_no_pixel_gets_no_answer(model: tuple[TrainedModel, Path], run_dir: Path, answer: str) -> None:
    """Nothing about the weights comes back: class and score are 0 whatever they are."""
    place = np.random.default_rng(3)
    images = []
    for value in NO_PIXELS:
        image = place.integers(0, 256, 16)
        image[place.integers(16)] = value
        images.append(image)
    images.append(np.full(16, -1))  # each of them out of range
    with serving(QUERY, query_arguments(len(images) + 1, answer), model[1], run_dir) as servers:
        for image in images:
            client = servers.connect()
            client.wait_for_turn()
            client.send_private_inputs(image)
            outputs = client.receive_outputs(4)
            assert outputs.tolist() == [0, int(answer == "score"), 0, 0], image
            with pytest.raises(OpeningError, match="something else than pixels"):
                answered(outputs)
            client.close()
        client = servers.connect()
        client.wait_for_turn()
        client.send_private_inputs(np.repeat([0, 255], 8))
        assert answered(client.receive_outputs(4)).size == 3


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
def test_nothing_is_computed_or_answered_for_a_client_that_a_server_loses(
    model: tuple[TrainedModel, Path], tiny_task: Task, run_dir: Path, active: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One corrupt server is enough to lose it; the service goes on with the next one."""
    trained, shares = model
    settle = ClientService._settle

    def lie(self: ClientService, client: int, connection: ClientConnection, vote: str, reply: str, code: Code) -> bool:
        lost = self._party.party_id == 2 and client == 0
        return settle(self, client, connection, vote, reply, Code.LOST if lost else code)

    monkeypatch.setattr(ClientService, "_settle", lie)
    parties: list[Party] = []
    image = tiny_task.x_train[0]
    with serving(QUERY, query_arguments(2), shares, run_dir, active=active, watch=parties.append) as servers:
        client = servers.connect()
        client.wait_for_turn()
        with pytest.raises(PeerLost, match="did not all get"):
            client.send_private_inputs(image.astype(np.int64))
        with pytest.raises(PartyError):
            client.receive_outputs(4)
        second = servers.connect()
        second.wait_for_turn()
        assert [party.steps.records for party in parties] == [[], [], []]
        second.send_private_inputs(image.astype(np.int64))
        assert second.receive_outputs(4)[2] == scores(trained.weights, image[None]).tolist()[0]
    assert all(len(party.steps.records) == 4 for party in parties)
    assert [party.recorder.batches for party in parties] == [1 if active else None] * 3


def test_several_clients_and_vectors(run_dir: Path, tmp_path: Path) -> None:
    """Two clients at once; two vectors of three elements interleaved, as MP-SPDZ's clients send them."""
    program = tmp_path / "two.mpc"
    program.write_text(
        "listen_for_clients(15000)\n"
        "a = accept_client_connection(15000)\n"
        "b = accept_client_connection(15000)\n"
        "x, y = sint.receive_from_client(2, a, size=3)\n"
        "z = sint.receive_from_client(1, b, size=3)[0]\n"
        "sint.reveal_to_clients([a, b], [x + z, y * z])\n"
        "sint.reveal_to_clients([b], [x.sum()])\n"
    )
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    with serving(program, (), tmp_path / "none", run_dir) as servers:
        first = servers.connect()
        first.wait_for_turn()
        second = servers.connect()
        second.wait_for_turn()
        first.send_private_inputs(np.array([1, -10, 2, -20, 3, -30]))
        second.send_private_inputs(np.array([100, 200, 300]))
        assert first.receive_outputs(6).tolist() == [101, -1000, 202, -4000, 303, -9000]
        assert second.receive_outputs(6).tolist() == [101, -1000, 202, -4000, 303, -9000]
        assert second.receive_outputs(1).tolist() == [6]


def test_shares_add_up_and_each_server_sees_uniform_bits() -> None:
    """2^16 copies of one value: the bits of what a server gets are balanced, alone and in pairs, and do not tell the
    value. Bounds are six standard deviations."""
    count = 1 << 16
    values = np.full(count, -3, dtype=np.int64)
    components = share(values)
    np.testing.assert_array_equal((components[0] + components[1] + components[2]).view(np.int64), values)
    limit = 6 * np.sqrt(count) / 2
    for server in range(3):
        own, previous = components[server], components[server - 1]
        bits = [(part[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1) for part in (own, previous)]
        for ones in (bits[0].sum(axis=0), bits[1].sum(axis=0), (bits[0] ^ bits[1]).sum(axis=0)):
            assert np.abs(ones.astype(np.int64) - count // 2).max() < limit
        both = (own + previous)[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
        assert np.abs(both.sum(axis=0).astype(np.int64) - count // 2).max() < limit


def test_what_servers_receive_is_uniform(run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on the wire, and nothing else of the client's reaches a server: a chi-squared test over bytes."""
    seen: list[bytes] = []
    receive = ClientConnection.receive

    def spy(self: ClientConnection, tag: str, size: int) -> bytearray:
        data = receive(self, tag, size)
        if tag == wire.INPUT:
            seen.append(bytes(data))
        return data

    monkeypatch.setattr(ClientConnection, "receive", spy)
    program = tmp_path / "take.mpc"
    program.write_text(
        "listen_for_clients(15000)\n"
        "c = accept_client_connection(15000)\n"
        "x = sint.receive_from_client(1, c, size=8192)\n"
    )
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    with serving(program, (), tmp_path / "none", run_dir) as servers:
        client = servers.connect()
        client.wait_for_turn()
        client.send_private_inputs(np.full(8192, 255, dtype=np.int64))
    assert len(seen) == 3
    for message in seen:
        counts = np.bincount(np.frombuffer(message, np.uint8), minlength=256)
        expected = len(message) / 256
        assert ((counts - expected) ** 2 / expected).sum() < 255 + 6 * np.sqrt(2 * 255)


def test_shares_are_fresh() -> None:
    first, second = share(np.zeros(4, np.int64)), share(np.zeros(4, np.int64))
    assert not np.array_equal(first[0], second[0])
    with pytest.raises(UsageError, match="64-bit integers"):
        share(np.zeros(4))


def test_the_clear_engine_refuses_clients(tmp_path: Path, run_dir: Path) -> None:
    program = tmp_path / "listens.mpc"
    program.write_text("listen_for_clients(15000)\n")
    with pytest.raises(EngineUnavailable, match="rep3 or mp-spdz"):
        ClearEngine().run(RunSpec(program, run_dir=run_dir))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("accept_client_connection(15000)", "listen_for_clients"),
        ("listen_for_clients(0)", "port base from 1"),
        ("listen_for_clients(15000)\nlisten_for_clients(15001)", "one listen_for_clients"),
        ("listen_for_clients(15000)\naccept_client_connection(15001)", "expected port 15000"),
        ("listen_for_clients(15000)\naccept_client_connection(15000, [0])", "some of the servers"),
        ("listen_for_clients(15000)\nsint.receive_from_client(1, 0)", "accept_client_connection"),
        ("listen_for_clients(15000)\nsint.reveal_to_clients([0], [sint(0), sint(0, size=2)])", "equal size"),
    ],
)
def test_programs_at_fault(source: str, message: str, tmp_path: Path, run_dir: Path) -> None:
    program = tmp_path / "wrong.mpc"
    program.write_text(source)
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    with pytest.raises(ProgramError, match=message), serving(program, (), tmp_path / "none", run_dir):
        pass


def test_sessions_are_of_one_length_under_both_protocols() -> None:
    sizes = get_engine(EngineName.REP3).capabilities.queries
    for protocol in (ProtocolName.RING, ProtocolName.MAL_REP_RING):
        assert list(sessions(25_000, sizes[protocol])) == [(0, 10_000), (1, 10_000), (2, 5_000)]
        assert list(sessions(250, sizes[protocol])) == [(0, 250)]
        endless = sessions(None, sizes[protocol])
        assert [next(endless) for _ in range(3)] == [(0, 10_000), (1, 10_000), (2, 10_000)]


def test_the_soundness_error_of_a_session_does_not_grow_with_its_answers(
    model: tuple[TrainedModel, Path], run_dir: Path
) -> None:
    parties = []
    errors = []
    with serving(QUERY, query_arguments(4), model[1], run_dir, active=True, watch=parties.append) as servers:
        for _ in range(4):
            client = servers.connect()
            client.wait_for_turn()
            client.send_private_inputs(np.zeros(16, np.int64))
            client.receive_outputs(4)
            errors.append(parties[0].recorder.soundness_error)
    assert parties[0].recorder.batches == 4
    assert errors == [errors[0]] * 4
    assert 2.0**-46 < errors[0] < 2.0**-45
