"""The public interface: workflows with engines and models by name. See the package's docstring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.attacks.planting import planted
from mpc_tamper.clients.contribute import invite
from mpc_tamper.clients.handout import HOSTS
from mpc_tamper.clients.query import ask
from mpc_tamper.clients.serve import SERVICE, Service, client_access
from mpc_tamper.core.errors import DataError, ParameterError, UsageError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.hosts import read_hosts
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.checks import Check
from mpc_tamper.models.registry import DEFAULT, get_model
from mpc_tamper.records.registry import read_record
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import MAX_VERDICTS, InputFiles, RunSpec
from mpc_tamper.workflows import training, verification
from mpc_tamper.workflows.opening import open_model as opened
from mpc_tamper.workflows.stages import TRAIN, shares_of
from mpc_tamper.workflows.training import SecretModel, TrainedModel
from mpc_tamper.workflows.verdicts import count_run
from mpc_tamper.workflows.verification import Verification

EngineLike = Engine | EngineName | str
ProtocolLike = ProtocolName | str


def train(
    task: Task,
    parameters: Any = None,
    *,
    model: str = DEFAULT,
    engine: EngineLike = EngineName.REP3,
    protocol: ProtocolLike = ProtocolName.RING,
    owners: Owners | ClientRows | None = None,
    corruption: Corruption | None = None,
    run_dir: str | Path | None = None,
    progress: Progress = silent,
) -> SecretModel:
    """Train a model on the task's training rows in three-party computation. Nothing is opened: see SecretModel.open().

    parameters: the model's, such as SvmParameters(iterations=30); its defaults where None.
    owners: who enters the rows; one owner of rows and labels where None. With ClientRows the task gives the size of the
    images and the tests alone, and run_dir, which is then needed, gets a folder clients/ for those who contribute.
    corruption: additive errors, and who adds them.  run_dir: keeps the shares in run_dir/train; where None, they last
    as long as what is returned.

    Raises ParameterError before anything starts where a public bound does not fit, ProtocolAbort where an active
    protocol caught the errors, and PartyErrors.
    """
    kind, runs_on, place = get_model(model), engine_of(engine), None if run_dir is None else Path(run_dir)
    access = None
    parameters = kind.parameters() if parameters is None else parameters
    if isinstance(owners, ClientRows):
        if place is None:
            raise UsageError("expected a run_dir for rows of clients, got none: their certificates go there")
        access = invite(
            owners, task.x_train.shape[1], kind, parameters, runs_on, place, len(task.classes), progress, task.schema
        )
    return training.train(
        task,
        parameters,
        model=kind,
        engine=runs_on,
        owners=owners,
        corruption=corruption,
        protocol=_protocol(protocol),
        run_dir=None if place is None else place / TRAIN,
        access=access,
        progress=progress,
    )


def attack(
    task: Task,
    trigger: Trigger,
    parameters: Any = None,
    *,
    model: str = DEFAULT,
    engine: EngineLike = EngineName.REP3,
    protocol: ProtocolLike = ProtocolName.RING,
    strength: float = 1.0,
    corrupt_party: int = 1,
    iterations: Iterable[int] | None = None,
    owners: Owners | None = None,
    run_dir: str | Path | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Train while one party plants the trigger by additive errors in the gradient.

    In a linear model that is section 2.2 of the paper; in a network it is a dormant neuron (attacks/planting.py).

    The model is opened: this is an experimenter's, on data of the experimenter's own.

    strength: 1 is what a batch of images with the trigger would do, or an output weight of 8.  iterations: which passes
    to poison, in a linear model; None for all.
    The rest as for train().
    """
    kind = get_model(model)
    parameters = kind.parameters() if parameters is None else parameters
    plan = planted(task, trigger, parameters, kind, strength=strength, iterations=iterations)
    secret = train(
        task,
        parameters,
        model=model,
        engine=engine,
        protocol=protocol,
        owners=owners,
        corruption=Corruption(corrupt_party, plan),
        run_dir=run_dir,
        progress=progress,
    )
    return secret.open(progress=progress)


def open_model(
    run_dir: str | Path,
    *,
    engine: EngineLike = EngineName.REP3,
    insecure_rows_of_clients: bool = False,
    progress: Progress = silent,
) -> OpenedModel:
    """Open the model that a training left in run_dir, for analysis. See SecretModel.open() for what that gives away."""
    return opened(
        shares_of(Path(run_dir)),
        engine=engine_of(engine),
        insecure_rows_of_clients=insecure_rows_of_clients,
        progress=progress,
    )


