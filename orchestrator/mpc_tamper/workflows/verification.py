"""Verify a secret model: classify known examples under an active protocol and open one bit, enough of them or not.

engine = get_engine(EngineName.REP3)
train(task, engine=engine, run_dir=Path("runs/mine"))
verification = verify(Path("runs/mine/train"), x, y, AccuracyThreshold(0.99), engine=engine)
print(verification.verdict)

PixelRobustness(4, 0.9) in its place asks how many keep their class whatever 4 pixels are changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ParameterError, ProtocolAbort, ShareFolderError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Check, Verdict, in_units
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.network import Network, network_record
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import MAX_VERDICTS, RunSpec
from mpc_tamper.workflows.handoff import hand_off, needs_handoff
from mpc_tamper.workflows.verdicts import check_active, count_verdict


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
    network: Network | None = None

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
            **network_record(self.network),
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
    corruption: Corruption | None = None,
    run_dir: Path | None = None,
    timeout_seconds: float = 60.0,
    max_verdicts: int = MAX_VERDICTS,
    insecure_passive: bool = False,
    progress: Progress = silent,
) -> Verification:
    """Run the model's verification on the shares that a training left in the folder shares_from.

    x: (m, n) pixels, uint8, channel by channel.  y: (m,) classes 0 and 1.  channels: of an image, Task.channels; what
    the check calls a pixel is a position, with all its channels.  secret_owner: the party whose secret the examples
    are; known to all where None.  max_verdicts: a verdict may leak a bit about the data, so they are counted on this
    host (workflows/verdicts.py), those that ended in an abort too.  insecure_passive: allow a protocol in which a
    corrupt party can forge the verdict.  run_dir: keeps the logs; a temporary folder where None.

    Raises ProtocolAbort where somebody deviated or the shares do not fit together, and UsageErrors before any start.
    """
    _check_protocol(engine, protocol, insecure_passive)
    if secret_owner is not None and not 0 <= secret_owner < PARTIES:
        raise ParameterError(f"secret owner: expected party 0 to {PARTIES - 1}, got {secret_owner}")
    if not shares_from.is_dir():
        raise ShareFolderError(
            f"{shares_from}: expected the folder of a training run, got no such folder; check the path"
        )
    described = ModelDescription.read(shares_from)
    model = get_model() if described is None else get_model(described.model)
    model.require(check.needs, "this check", 2 if described is None else described.classes)
    if described is not None:
        check = in_units(check, described.unit)
        if described.feature_names and Capability.PATCH_SCAN in check.needs:
            raise ParameterError(
                "patch scan: expected a model of images, got one of a table, whose rows have no height and width; ask "
                "for a certificate or the accuracy"
            )
    if check.pixels and not protocol.ring:
        raise ParameterError(
            f"expected a protocol modulo 2^64 for a certificate, got {protocol}: comparisons in a field are exact only "
            "for values in range, and a tampered weight need not be. Take mal-rep-ring"
        )
    with TemporaryFolder() as folder:
        place = run_dir or Path(folder)
        question = check.question(len(x), x.shape[1], channels)
        architecture = {} if described is None else described.architecture
        call = model.verification(question, x, y, Path(folder), secret_owner, architecture)
        if share_files.of_passive_ring(shares_from, engine.own_parties):
            _check_count(shares_from, engine.own_parties, _shares(described, x.shape[1]))
        number = count_verdict(shares_from, engine.own_parties, max_verdicts)
        runs = []
        if needs_handoff(shares_from, engine, protocol):
            progress(f"handing the shares over to {protocol}")
            runs.append(hand_off(shares_from, engine, protocol, place / "handoff", timeout_seconds))
            shares_from = place / "handoff"
        progress(f"verifying with {len(x):,} examples, {engine.name} {protocol}")
        spec = RunSpec(
            program=call.program,
            args=call.args,
            protocol=protocol,
            inputs=call.inputs,
            run_dir=place / "verify",
            shares_from=shares_from,
            corruption=corruption,
            timeout_seconds=timeout_seconds,
        )
        runs.append(engine.run(spec))
    verdict = check.verdict(_bit(runs[-1]), len(x))
    network = engine.network
    return Verification(verdict, engine.name, secret_owner, len(x), number, insecure_passive, tuple(runs), network)


def _check_protocol(engine: Engine, protocol: ProtocolName, insecure_passive: bool) -> None:
    if protocol not in engine.protocols:
        active = sorted(p for p in engine.protocols if p.active)
        offer = f"it has {', '.join(active)}" if active else "it has no active protocol: use --engine rep3 or mp-spdz"
        raise EngineUnavailable(f"expected a protocol of engine {engine.name}, got {protocol}; {offer}")
    if not insecure_passive:
        check_active(protocol)


def _shares(described: ModelDescription | None, features: int) -> int:
    """How many shares the model is. Without a description, as after a run of the program alone, a linear SVM's."""
    if described is None:
        return features + 1
    if described.features != features:
        raise ParameterError(
            f"expected examples of {described.features} {described.unit}s, as the model was trained on, got "
            f"{features}; give the data set that it was trained on"
        )
    return described.shares


def _check_count(shares_from: Path, parties: Iterable[int], expected: int) -> None:
    for party in parties:
        path = share_files.share_file(shares_from, party)
        if (found := share_files.count(path)) != expected:
            raise ShareFolderError(
                f"{path}: expected the {expected} shares of a model of these images, got {found}; give the data set "
                "that the model was trained on, and the folder of one training run",
                party,
            )


def _bit(run: RunResult) -> bool:
    if run.binary_output not in ((0,), (1,)):
        raise ProtocolAbort(f"expected one opened bit, got {len(run.binary_output)} values; nothing is to be believed")
    return run.binary_output == (1,)
