"""Serve a secret model: three servers hold it, clients outside ask what class their images are of.

A serving folder holds
    identities/   the servers' keys and certificates for clients, kept from one start to the next
    clients/      what clients get: HOSTS, party0.pem, party1.pem, party2.pem, service.json, of a table schema.toml
    session-0/    logs of the first session, and so on
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from mpc_tamper.clients.handout import write_hand_out
from mpc_tamper.core.errors import EngineUnavailable, ParameterError, ShareFileError, ShareFolderError
from mpc_tamper.core.files import is_file
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.tables.schema_files import FILE as SCHEMA
from mpc_tamper.datasets.tables.schema_files import read_schema
from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine, OnStep
from mpc_tamper.engines.certificates import write_certificate
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.description import ModelDescription, read_shape
from mpc_tamper.models.registry import DEFAULT, get_model
from mpc_tamper.records.folders import SERVICE as DESCRIPTION
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_TIMEOUT_SECONDS, QUERY_BUDGET, ClientAccess, RunSpec
from mpc_tamper.workflows.handoff import hand_off, needs_handoff

SERVICE = "service.json"
NAMED_CLIENT = "C0"  # for engines that have no anonymous clients
_FIRST_STEPS = {"MARGIN", "HIDDEN"}  # of a query in svm_query.mpc and in mlp_query.mpc
OUTPUTS = 4  # of a query: the class, whether a score comes with it, the score, whether all pixels were some

TOGETHER = 8  # answers for which one proof is made


class Answer(StrEnum):
    CLASS = "class"
    SCORE = "score"


# Queries of each client; docs/clients.md says why. Scores are linear equations in the weights.
BUDGETS = {Answer.CLASS: QUERY_BUDGET, Answer.SCORE: QUERY_BUDGET // 10}


def client_access(args: Iterable[str], budget: int | None = None) -> ClientAccess:
    """For a run of a program that serves clients: BUDGETS where None. svm_query.mpc's arguments say what it answers."""
    usual = BUDGETS[Answer.SCORE if "answer=score" in args else Answer.CLASS]
    return ClientAccess(budget=usual if budget is None else budget)


@dataclass(frozen=True)
class Service:
    """What clients are told in public. features: of a row, such as the pixels of an image.  classes: how many.

    score_bits: scores have scale 2^score_bits.

    image_shape: of the images that the model was trained on, where they are known.  feature_names: of a table.
    """

    model: str
    features: int
    classes: int
    score_bits: int
    answer: Answer
    engine: EngineName
    protocol: ProtocolName
    image_shape: tuple[int, ...] | None = None
    feature_names: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Service:
        """Raises UsageError."""
        fields = DESCRIPTION.read(path)
        with DESCRIPTION.fitting(path):
            return cls(
                fields["model"],
                fields["features"],
                fields["classes"],
                fields["score_bits"],
                Answer(fields["answer"]),
                EngineName(fields["engine"]),
                ProtocolName(fields["protocol"]),
                read_shape(fields),
                tuple(fields.get("feature_names", ())),
            )