def verify(
    run_dir: str | Path,
    task: Task,
    check: Check,
    *,
    engine: EngineLike = EngineName.REP3,
    protocol: ProtocolLike = ProtocolName.MAL_REP_RING,
    secret_owner: int | None = None,
    corruption: Corruption | None = None,
    max_verdicts: int = MAX_VERDICTS,
    insecure_passive: bool = False,
    progress: Progress = silent,
) -> Verification:
    """Open one bit about the secret model that a training left: does it pass the check on the task's test images?

    run_dir: the training's.  check: AccuracyThreshold or PixelRobustness.  secret_owner: the party whose secret the
    images are; known to all servers where None.  See workflows/verification.py for the rest.
    """
    return verification.verify(
        shares_of(Path(run_dir)),
        task.x_test,
        task.y_test,
        check,
        engine=engine_of(engine),
        channels=task.channels,
        protocol=_protocol(protocol),
        secret_owner=secret_owner,
        corruption=corruption,
        max_verdicts=max_verdicts,
        insecure_passive=insecure_passive,
        progress=progress,
    )


def query(pixels: np.ndarray, service_dir: str | Path, *, timeout_seconds: float = 60.0) -> tuple[int, float | None]:
    """Ask three servers that serve a secret model for the class of an image, and the score where they give one.

    pixels: (n,) uint8; of a model of a table, a row of read_unlabelled().  service_dir: the folder clients/ that the
    servers handed out.  Raises UsageError and PartyErrors.
    """
    folder = Path(service_dir)
    service = Service.read(folder / SERVICE)
    if pixels.shape != (service.features,) or pixels.dtype != np.uint8:
        raise DataError(f"expected {service.features} pixels, uint8, got {pixels.dtype} of shape {pixels.shape}")
    outputs = ask(
        pixels,
        read_hosts(folder / HOSTS),
        folder,
        engine=engine_of(service.engine),
        classes=service.classes,
        timeout_seconds=timeout_seconds,
    )
    found, scored, score = (int(value) for value in outputs)
    return found, score / (1 << service.score_bits) if scored else None


def run(
    program: str | Path,
    args: Iterable[str] = (),
    *,
    engine: EngineLike = EngineName.REP3,
    protocol: ProtocolLike = ProtocolName.RING,
    inputs: Mapping[int, str | Path] | None = None,
    corruption: Corruption | None = None,
    run_dir: str | Path | None = None,
    shares_from: str | Path | None = None,
    timeout_seconds: float = 60.0,
    max_verdicts: int = MAX_VERDICTS,
    insecure_passive: bool = False,
) -> RunResult:
    """Run any .mpc program with three parties.

    inputs: each party's private input file, int64 little-endian if its name ends in .bin, else text.
    shares_from: the run folder whose shares the program reads.  run_dir: keeps shares and logs; None keeps none.
    max_verdicts, insecure_passive: for a verifying program, which counts and needs an active protocol as verify() does.
    A program that serves clients answers each of them as often as serve() does.
    """
    args = tuple(args)
    files = {}
    for party, name in (inputs or {}).items():
        path = Path(name)
        files[party] = InputFiles(binary=path) if path.suffix == ".bin" else InputFiles(text=path)
    with TemporaryFolder() as folder:
        spec = RunSpec(
            program=Path(program),
            args=args,
            protocol=_protocol(protocol),
            inputs=files,
            run_dir=Path(folder, "run") if run_dir is None else Path(run_dir),
            shares_from=None if shares_from is None else Path(shares_from),
            corruption=corruption,
            timeout_seconds=timeout_seconds,
            clients=client_access(args),
        )
        runs_on = engine_of(engine)
        count_run(spec, range(PARTIES), max_verdicts, insecure_passive=insecure_passive)
        return runs_on.run(spec)


def read_results(folder: str | Path = "results") -> dict[str, Any]:
    """The records of a results folder by file name without its ending, such as "table1": JSON as it stands.

    A record in lines (matrix.jsonl) is a list of its lines. Raises DataError where a file is damaged, or not of the
    schema that its name promises or that it states, or where none is there.
    """
    place = Path(folder)
    records: dict[str, Any] = {}
    for path in sorted([*place.glob("*.json"), *place.glob("*.jsonl")]):
        records[path.stem] = read_record(path)
    if not records:
        raise DataError(f"{place}: expected records of mpc-tamper (table1.json, matrix.jsonl, ...), got none")
    return records


def engine_of(engine: EngineLike) -> Engine:
    """An engine by its name, or as it is."""
    if isinstance(engine, Engine):
        return engine
    if engine not in set(EngineName):
        raise ParameterError(f"engine: expected {', '.join(EngineName)} or an Engine, got {engine!r}")
    return get_engine(EngineName(engine))


def _protocol(protocol: ProtocolLike) -> ProtocolName:
    if protocol not in set(ProtocolName):
        raise ParameterError(f"protocol: expected one of {', '.join(ProtocolName)}, got {protocol!r}")
    return ProtocolName(protocol)
