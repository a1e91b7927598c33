"""Who holds the training data, and how it comes to the servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.runs.protocols import PARTIES


@dataclass(frozen=True)
class Owners:
    """Who holds the training data.

    row_counts: of party 0, 1, ..., in the order of the data.  labels: the party that knows all labels; None where every
    owner knows those of its own rows.
    """

    row_counts: tuple[int, ...]
    labels: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.row_counts) <= PARTIES or min(self.row_counts) < 1:
            raise ParameterError(
                f"owners: expected one to {PARTIES} owners with at least a row each, got {self.row_counts}"
            )
        if self.labels is not None and not 0 <= self.labels < PARTIES:
            raise ParameterError(f"labels owner: expected party 0 to {PARTIES - 1}, got {self.labels}")

    @classmethod
    def share_equally(cls, rows: int, owners: int = 1, labels: int | None = None) -> Owners:
        """Split rows among 1 to 3 owners, the first ones having one more where it does not divide."""
        if not 1 <= owners <= PARTIES:
            raise ParameterError(f"owners: expected 1 to {PARTIES}, got {owners}")
        return cls(tuple(rows // owners + (i < rows % owners) for i in range(owners)), labels)


@dataclass(frozen=True)
class ClientRows:
    """Training data of clients outside the servers, who know their rows' labels.

    row_counts: of each client, in the order in which they connect.
    port_base: server i waits for them on port_base + i.
    known: a folder with the certificates of the clients to accept; None accepts anybody.
    """

    row_counts: tuple[int, ...]
    port_base: int
    known: Path | None = None

    def __post_init__(self) -> None:
        if not self.row_counts or min(self.row_counts) < 1:
            raise ParameterError(f"clients: expected one or more with at least a row each, got {self.row_counts}")
        if not 1024 <= self.port_base <= 65535 - PARTIES + 1:
            raise ParameterError(f"client port: expected 1024 to {65535 - PARTIES + 1}, got {self.port_base}")

    @property
    def labels(self) -> None:
        """No party holds them."""


@dataclass(frozen=True)
class StoredRows:
    """Rows, multiplied by their labels, that stand as shares at the beginning of an earlier stage's share files.

    carry: how many shares after the rows are to stand after the model that is trained on them.
    """

    count: int
    carry: int = 0

    @property
    def row_counts(self) -> tuple[int]:
        return (self.count,)

    @property
    def labels(self) -> None:
        """No party holds them."""


RowSource = Owners | ClientRows | StoredRows
