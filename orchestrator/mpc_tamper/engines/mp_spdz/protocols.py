"""What each protocol needs: its party binary, the compiler's options, and what an additive-error plan does to it.

Options tried on v0.4.2. -R 64: the ring Z_2^64. -Z 3: compare and shift by splitting the shares of a value among the
three parties, which saves bytes and rounds; mal-rep-ring and fields have no such thing. -F 64: integers of 64 bits in
a prime field of the compiler's choice, equal to the ring while no value leaves 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from mpc_tamper.engines.mp_spdz.patch_state import Patch
from mpc_tamper.runs.protocols import ProtocolName


class PlanEffect(StrEnum):
    """What happens to a run when a party of the patched tree follows an additive-error plan."""

    SHIFTS = "shifts results"
    ABORTS = "aborts"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class ProtocolSettings:
    """binary: in MP-SPDZ's folder.  compile_options: without the program.

    repair: the patch without which v0.4.2's protocol does not notice what it should.
    """

    binary: str
    compile_options: tuple[str, ...]
    plan: PlanEffect
    repair: Patch | None = None


_RING = ("-R", "64")
_SPLIT_RING = ("-R", "64", "-Z", "3")
_FIELD = ("-F", "64")

SETTINGS: Mapping[ProtocolName, ProtocolSettings] = MappingProxyType(
    {
        ProtocolName.RING: ProtocolSettings("replicated-ring-party.x", _SPLIT_RING, PlanEffect.SHIFTS),
        ProtocolName.PS_REP_RING: ProtocolSettings("ps-rep-ring-party.x", _SPLIT_RING, PlanEffect.ABORTS),
        ProtocolName.MAL_REP_RING: ProtocolSettings("malicious-rep-ring-party.x", _RING, PlanEffect.ABORTS),
        ProtocolName.SY_REP_RING: ProtocolSettings(
            "sy-rep-ring-party.x", _SPLIT_RING, PlanEffect.ABORTS, Patch.ZERO_CHECK
        ),
        ProtocolName.SHAMIR: ProtocolSettings("shamir-party.x", _FIELD, PlanEffect.SHIFTS),
        ProtocolName.MAL_SHAMIR: ProtocolSettings("malicious-shamir-party.x", _FIELD, PlanEffect.UNSUPPORTED),
        ProtocolName.REP_FIELD: ProtocolSettings("replicated-field-party.x", _FIELD, PlanEffect.SHIFTS),
        ProtocolName.MAL_REP_FIELD: ProtocolSettings("malicious-rep-field-party.x", _FIELD, PlanEffect.UNSUPPORTED),
    }
)
