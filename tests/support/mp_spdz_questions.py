"""Questions about weights that a test chose, to a program on MP-SPDZ: one bit for the servers, answers for a client."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mpc_tamper.clients.handout import HOSTS, write_hand_out
from mpc_tamper.clients.query import ask
from mpc_tamper.clients.serve import NAMED_CLIENT
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.certificates import write_certificate
from mpc_tamper.engines.hosts import read_hosts
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import ClientAccess, RunSpec
from mpc_tamper.workflows.handoff import hand_off
from tests.support.ports import free_ports
from tests.support.threads import in_threads
from tests.support.verify_program import leave_shares

SECONDS = 120.0


def verdict(
    call_in: Callable[[Path], ProgramCall], weights: np.ndarray, engine: Engine, protocol: ProtocolName
) -> bool:
    """The bit that a verification opens.  call_in: the call, with its files in this folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call = call_in(folder)
        spec = RunSpec(
            call.program,
            call.args,
            protocol=protocol,
            inputs=call.inputs,
            run_dir=folder / "run",
            shares_from=_handed(folder, weights, engine, protocol),
            timeout_seconds=SECONDS,
        )
        (bit,) = engine.run(spec).binary_output
    return bit == 1


def answers(
    call_at: Callable[[int], ProgramCall],
    images: np.ndarray,
    classes: int,
    folder: Path,
    weights: np.ndarray,
    engine: Engine,
    protocol: ProtocolName,
) -> list[list[int]]:
    """What one known client is told of each image.  call_at: the call of a session of so many queries at this port."""
    base = free_ports()
    identities, clients = write_hand_out(folder, base, "service.json", "{}")
    write_certificate(NAMED_CLIENT, clients / f"{NAMED_CLIENT}.key", clients / f"{NAMED_CLIENT}.pem", 1)
    (folder / "known").mkdir()
    shutil.copy(clients / f"{NAMED_CLIENT}.pem", folder / "known")
    call = call_at(base)
    spec = RunSpec(
        call.program,
        call.args,
        protocol=protocol,
        run_dir=folder / "session",
        shares_from=_handed(folder, weights, engine, protocol),
        timeout_seconds=SECONDS,
        clients=ClientAccess(identities, folder / "known", len(images), 1),
    )

    def questions() -> list[list[int]]:
        addresses = read_hosts(clients / HOSTS)
        return [
            ask(image, addresses, clients, engine=engine, classes=classes, timeout_seconds=SECONDS).tolist()
            for image in images
        ]

    ended, found = in_threads(lambda: engine.run(spec), questions, seconds=SECONDS)
    assert not isinstance(ended, Exception)
    return found


def _handed(folder: Path, weights: np.ndarray, engine: Engine, protocol: ProtocolName) -> Path:
    """Shares of the weights that the protocol reads."""
    leave_shares(folder / "train", weights)
    if not protocol.active:
        return folder / "train"
    hand_off(folder / "train", engine, protocol, folder / "handoff")
    return folder / "handoff"
