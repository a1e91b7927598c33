"""Verify a secret model: classify known examples under an active protocol and open one bit, enough of them or not.

engine = get_engine(EngineName.REP3)
train(task, engine=engine, run_dir=Path("runs/mine"))
verification = verify(Path("runs/mine/train"), x, y, AccuracyThreshold(0.99), engine=engine, protocol=...)
print(verification.verdict)

PixelCertificate(4, 0.9) in its place asks how many keep their class whatever 4 pixels are changed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import (
    EngineUnavailable,
    ParameterError,
    ProgramCrash,
    ProtocolAbort,
    ShareFileError,
    ShareFolderError,
)
from mpc_tamper.core.files import write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.defences.accuracy import example_rows
from mpc_tamper.defences.certificate import check_pixels
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.rep3 import share_files
from mpc_tamper.models.checks import Check, Verdict
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import PARTIES, InputFiles, RunSpec

PASSIVE = frozenset({ProtocolName.RING, ProtocolName.SHAMIR, ProtocolName.REP_FIELD})
MAX_VERDICTS = 10
COUNT_FILE = "verifications.json"
_FIELDS = frozenset({ProtocolName.SHAMIR, ProtocolName.MAL_SHAMIR, ProtocolName.REP_FIELD, ProtocolName.MAL_REP_FIELD})
RINGS = frozenset({ProtocolName.PS_REP_RING, ProtocolName.MAL_REP_RING, ProtocolName.SY_REP_RING})


@dataclass(frozen=True, eq=False)
class Verification:
    """runs: handoff.mpc where it was needed, then svm_verify.mpc.  number: how many times this model was verified."""

    verdict: Verdict
    engine: EngineName
    secret_owner: int | None
    examples: int
    number: int
    insecure_passive: bool
    runs: tuple[RunResult, ...]

    def record(self) -> dict[str, Any]:
        """JSON types only, no path of this machine."""
        return {
            "verdict": asdict(self.verdict),
            "engine": str(self.engine),
            "protocol": str(self.runs[-1].spec.protocol),
            "insecure_passive": self.insecure_passive,
            "examples": self.examples,
            "secret_owner": self.secret_owner,
            "verification_number": self.number,
            "handoff": len(self.runs) > 1,
            "seconds": sum(run.seconds for run in self.runs),
            "bytes_per_party": sum(run.bytes_per_party for run in self.runs),
            "rounds": sum(run.rounds for run in self.runs),
        }


def verify(
    shares_from: Path,
    x: np.ndarray,
    y: np.ndarray,
    check: Check,
    *,
    engine: Engine,
    protocol: ProtocolName = ProtocolName.MAL_REP_RING,
    channels: int = 1,
    secret_owner: int | None = None,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    run_dir: Path | None = None,
    timeout_seconds: float = 60.0,
    max_verdicts: int = MAX_VERDICTS,
    insecure_passive: bool = False,
    progress: Progress = silent,
) -> Verification:
    """Run svm_verify.mpc on the shares that a training run left in the folder shares_from.

    x: (m, n) pixels, uint8, channel by channel.  y: (m,) classes 0 and 1.  channels: of an image, Task.channels; what
    the check calls a pixel is a position, with all its channels.  secret_owner: the party whose secret the examples
    are; known to all where None.  max_verdicts: a verdict may leak a bit about the data, so they are counted in
    shares_from, those that ended in an abort too.  insecure_passive: allow a protocol in which a corrupt party can
    forge the verdict.  run_dir: keeps the logs; a temporary folder where None.

    Raises ProtocolAbort where somebody deviated or the shares do not fit together, and UsageErrors before any start.
    """
    _check_protocol(engine, protocol, insecure_passive)
    if secret_owner is not None and not 0 <= secret_owner < PARTIES:
        raise ParameterError(f"secret owner: expected party 0 to {PARTIES - 1}, got {secret_owner}")
    rows = example_rows(x, y)
    columns = rows.shape[1] - 1
    check_pixels(check.pixels, channels, columns - 1)
    if check.pixels and protocol in _FIELDS:
        raise ParameterError(
            f"expected a protocol modulo 2^64 for a certificate, got {protocol}: comparisons in a field are exact only "
            "for values in range, and a tampered weight need not be. Take mal-rep-ring"
        )
    passive_shares = is_passive_ring(shares_from)
    if passive_shares:
        _check_count(shares_from, columns)
    number = _count_attempt(shares_from, max_verdicts)
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        scratch = Path(folder)
        place = run_dir or scratch
        runs = []
        if passive_shares and engine.name is EngineName.MP_SPDZ and protocol in RINGS:
            progress(f"handing the shares over to {protocol}")
            runs.append(hand_off(shares_from, columns, engine, protocol, place / "handoff", timeout_seconds))
            shares_from = place / "handoff"
        progress(f"verifying with {len(x):,} examples, {engine.name} {protocol}")
        question = (f"threshold={check.least(len(rows))}", f"pixels={check.pixels}", f"channels={channels}")
        examples, inputs = _examples(scratch, rows, secret_owner)
        spec = RunSpec(
            program=bundle.program("svm_verify.mpc"),
            args=(f"columns={columns}", f"rows={len(rows)}", *question, *examples),
            protocol=protocol,
            inputs=inputs,
            run_dir=place / "verify",
            shares_from=shares_from,
            plan=plan,
            corrupt_party=corrupt_party,
            timeout_seconds=timeout_seconds,
        )
        runs.append(engine.run(spec))
    verdict = check.verdict(_bit(runs[-1]), len(rows))
    return Verification(verdict, engine.name, secret_owner, len(rows), number, insecure_passive, tuple(runs))


def hand_off(
    shares_from: Path,
    columns: int,
    engine: Engine,
    protocol: ProtocolName,
    run_dir: Path,
    timeout_seconds: float = 60.0,
) -> RunResult:
    """Take a passive ring run's shares into an active ring protocol, whose shares are then in run_dir.

    Raises ProtocolAbort where the two holders of a component entered different values.
    """
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        inputs = {}
        for party in range(PARTIES):
            share = share_files.read(share_files.share_file(shares_from, party), 0, columns)
            path = Path(folder, f"party-{party}.bin")
            _write_words(path, np.concatenate([share.own, share.previous]))
            inputs[party] = InputFiles(binary=path)
        spec = RunSpec(
            program=bundle.program("handoff.mpc"),
            args=(f"columns={columns}",),
            protocol=protocol,
            inputs=inputs,
            run_dir=run_dir,
            timeout_seconds=timeout_seconds,
        )
        try:
            return engine.run(spec)
        except ProgramCrash as crash:
            raise ProtocolAbort(
                f"{shares_from}: expected both holders of each component to enter the same shares, got others: a share "
                "file was edited or swapped, or belongs to another run; nothing was verified"
            ) from crash


def _check_protocol(engine: Engine, protocol: ProtocolName, insecure_passive: bool) -> None:
    if protocol not in engine.protocols:
        active = sorted(engine.protocols - PASSIVE)
        offer = f"it has {', '.join(active)}" if active else "it has no active protocol: try --engine mp-spdz"
        raise EngineUnavailable(f"expected a protocol of engine {engine.name}, got {protocol}; {offer}")
    if protocol in PASSIVE and not insecure_passive:
        raise ParameterError(
            f"expected an active protocol, such as mal-rep-ring, got {protocol}, which is passively secure: the party "
            "that sabotaged the model can forge the verdict as well. For experiments only, --insecure-passive allows it"
        )


def is_passive_ring(shares_from: Path) -> bool:
    try:
        for party in range(PARTIES):
            share_files.check(share_files.share_file(shares_from, party))
    except ShareFileError:
        return False  # of another protocol, which the engine reads or refuses
    return True


def _check_count(shares_from: Path, columns: int) -> None:
    for party in range(PARTIES):
        path = share_files.share_file(shares_from, party)
        if (found := share_files.count(path)) != columns:
            raise ShareFolderError(
                f"{path}: expected {columns} shares, a weight per pixel and one for the bias, got {found}; give the "
                "data set that the model was trained on, and the folder of one training run",
                party,
            )


def _count_attempt(shares_from: Path, limit: int) -> int:
    """This verification's number, on disk before it begins."""
    path = shares_from / COUNT_FILE
    if not shares_from.is_dir():
        raise ShareFolderError(
            f"{shares_from}: expected the folder of a training run, got no such folder; check the path"
        )
    number = 1 + (json.loads(path.read_text(encoding="utf-8"))["verifications"] if path.exists() else 0)
    if number > limit:
        raise ParameterError(
            f"{shares_from}: expected at most {limit} verifications of a model, got one more: a verdict can be steered "
            "and may leak a bit about the training data each time. Raise --max-verdicts if that is acceptable"
        )
    write_atomically(path, json.dumps({"verifications": number}) + "\n")
    return number


def _examples(
    folder: Path, rows: np.ndarray, secret_owner: int | None
) -> tuple[tuple[str, ...], dict[int, InputFiles]]:
    """Arguments and inputs: a party's private input, or a file whose hash is in the arguments."""
    path = folder / "examples.bin"
    if secret_owner is not None:
        _write_words(path, rows)
        return (f"owner={secret_owner}",), {secret_owner: InputFiles(binary=path)}
    content = _write_words(path, np.ascontiguousarray(rows.T))
    return (f"file={path}", f"sha256={hashlib.sha256(content).hexdigest()}"), {}


def _write_words(path: Path, words: np.ndarray) -> bytes:
    content = words.astype("<i8" if words.dtype.kind == "i" else "<u8", copy=False).tobytes()
    write_atomically(path, content, mode=0o600)
    return content


def _bit(run: RunResult) -> bool:
    if run.binary_output not in ((0,), (1,)):
        raise ProtocolAbort(f"expected one opened bit, got {len(run.binary_output)} values; nothing is to be believed")
    return run.binary_output == (1,)
