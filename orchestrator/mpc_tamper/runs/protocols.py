"""The engines and protocols by name."""

from __future__ import annotations

from enum import StrEnum


class EngineName(StrEnum):
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
