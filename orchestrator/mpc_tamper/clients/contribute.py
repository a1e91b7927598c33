"""Training rows from clients outside the servers: what the servers hand out, and a client's side of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.clients.handout import write_hand_out
from mpc_tamper.core.errors import DataError, EngineUnavailable, UsageError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.tables.schema import Schema
from mpc_tamper.engines.base import ClientConnection, Engine
from mpc_tamper.engines.certificates import certificate_file
from mpc_tamper.engines.hosts import Addresses
from mpc_tamper.models.base import Model
from mpc_tamper.models.registry import get_model
from mpc_tamper.records.folders import INVITATION
from mpc_tamper.runs.owners import ClientRows
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import ClientAccess

TRAINING = "training.json"
_ROWS_AT_A_TIME = 100  # as svm_train.mpc and mlp_train.mpc receive them
_END = np.ones(1, np.int64)  # the marker after the rows


@dataclass(frozen=True)
class Invitation:
    """What clients are told in public. features: of a row.  classes: how many.  rows: of each client, in order.

    parameters: the model's, as JSON has them; each client checks its own rows against their public bounds.
    """

    model: str
    features: int
    classes: int
    rows: tuple[int, ...]
    parameters: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Invitation:
        """Raises UsageError."""
        fields = INVITATION.read(path)
        return cls(fields["model"], fields["features"], fields["classes"], tuple(fields["rows"]), fields["parameters"])


def invite(
    clients: ClientRows,
    features: int,
    model: Model,
    parameters: Any,
    engine: Engine,
    run_dir: Path,
    classes: int = 2,
    progress: Progress = silent,
    schema: Schema | None = None,
) -> ClientAccess:
    """Write the folder run_dir/clients for the clients, before the servers start. Raises EngineUnavailable.

    schema: of a table, by which each client encodes its own file.
    """
    if not engine.capabilities.client_rows:
        raise EngineUnavailable(f"expected engine rep3 for rows of clients, got {engine.name}; use --engine rep3")
    invitation = Invitation(model.name, features, classes, clients.row_counts, asdict(parameters))
    description = INVITATION.text(asdict(invitation), TRAINING, indent=1)
    identities, folder = write_hand_out(run_dir, clients.port_base, TRAINING, description, schema, engine.host)
    counts = ", ".join(f"{count:,}" for count in clients.row_counts)
    progress(f"certificates and addresses for clients are in {folder}")
    progress(
        f"waiting on ports {clients.port_base} to {clients.port_base + PARTIES - 1} for {len(clients.row_counts)} "
        f"clients, with rows in this order: {counts}"
    )
    return ClientAccess(identities, clients.known)


def contribute(
    x: np.ndarray,
    y: np.ndarray,
    addresses: Addresses,
    certificates: Path,
    *,
    engine: Engine,
    key: Path | None = None,
    certificate: Path | None = None,
    timeout_seconds: float = 600.0,
    progress: Progress = silent,
) -> None:
    """Share rows and labels, as the model takes them, among three servers that train on clients' rows, and return.

    x: (m, n) uint8.  y: (m,) labels from 0.  certificates: the servers' folder clients/.
    key, certificate: the client's own; both None to be anonymous.  timeout_seconds: to connect, and for each message:
    the first one comes when it is this client's turn.

    Raises DataError, ParameterError or UsageError for rows that the servers do not expect, before any connection, and
    PartyErrors.
    """
    from mpc_tamper.engines.base import Credentials

    invitation = Invitation.read(certificates / TRAINING)
    parameters = _check(x, y, invitation)
    model = get_model(invitation.model)
    first, second, third = (certificate_file(certificates, i) for i in range(PARTIES))
    progress("waiting for the servers")
    credentials = Credentials((first, second, third), key, certificate)
    client = engine.connect(addresses, credentials, timeout_seconds=timeout_seconds)
    try:
        order = model.client_order(len(x), _announce(client, len(x)), parameters)
        for base in range(0, len(x), _ROWS_AT_A_TIME):
            part = order[base : base + _ROWS_AT_A_TIME]
            client.send_private_inputs(model.client_block(x[part], y[part], invitation.classes))
            progress(f"sharing {len(x):,} rows", min(base + _ROWS_AT_A_TIME, len(x)) / len(x))
        client.send_private_inputs(_END)
    finally:
        client.close()


def _announce(client: ClientConnection, rows: int) -> int:
    """Say how many rows come; returns the client's number.

    Raises UsageError where the servers wait for another number now; they go on waiting.
    """
    client.send_public_inputs(np.array([rows]))
    number, wanted = client.receive_public_outputs(2).tolist()
    if wanted != rows:
        raise UsageError(
            f"expected {wanted} rows from client {number}, got {rows}: it is the turn of a client with {wanted}, and "
            "nothing was sent. Contribute that many (--rows), or try again when that client has contributed"
        )
    return int(number)


def _check(x: np.ndarray, y: np.ndarray, invitation: Invitation) -> Any:
    """The model's parameters."""
    if x.ndim != 2 or len(x) != len(y) or x.shape[1] != invitation.features:
        raise DataError(
            f"expected images of {invitation.features} pixels, or rows of as many features, with a label each, got an "
            f"array of shape {x.shape} and {len(y)} labels; choose the data that the servers train on"
        )
    if len(x) not in invitation.rows:
        raise UsageError(
            f"expected {' or '.join(map(str, sorted(set(invitation.rows))))} rows, as the servers do, got {len(x)}; "
            "choose that many with --rows"
        )
    model = get_model(invitation.model)
    try:
        parameters = model.parameters(**invitation.parameters)
    except TypeError as exc:
        raise UsageError(
            f"expected the parameters of a {model.title} in the servers' invitation, got others: {exc}; get their "
            "folder clients/ again"
        ) from exc
    model.check_rows(x, parameters)
    _check_labels(y, invitation.classes)
    return parameters


def _check_labels(y: np.ndarray, classes: int) -> None:
    if y.ndim != 1 or y.dtype.kind not in "ui" or int(y.max(initial=0)) >= classes or int(y.min(initial=0)) < 0:
        raise DataError(
            f"expected labels from 0 to {classes - 1}, as the servers train on {classes} classes, got others; choose "
            "the data that the servers train on"
        )
