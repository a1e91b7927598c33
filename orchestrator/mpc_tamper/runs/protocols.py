"""The engines and protocols by name, and what there is to know of a protocol: the one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PARTIES = 3


class EngineName(StrEnum):
    """clear computes on plain values, rep3 is embedded, mp-spdz is a tree that the user has built."""

    CLEAR = "clear"
    REP3 = "rep3"
    MP_SPDZ = "mp-spdz"


class ProtocolName(StrEnum):
    """MP-SPDZ's script names."""

    RING = "ring"
    PS_REP_RING = "ps-rep-ring"
    MAL_REP_RING = "mal-rep-ring"
    SY_REP_RING = "sy-rep-ring"
    SHAMIR = "shamir"
    MAL_SHAMIR = "mal-shamir"
    REP_FIELD = "rep-field"
    MAL_REP_FIELD = "mal-rep-field"

    @property
    def active(self) -> bool:
        """Secure with abort against a corrupt party; otherwise passively secure."""
        return FACTS[self].basis is not self

    @property
    def basis(self) -> ProtocolName:
        """The passive protocol whose shares an active one takes over; a passive protocol itself."""
        return FACTS[self].basis

    @property
    def ring(self) -> bool:
        """Values are integers modulo 2^64; otherwise elements of a prime field."""
        return FACTS[self].ring


@dataclass(frozen=True)
class Facts:
    """basis, ring: see the properties of ProtocolName."""

    basis: ProtocolName
    ring: bool


FACTS: Mapping[ProtocolName, Facts] = MappingProxyType(
    {
        ProtocolName.RING: Facts(ProtocolName.RING, ring=True),
        ProtocolName.PS_REP_RING: Facts(ProtocolName.RING, ring=True),
        ProtocolName.MAL_REP_RING: Facts(ProtocolName.RING, ring=True),
        ProtocolName.SY_REP_RING: Facts(ProtocolName.RING, ring=True),
        ProtocolName.SHAMIR: Facts(ProtocolName.SHAMIR, ring=False),
        ProtocolName.MAL_SHAMIR: Facts(ProtocolName.SHAMIR, ring=False),
        ProtocolName.REP_FIELD: Facts(ProtocolName.REP_FIELD, ring=False),
        ProtocolName.MAL_REP_FIELD: Facts(ProtocolName.REP_FIELD, ring=False),
    }
)
