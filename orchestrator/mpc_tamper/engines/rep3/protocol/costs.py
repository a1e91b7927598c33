"""Declared costs: what an operation sends per party, held against the channel's count by the conformance tests."""

from __future__ import annotations

from mpc_tamper.engines.rep3.transport.frame import HEADER_BYTES
from mpc_tamper.runs.result import Cost

WORD_BYTES = 8


def messages(*payload_bytes: int) -> Cost:
    """One message of each size to the next party, each in a round of its own."""
    return Cost(rounds=len(payload_bytes), bytes_sent=sum(payload_bytes) + HEADER_BYTES * len(payload_bytes))
