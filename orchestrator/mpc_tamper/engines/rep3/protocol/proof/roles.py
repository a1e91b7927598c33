"""What the three proofs of a batch have in common over bits and over integers: each party proves, and verifies as R and
as L, message by message.

Everything goes in lockstep: party p proves, is R to p - 1 and L to p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mpc_tamper.engines.rep3.protocol.proof.record import Record, Role
from mpc_tamper.engines.rep3.protocol.prss import Stream


@dataclass(frozen=True)
class Vectors:
    """u and v of each role that knows them, elements, once they have left the record."""

    u: dict[Role, np.ndarray]
    v: dict[Role, np.ndarray]


class Prover(Protocol):
    """Proves one statement."""

    def message(self, number: int) -> bytes:
        """L's parts of what is shared at level `number`."""
        ...

    def fold(self, number: int, challenge: bytes) -> None: ...


class Verifier(Protocol):
    """R or L of one statement: its side of the vectors, and its part of the claim."""

    def receive(self, number: int, message: bytes | None) -> np.ndarray:
        """This verifier's parts of what is shared at a level: L's are the message, R's are pads."""
        ...

    def fold(self, number: int, parts: np.ndarray, challenge: bytes) -> None: ...

    def opening(self) -> bytes:
        """What R shows L."""
        ...

    def accepts(self, opening: bytes) -> bool:
        """L's decision."""
        ...


class Statement(Protocol):
    """What is public of one kind's statement in a batch. levels: how many messages.  error: of soundness."""

    @property
    def name(self) -> str: ...
    @property
    def levels(self) -> int: ...
    @property
    def error(self) -> float: ...

    def message_bytes(self, number: int) -> int:
        """Of the prover's message at a level."""
        ...

    def opening_bytes(self, prover: int) -> int:
        """Of what R shows L."""
        ...

    def entries(self, record: Record, party: int, challenge: bytes) -> Any:
        """What all three roles of a party work on. challenge: 0, from which the weights come."""
        ...

    def verifier(self, entries: Any, role: Role, pads: Stream) -> Verifier:
        """R or L of one of the proofs. pads: R's from kappa_i, L's from kappa_{i-1}, i being the prover."""
        ...
