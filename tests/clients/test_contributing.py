"""Training on rows of clients outside the servers, with real servers: the same model, or none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc_tamper.api import train
from mpc_tamper.clients.contribute import TRAINING, contribute
from mpc_tamper.core.errors import (
    DataError,
    EngineUnavailable,
    ParameterError,
    PartyError,
    ProgramError,
    ProtocolAbort,
    TamperError,
    UsageError,
)
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import certificate_file
from mpc_tamper.engines.hosts import read_hosts
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.clients.client import Client, connect
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import DEFAULT
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.workflows.training import TrainedModel
from tests.support.digits import stripes
from tests.support.ports import free_ports

PARAMETERS = SvmParameters(learning_rate=0.05, regularisation=1e-2, iterations=4, batch_size=20)


def train_on(
    task: Task,
    rows: tuple[int, ...],
    place: Path,
    bring: Callable[[Path], None],
    protocol: str = "ring",
    parameters: Any = PARAMETERS,
    model: str = DEFAULT,
) -> TrainedModel:
    """Servers, and clients that get the folder that the servers hand out."""
    clients = ClientRows(rows, free_ports())
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            train,
            task,
            parameters,
            model=model,
            engine=get_engine(EngineName.REP3),
            owners=clients,
            protocol=ProtocolName(protocol),
            run_dir=place,
        )
        deadline = time.monotonic() + 120
        while not (place / "clients" / TRAINING).exists() and time.monotonic() < deadline and not running.done():
            time.sleep(0.05)
        try:
            bring(place / "clients")
        except BaseException:
            if not running.done():  # a client that vanishes ends the servers, which would wait for another one
                raw_client(place / "clients").close()
            raise
        return running.result(120).open(insecure_rows_of_clients=True)


def give(folder: Path, x: np.ndarray, y: np.ndarray) -> None:
    contribute(x, y, read_hosts(folder / "HOSTS"), folder, engine=get_engine(EngineName.REP3), timeout_seconds=120.0)


@pytest.mark.parametrize("protocol", ["ring", "mal-rep-ring"])
def test_rows_of_two_clients_train_to_the_same_weights(tiny_task: Task, run_dir: Path, protocol: str) -> None:
    """And of a client with more rows than it sends at a time."""
    rng = np.random.default_rng(3)
    order = rng.integers(0, len(tiny_task.x_train), 130)
    x, y = tiny_task.x_train[order], tiny_task.y_train[order]
    all_rows = replace(tiny_task, x_train=x, y_train=y)
    expected = train(all_rows, PARAMETERS, engine=get_engine(EngineName.CLEAR), owners=Owners((130,))).open().weights

    def bring(folder: Path) -> None:
        give(folder, x[:120], y[:120])
        give(folder, x[120:], y[120:])

    model = train_on(tiny_task, (120, 10), run_dir, bring, protocol)  # the task's own training rows are not used
    assert np.array_equal(model.weights, expected)
    assert (model.record()["rows_from"], model.record()["rows_of_owners"]) == ("clients", [120, 10])


def raw_client(folder: Path) -> Client:
    first, second, third = (certificate_file(folder, i) for i in range(3))
    return connect(read_hosts(folder / "HOSTS"), Credentials((first, second, third)), timeout_seconds=120.0)


def announced(folder: Path, rows: int = 12) -> Client:
    client = raw_client(folder)
    client.send_public_inputs(np.array([rows]))
    assert client.receive_public_outputs(2).tolist() == [1, 12]
    return client


def sends_too_few(folder: Path) -> None:
    with pytest.raises(PartyError):
        announced(folder).send_private_inputs(np.zeros(12 * 17 - 1, np.int64))


def sends_too_many(folder: Path) -> None:
    with pytest.raises(PartyError):
        announced(folder).send_private_inputs(np.zeros(12 * 17 + 1, np.int64))


def vanishes_before_its_rows(folder: Path) -> None:
    announced(folder).close()


def says_nothing(folder: Path) -> None:
    raw_client(folder).close()


def vanishes_after_its_rows(folder: Path) -> None:
    client = announced(folder)
    client.send_private_inputs(np.zeros(12 * 17, np.int64))
    client.close()


def has_no_marker(folder: Path) -> None:
    client = announced(folder)
    client.send_private_inputs(np.zeros(12 * 17, np.int64))
    client.send_private_inputs(np.zeros(1, np.int64))
    client.close()


LOST = (ProtocolAbort, "values that client 1 shares")
FAULTS: list[tuple[Callable[[Path], None], tuple[type[TamperError], str]]] = [
    (sends_too_few, LOST),
    (sends_too_many, LOST),
    (says_nothing, LOST),
    (vanishes_before_its_rows, LOST),
    (vanishes_after_its_rows, LOST),
    (has_no_marker, (ProgramError, "crash")),
]


@pytest.mark.parametrize(("fault", "end"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_client_that_fails_ends_training(
    tiny_task: Task, run_dir: Path, fault: Callable[[Path], None], end: tuple[type[TamperError], str]
) -> None:
    """The second one, after another's good rows; no shares of a model are left."""

    def bring(folder: Path) -> None:
        give(folder, tiny_task.x_train[:12], tiny_task.y_train[:12])
        fault(folder)

    error, message = end
    with pytest.raises(error, match=message):
        train_on(tiny_task, (12, 12), run_dir, bring)
    assert run_dir.is_dir()
    assert not list(run_dir.rglob("Transactions-*"))