def serve(
    shares: Path,
    *,
    engine: Engine,
    run_dir: Path,
    port_base: int,
    protocol: ProtocolName | None = None,
    queries: int | None = None,
    budget: int | None = None,
    together: int | None = None,
    answer: Answer = Answer.CLASS,
    known: Path | None = None,
    timeout_seconds: float = 60.0,
    progress: Progress = silent,
) -> None:
    """Serve `queries` clients, or until interrupted where None. Raises what ended it.

    shares: the folder of a training run.  port_base: server i listens for clients on port_base + i of this machine.
    protocol: an active one where None.  known: a folder with the certificates of the clients to serve; None serves
    anybody.  budget: how many queries each client may ask about this model, all anonymous ones together; BUDGETS where
    None. Each server counts for itself, over sessions and restarts. An engine whose servers do not count stops after so
    many queries of all clients.  together: for how many waiting clients one proof is made; TOGETHER where None.
    """
    can = engine.capabilities
    protocol = check_engine(engine, protocol)
    if engine.host is not None and not can.anonymous_clients:
        raise EngineUnavailable(f"expected --engine rep3 to serve clients on three hosts, got {engine.name}; use rep3")
    if queries is not None and queries < 1:
        raise ParameterError(f"expected at least one query, got {queries}")
    budget = BUDGETS[answer] if budget is None else budget
    if budget < 1:
        raise ParameterError(f"expected a budget of at least one query, got {budget}")
    together = min(TOGETHER, can.most_together) if together is None else together
    if not 1 <= together <= can.most_together:
        raise ParameterError(
            f"expected 1 to {can.most_together} answers together on {engine.name}, got {together}; leave it out"
        )
    try:
        count = share_files.count(share_files.share_file(shares, engine.own_parties[0]))
    except ShareFileError as exc:
        raise ShareFolderError(f"{shares}: expected the shares of a training in it; {exc}", exc.party) from exc
    described = ModelDescription.read(shares) or ModelDescription(DEFAULT, count - 1, count)
    model = get_model(described.model)
    model.require({Capability.QUERIES}, "serving")
    service = Service(
        described.model,
        described.features,
        described.classes,
        model.score_bits(described.architecture),
        answer,
        engine.name,
        protocol,
        described.image_shape,
        described.feature_names,
    )
    schema = read_schema(shares / SCHEMA) if is_file(shares / SCHEMA) else None
    description = DESCRIPTION.text(asdict(service), SERVICE, indent=1)
    identities, folder = write_hand_out(run_dir, port_base, SERVICE, description, schema, engine.host)
    if known is None and not can.anonymous_clients:
        known = _named_client(folder, run_dir / "known")
    access = ClientAccess(identities, known, budget, together)
    if needs_handoff(shares, engine, protocol):
        progress(f"handing the shares over to {protocol}")
        handed = _fresh(run_dir, "handoff")
        hand_off(shares, engine, protocol, handed)
        shares = handed
    if not can.budgets:
        queries = min(budget, queries or budget)
    answered = 0
    for session, count in sessions(queries, can.queries[protocol]):
        progress(f"session {session} on {engine.name} {protocol}, ports {port_base} to {port_base + PARTIES - 1}")
        call = model.query(
            described.features,
            with_score=answer is Answer.SCORE,
            port=port_base,
            queries=count,
            architecture=described.architecture,
        )
        engine.run(
            RunSpec(
                program=call.program,
                args=call.args,
                protocol=protocol,
                run_dir=_fresh(run_dir, "session"),
                shares_from=shares,
                timeout_seconds=MAX_TIMEOUT_SECONDS if can.idles else timeout_seconds,
                clients=access,
            ),
            _answering(queries, answered, progress),
            progress,
        )
        answered += count
        progress(f"{answered:,} {'' if queries is None else f'of {queries:,} '}queries answered")


def _answering(queries: int | None, before: int, progress: Progress) -> OnStep:
    """Says which query is being answered, as its first step begins."""

    def on_step(site: str, occurrence: int) -> None:
        if site in _FIRST_STEPS:
            of_all = "" if queries is None else f" of {queries:,}"
            progress(f"answering query {before + occurrence + 1:,}{of_all}")

    return on_step


def check_engine(engine: Engine, protocol: ProtocolName | None) -> ProtocolName:
    """The protocol, an active one where None. Raises EngineUnavailable where they serve no clients."""
    protocol = protocol or engine.capabilities.serves_with
    if protocol is None or protocol not in engine.capabilities.queries:
        raise EngineUnavailable(
            f"expected an engine and protocol that serve clients, got {engine.name} {protocol}; use rep3 with "
            "mal-rep-ring or ring, or mp-spdz with sy-rep-ring or ring"
        )
    return protocol


def sessions(queries: int | None, size: int) -> Iterator[tuple[int, int]]:
    """Number and size of each session of at most `size` queries; without end where queries is None."""
    starts = itertools.count(0, size) if queries is None else range(0, queries, size)
    return ((i, size if queries is None else min(size, queries - start)) for i, start in enumerate(starts))


def _named_client(folder: Path, known: Path) -> Path:
    """Where clients cannot be anonymous: one whose key whoever gets the folder for clients has."""
    key, certificate = folder / f"{NAMED_CLIENT}.key", folder / f"{NAMED_CLIENT}.pem"
    if not key.exists() or not certificate.exists():
        write_certificate(NAMED_CLIENT, key, certificate, 365)
    known.mkdir(exist_ok=True)
    shutil.copyfile(certificate, known / certificate.name)
    return known


def _fresh(run_dir: Path, name: str) -> Path:
    return next(path for i in itertools.count() if not (path := run_dir / f"{name}-{i}").exists())
