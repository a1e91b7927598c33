"""How many verdicts a model has given: each may be steered by who tampered with it, and leak a bit about its data.

Every party counts for itself, by its own share file's digest, in its user's state folder (core/ledger.py). A run of all
three parties on one machine counts once for each share file, so that the model has given one verdict more. What counts
is `mpc-tamper verify`, and `run` and `party` with a verifying program of the bundle. Other programs that read shares
and open something are not known as what they are.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, ShareFileError, ShareFolderError
from mpc_tamper.core.ledger import Ledger
from mpc_tamper.engines import share_files
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec

NO_LIMIT = sys.maxsize  # for models of studies, which nobody is going to use, and which are the same in each run
_VERIFYING = ("*_verify.mpc", "*_scan.mpc")  # programs of the bundle


def is_verifying(program: Path) -> bool:
    """Whether this is a verifying program of the bundle, by its name or, under another name, by its content."""
    known = [path for pattern in _VERIFYING for path in bundle.programs(pattern)]
    if program.name in {path.name for path in known}:
        return True
    return program.is_file() and _sha256(program) in {_sha256(path) for path in known}


def count_run(spec: RunSpec, parties: Iterable[int], limit: int, *, insecure_passive: bool = False) -> int | None:
    """Count a run, before it begins, if it verifies; the number of the verdict, None for other runs.

    Raises ParameterError beyond the limit, and under a passive protocol unless insecure_passive.
    """
    if spec.shares_from is None or not is_verifying(spec.program):
        return None
    if not insecure_passive:
        check_active(spec.protocol)
    return count_verdict(spec.shares_from, parties, limit)


def check_active(protocol: ProtocolName) -> None:
    """Raises ParameterError for a passive protocol."""
    if not protocol.active:
        raise ParameterError(
            f"expected an active protocol, such as mal-rep-ring, got {protocol}, which is passively secure: the party "
            "that sabotaged the model can forge the verdict as well. For experiments only, --insecure-passive allows it"
        )


def count_verdict(shares_from: Path, parties: Iterable[int], limit: int) -> int:
    """This verdict's number, on disk before it begins. Raises ParameterError beyond the limit.

    shares_from: the folder with the model's share files.  parties: those that run on this host.
    """
    try:
        digests = [share_files.digest(share_files.share_file(shares_from, party)) for party in parties]
    except ShareFileError as exc:
        raise ShareFolderError(str(exc)) from exc
    number = Ledger("verdicts").take(digests, limit)
    if number is None:
        raise ParameterError(
            f"{shares_from}: expected at most {limit} verifications of a model, got one more: a verdict can be steered "
            "and may leak a bit about the training data each time. Raise --max-verdicts if that is acceptable"
        )
    return number


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
