"""MP-SPDZ's active protocols as an audit sees them: what each computes with, and where it cannot be tampered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.patch_state import Patch, PatchState, adds_errors
from mpc_tamper.engines.tampering import AuditedProtocol, Domain, Point

_SPLIT = ("-R", "64", "-Z", "3")
_RING = ("-R", "64")
_FIELD = ("-F", "64")
_BITS = ("-B", "64")


@dataclass(frozen=True)
class AuditSettings:
    """binary: in MP-SPDZ's folder.  options: of the compiler.  lacking: points that the patch does not reach there.

    longest: see AuditedProtocol.
    """

    binary: str
    options: tuple[str, ...]
    domain: Domain
    parties: int = 3
    lacking: tuple[Point, ...] = ()
    longest: int = 64


_MULTIPLICATIONS = (Point.OPERATION, Point.GATE, Point.BACKGROUND)

AUDITED: Mapping[str, AuditSettings] = MappingProxyType(
    {
        "ps-rep-ring": AuditSettings("ps-rep-ring-party.x", _SPLIT, Domain.RING),
        "mal-rep-ring": AuditSettings("malicious-rep-ring-party.x", _RING, Domain.RING),
        "sy-rep-ring": AuditSettings("sy-rep-ring-party.x", _SPLIT, Domain.RING),
        # its messages are all that a corrupt party can change: a product is sent by one party and confirmed by another
        "rep4-ring": AuditSettings("rep4-ring-party.x", _RING, Domain.RING, 4, _MULTIPLICATIONS),
        "ps-rep-field": AuditSettings("ps-rep-field-party.x", _FIELD, Domain.FIELD),
        "mal-rep-field": AuditSettings("malicious-rep-field-party.x", _FIELD, Domain.FIELD),
        "sy-rep-field": AuditSettings("sy-rep-field-party.x", _FIELD, Domain.FIELD),
        "mal-shamir": AuditSettings("malicious-shamir-party.x", _FIELD, Domain.FIELD),
        "sy-shamir": AuditSettings("sy-shamir-party.x", _FIELD, Domain.FIELD),
        # a dishonest majority, as one of two parties is corrupt; a comparison takes a second for each element
        "mascot": AuditSettings("mascot-party.x", _FIELD, Domain.FIELD, 2, longest=4),
        "ps-rep-bin": AuditSettings("ps-rep-bin-party.x", _BITS, Domain.BITS, lacking=(Point.OPERATION,)),
        "mal-rep-bin": AuditSettings("malicious-rep-bin-party.x", _BITS, Domain.BITS, lacking=(Point.OPERATION,)),
    }
)


def audited_protocols(installation: Installation) -> tuple[AuditedProtocol, ...]:
    implementation = f"MP-SPDZ {installation.tree}"
    if installation.patch_report(Patch.ZERO_CHECK).state is PatchState.APPLIED:
        implementation += f" with {Patch.ZERO_CHECK}"
    return tuple(
        AuditedProtocol(
            name, implementation, each.domain, each.parties, each.longest, _problem(installation, each), each.lacking
        )
        for name, each in AUDITED.items()
    )


def _problem(installation: Installation, settings: AuditSettings) -> str | None:
    """What is in the way, with the mend."""
    home, binary = installation.home, settings.binary
    missing = installation.source_problems(Patch.ADDITIVE_ERROR)
    if missing:
        return missing[0]
    if not (home / binary).is_file():
        return f"{binary} is not built: run `make {binary}` in {home}"
    if not adds_errors(home / binary):
        return f"{binary} was built without the patch: run `make {binary}` in {home}"
    return None
