"""Serve a secret model: three servers hold it, clients outside ask what class their images are of.

A serving folder holds
    identities/   the servers' keys and certificates for clients, kept from one start to the next
    clients/      what clients get: HOSTS, party0.pem, party1.pem, party2.pem, service.json
    session-0/    logs of the first session, and so on
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import EngineUnavailable, ParameterError, UsageError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.rep3 import share_files
from mpc_tamper.engines.rep3.transport.certificates import (
    certificate_file,
    key_file,
    make_certificate,
    write_certificate,
)
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_TIMEOUT_SECONDS, PARTIES, ClientAccess, RunSpec
from mpc_tamper.workflows.verification import PASSIVE, hand_off

HOSTS = "HOSTS"
SERVICE = "service.json"
MP_SPDZ_CLIENT = "C0"
OUTPUTS = 3  # of svm_query.mpc: the class, whether a score comes with it, the score
_HOST = "127.0.0.1"
# On rep3 each session starts with fresh keys. In the active protocol every answer adds to the session's soundness
# error, which may not exceed 2^-40: an answer adds some 2^-47.
_QUERIES_PER_SESSION = 10_000
_ACTIVE_QUERIES_PER_SESSION = 100
_FOREVER = 1_000_000


class Answer(StrEnum):
    CLASS = "class"
    SCORE = "score"


@dataclass(frozen=True)
class Service:
    """What clients are told in public. columns: weights of the model, the bias included."""

    columns: int
    answer: Answer
    engine: EngineName
    protocol: ProtocolName

    @classmethod
    def read(cls, path: Path) -> Service:
        """Raises UsageError."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            columns, answer = int(fields["columns"]), Answer(fields["answer"])
            return cls(columns, answer, EngineName(fields["engine"]), ProtocolName(fields["protocol"]))
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f"{path}: expected the description of a service: {exc!r}; get the servers' folder clients/ again"
            ) from exc


def serve(
    model: Path,
    *,
    engine: Engine,
    run_dir: Path,
    port_base: int,
    protocol: ProtocolName = ProtocolName.RING,
    queries: int | None = None,
    answer: Answer = Answer.CLASS,
    known: Path | None = None,
    timeout_seconds: float = 60.0,
    progress: Progress = silent,
) -> None:
    """Serve `queries` clients, or until interrupted where None. Raises what ended it.

    model: the folder of a training run, its shares.  port_base: server i listens for clients on port_base + i of this
    machine.  known: a folder with the certificates of the clients to serve; None serves anybody.
    """
    if engine.name is EngineName.CLEAR or protocol not in engine.protocols:
        raise EngineUnavailable(
            f"expected an engine and protocol that serve clients, got {engine.name} {protocol}; use rep3 with ring or "
            "mal-rep-ring, or mp-spdz with ring or sy-rep-ring"
        )
    if queries is not None and queries < 1:
        raise ParameterError(f"expected at least one query, got {queries}")
    columns = share_files.count(share_files.share_file(model, 0))
    service = Service(columns, answer, engine.name, protocol)
    identities, folder = write_hand_out(run_dir, port_base, SERVICE, asdict(service))
    if engine.name is EngineName.MP_SPDZ and known is None:
        known = _named_client(folder, run_dir / "known")
    access = ClientAccess(identities, known)
    if engine.name is EngineName.MP_SPDZ and protocol is not ProtocolName.RING:
        progress(f"handing the shares over to {protocol}")
        model = _hand_off(model, columns, engine, protocol, run_dir)
    for session, count in sessions(queries, engine.name, protocol):
        progress(f"session {session} on {engine.name} {protocol}, ports {port_base} to {port_base + PARTIES - 1}")
        engine.run(
            RunSpec(
                program=bundle.program("svm_query.mpc"),
                args=(f"columns={columns}", f"answer={answer}", f"port={port_base}", f"queries={count}"),
                protocol=protocol,
                run_dir=_fresh(run_dir, "session"),
                shares_from=model,
                # An idle MP-SPDZ party cannot be told from a dead one; rep3's servers talk while they wait.
                timeout_seconds=MAX_TIMEOUT_SECONDS if engine.name is EngineName.MP_SPDZ else timeout_seconds,
                clients=access,
            )
        )


def sessions(queries: int | None, engine: EngineName, protocol: ProtocolName) -> Iterator[tuple[int, int]]:
    """Number and size of each session; without end where queries is None."""
    size = _FOREVER if engine is EngineName.MP_SPDZ else _QUERIES_PER_SESSION
    if engine is EngineName.REP3 and protocol not in PASSIVE:
        size = _ACTIVE_QUERIES_PER_SESSION
    starts = itertools.count(0, size) if queries is None else range(0, queries, size)
    return ((i, size if queries is None else min(size, queries - start)) for i, start in enumerate(starts))


def write_hand_out(run_dir: Path, port_base: int, name: str, description: Mapping[str, object]) -> tuple[Path, Path]:
    """The servers' identities, made where there are none yet, and the folder for clients, with the description."""
    identities, folder = _identities(run_dir / "identities"), run_dir / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(PARTIES):
        shutil.copyfile(certificate_file(identities, i), certificate_file(folder, i))
    write_atomically(folder / HOSTS, "".join(f"{Address(_HOST, port_base + i)}\n" for i in range(PARTIES)))
    write_atomically(folder / name, json.dumps(description, indent=1) + "\n")
    return identities, folder


def _identities(folder: Path) -> Path:
    for i in range(PARTIES):
        if not (key_file(folder, i).exists() and certificate_file(folder, i).exists()):
            make_certificate(i, folder, valid_days=365)
    return folder


def _named_client(folder: Path, known: Path) -> Path:
    """MP-SPDZ has no anonymous clients: make one, whose key whoever gets the folder for clients has."""
    key, certificate = folder / f"{MP_SPDZ_CLIENT}.key", folder / f"{MP_SPDZ_CLIENT}.pem"
    if not key.exists() or not certificate.exists():
        write_certificate(MP_SPDZ_CLIENT, key, certificate, 365)
    known.mkdir(exist_ok=True)
    shutil.copyfile(certificate, known / certificate.name)
    return known


def _hand_off(model: Path, columns: int, engine: Engine, protocol: ProtocolName, run_dir: Path) -> Path:
    folder = _fresh(run_dir, "handoff")
    hand_off(model, columns, engine, protocol, folder)
    return folder


def _fresh(run_dir: Path, name: str) -> Path:
    return next(path for i in itertools.count() if not (path := run_dir / f"{name}-{i}").exists())
