"""Training rows from clients outside the servers: what the servers hand out, and a client's side of it, on rep3."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mpc_tamper.clients.serving import write_hand_out
from mpc_tamper.core.errors import DataError, EngineUnavailable, UsageError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.hosts import Addresses
from mpc_tamper.engines.rep3.transport.certificates import certificate_file
from mpc_tamper.models.encoding import check_row_norm, integer_rows, signs
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.owners import ClientRows
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import PARTIES, ClientAccess

TRAINING = "training.json"
_ROWS_AT_A_TIME = 100  # as svm_train.mpc receives them
_END = np.ones(1, np.int64)  # the marker after the rows


@dataclass(frozen=True)
class Invitation:
    """What clients are told in public. columns: weights of the model.  rows: of each client, in order.

    max_row_norm: see SvmParameters; each client checks its own rows.
    """

    columns: int
    rows: tuple[int, ...]
    max_row_norm: float | None

    @classmethod
    def read(cls, path: Path) -> Invitation:
        """Raises UsageError."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            norm = fields["max_row_norm"]
            rows = tuple(int(count) for count in fields["rows"])
            return cls(int(fields["columns"]), rows, None if norm is None else float(norm))
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f"{path}: expected the description of a training: {exc!r}; get the servers' folder clients/ again"
            ) from exc


def invite(
    clients: ClientRows, columns: int, parameters: SvmParameters, engine: Engine, run_dir: Path, progress: Progress
) -> ClientAccess:
    """Write the folder run_dir/clients for the clients, before the servers start. Raises EngineUnavailable."""
    if engine.name is not EngineName.REP3:
        raise EngineUnavailable(f"expected engine rep3 for rows of clients, got {engine.name}; use --engine rep3")
    invitation = Invitation(columns, clients.rows, parameters.max_row_norm)
    identities, folder = write_hand_out(run_dir, clients.port_base, TRAINING, asdict(invitation))
    counts = ", ".join(f"{count:,}" for count in clients.rows)
    progress(f"certificates and addresses for clients are in {folder}")
    progress(
        f"waiting on ports {clients.port_base} to {clients.port_base + PARTIES - 1} for {len(clients.rows)} clients, "
        f"with rows in this order: {counts}"
    )
    return ClientAccess(identities, clients.known)


def contribute(
    x: np.ndarray,
    y: np.ndarray,
    addresses: Addresses,
    certificates: Path,
    *,
    key: Path | None = None,
    certificate: Path | None = None,
    timeout_seconds: float = 600.0,
    progress: Progress = silent,
) -> None:
    """Multiply rows by their labels, share them among three servers that train on clients' rows, and return.

    x: (m, n) uint8.  y: (m,) labels 0 and 1.  certificates: the servers' folder clients/.
    key, certificate: the client's own; both None to be anonymous.  timeout_seconds: to connect, and for each message:
    the first one comes when it is this client's turn.

    Raises DataError, ParameterError or UsageError for rows that the servers do not expect, before any connection, and
    PartyErrors.
    """
    from mpc_tamper.engines.rep3.clients.client import Credentials, connect

    invitation = Invitation.read(certificates / TRAINING)
    _check(x, y, invitation)
    sign = signs(y)
    first, second, third = (certificate_file(certificates, i) for i in range(PARTIES))
    progress("waiting for the servers")
    client = connect(addresses, Credentials((first, second, third), key, certificate), timeout_seconds=timeout_seconds)
    try:
        for base in range(0, len(x), _ROWS_AT_A_TIME):
            part = slice(base, base + _ROWS_AT_A_TIME)
            client.send_private_inputs((integer_rows(x[part]) * sign[part, None]).reshape(-1))
            progress(f"sharing {len(x):,} rows", min(base + _ROWS_AT_A_TIME, len(x)) / len(x))
        client.send_private_inputs(_END)
    finally:
        client.close()


def _check(x: np.ndarray, y: np.ndarray, invitation: Invitation) -> None:
    if x.ndim != 2 or len(x) != len(y) or x.shape[1] != invitation.columns - 1:
        raise DataError(
            f"expected images of {invitation.columns - 1} pixels with a label each, got an array of shape {x.shape} "
            f"and {len(y)} labels; choose the data that the servers train on"
        )
    if len(x) not in invitation.rows:
        raise UsageError(
            f"expected {' or '.join(map(str, sorted(set(invitation.rows))))} rows, as the servers do, got {len(x)}; "
            "choose that many with --rows"
        )
    check_row_norm(x, SvmParameters(max_row_norm=invitation.max_row_norm))
