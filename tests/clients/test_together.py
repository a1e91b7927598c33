"""One proof for the answers of several clients that are there at the same time; nobody waits for who is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.clients.serve import serve
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.clients.client import Client
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.workflows.training import train
from tests.support.clients_in_memory import serving
from tests.support.in_memory import InMemoryRep3

QUERY = bundle.program("svm_query.mpc")


def query_arguments(queries: int) -> tuple[str, ...]:
    return ("columns=17", "answer=score", "port=15000", f"queries={queries}")


def share(client: Client, image: np.ndarray) -> None:
    client.wait_for_turn()
    client.send_private_inputs(image.astype(np.int64))


def test_waiting_clients_get_one_proof(tiny_task: Task, tmp_path: Path, run_dir: Path) -> None:
    """Four clients, three at most together: two proofs, and each its own answer."""
    model = train(tiny_task, SvmParameters(iterations=5), engine=InMemoryRep3(), run_dir=tmp_path / "train").open()
    images, parties = tiny_task.x_test[:4], list[Party]()
    arguments = query_arguments(4)
    shares = tmp_path / "train"
    with serving(QUERY, arguments, shares, run_dir, active=True, together=3, watch=parties.append) as servers:
        clients = [servers.connect() for _ in images]
        for client, image in zip(clients, images, strict=True):
            share(client, image)
        answers = [client.receive_outputs(4).tolist() for client in clients]
    expected = scores(model.weights, images).tolist()
    assert answers == [[int(score > 0), 1, score, 1] for score in expected]
    assert parties[0].recorder.batches is not None
    assert parties[0].recorder.batches < 4


def test_a_client_alone_is_answered_at_once(tiny_task: Task, tmp_path: Path, run_dir: Path) -> None:
    train(tiny_task, SvmParameters(iterations=5), engine=InMemoryRep3(), run_dir=tmp_path / "train")
    with serving(QUERY, query_arguments(2), tmp_path / "train", run_dir, active=True, together=8) as servers:
        for image in tiny_task.x_test[:2]:
            client = servers.connect()
            share(client, image)
            assert client.receive_outputs(4)[3] == 1  # before the next one has come


def test_a_client_that_is_asked_again_gets_its_answer_first(tmp_path: Path, run_dir: Path) -> None:
    program = tmp_path / "twice.mpc"
    program.write_text(
        "listen_for_clients(15000)\n"
        "c = accept_client_connection(15000)\n"
        "x = sint.receive_from_client(1, c)[0]\n"
        "sint.reveal_to_clients([c], [x * x])\n"
        "y = sint.receive_from_client(1, c)[0]\n"
        "sint.reveal_to_clients([c], [x * y])\n"
    )
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    with serving(program, (), tmp_path / "none", run_dir, active=True, together=8) as servers:
        client = servers.connect()
        share(client, np.array([7]))
        assert client.receive_outputs(1).tolist() == [49]
        client.send_private_inputs(np.array([-3]))
        assert client.receive_outputs(1).tolist() == [-21]  # at the end of the program


@pytest.mark.parametrize(("engine", "together"), [(EngineName.REP3, 0), (EngineName.REP3, 65), (EngineName.MP_SPDZ, 2)])
def test_numbers_that_an_engine_does_not_have_are_refused(tmp_path: Path, engine: EngineName, together: int) -> None:
    with pytest.raises(ParameterError, match="answers together"):
        serve(tmp_path, engine=get_engine(engine), run_dir=tmp_path / "run", port_base=15000, together=together)