def test_a_client_with_another_number_of_rows_does_not_end_the_training_of_the_others(
    tiny_task: Task, run_dir: Path
) -> None:
    """It comes when another one's turn is, is told so, and comes again."""
    x, y = tiny_task.x_train, tiny_task.y_train

    def bring(folder: Path) -> None:
        with pytest.raises(UsageError, match="expected 20 rows from client 0, got 4"):
            give(folder, x[20:], y[20:])
        give(folder, x[:20], y[:20])
        with pytest.raises(UsageError, match="expected 4 rows from client 1, got 20"):
            give(folder, x[:20], y[:20])
        give(folder, x[20:], y[20:])

    model = train_on(tiny_task, (20, 4), run_dir, bring)
    expected = train(tiny_task, PARAMETERS, engine=get_engine(EngineName.CLEAR)).open().weights
    assert np.array_equal(model.weights, expected)


def invitation(features: int, rows: list[int], parameters: dict[str, object]) -> str:
    fields = {"model": "linear_svm", "features": features, "classes": 2, "rows": rows, "parameters": parameters}
    return json.dumps(fields)


def test_what_a_client_checks_before_it_connects(tiny_task: Task, tmp_path: Path) -> None:
    hosts = tmp_path / "HOSTS"
    hosts.write_text("127.0.0.1:15000\n127.0.0.1:15001\n127.0.0.1:15002\n")
    x, y = tiny_task.x_train, tiny_task.y_train
    cases: list[tuple[str, slice, type[TamperError], str]] = [
        ("{}", slice(0, 12), UsageError, "description of a training"),
        (
            invitation(17, [12], {"max_row_norm": None}),
            slice(0, 12),
            DataError,
            "images of 17 pixels, or rows of as many features",
        ),
        (invitation(16, [12, 3], {"max_row_norm": None}), slice(0, 11), UsageError, "3 or 12 rows.* got 11"),
        (invitation(16, [12], {"max_row_norm": 1.5}), slice(0, 12), ParameterError, "max_row_norm"),
        (invitation(16, [12], {"depth": 3}), slice(0, 12), UsageError, "the parameters of a linear SVM"),
    ]
    for text, part, error, message in cases:
        (tmp_path / TRAINING).write_text(text)
        with pytest.raises(error, match=message):
            contribute(x[part], y[part], read_hosts(hosts), tmp_path, engine=get_engine(EngineName.REP3))


def test_engines_without_clients_and_impossible_clients(tiny_task: Task, run_dir: Path) -> None:
    with pytest.raises(EngineUnavailable, match="expected engine rep3 for rows of clients"):
        train(
            tiny_task,
            PARAMETERS,
            engine=get_engine(EngineName.CLEAR),
            owners=ClientRows((60,), 15000),
            run_dir=run_dir,
        )
    for rows, port in (((), 15000), ((3, 0), 15000), ((3,), 80), ((3,), 65534)):
        with pytest.raises(ParameterError):
            ClientRows(rows, port)


def test_rows_of_clients_train_the_same_linear_model_of_three_classes(run_dir: Path) -> None:
    """At the default settings; a client whose rows go in two parts, and one of a single class."""
    task = stripes(3, rows=130)
    parameters = SvmParameters(iterations=3)
    expected = train(task, parameters, engine="clear", owners=Owners((110, 20))).open().weights

    def bring(folder: Path) -> None:
        give(folder, task.x_train[:110], task.y_train[:110])
        give(folder, task.x_train[110:], task.y_train[110:])

    model = train_on(task, (110, 20), run_dir, bring, parameters=parameters)
    assert np.array_equal(model.weights, expected)


@pytest.mark.parametrize("protocol", ["ring", "mal-rep-ring"])
def test_rows_of_clients_train_the_same_network(run_dir: Path, protocol: str) -> None:
    """Whose batches mix the rows of both, one of which sends them in two parts."""
    task = stripes(3, rows=130)
    parameters = MlpParameters(hidden=4, epochs=2, batch_size=32)
    expected = train(task, parameters, model="mlp", engine="clear", owners=Owners((110, 20))).open().weights

    def bring(folder: Path) -> None:
        give(folder, task.x_train[:110], task.y_train[:110])
        give(folder, task.x_train[110:], task.y_train[110:])

    model = train_on(task, (110, 20), run_dir, bring, protocol, parameters=parameters, model="mlp")
    assert np.array_equal(model.weights, expected)


def test_labels_that_the_servers_do_not_train_on(tiny_task: Task, tmp_path: Path) -> None:
    hosts = tmp_path / "HOSTS"
    hosts.write_text("127.0.0.1:15000\n127.0.0.1:15001\n127.0.0.1:15002\n")
    (tmp_path / TRAINING).write_text(invitation(16, [24], {}))
    labels = tiny_task.y_train + 1
    with pytest.raises(DataError, match="expected labels from 0 to 1"):
        contribute(tiny_task.x_train, labels, read_hosts(hosts), tmp_path, engine=get_engine(EngineName.REP3))
