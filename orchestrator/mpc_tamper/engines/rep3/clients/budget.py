"""How many queries a client may still ask of a model: counted by each server for itself, over sessions and restarts.

A client is the certificate that it shows. Clients without one are one client together, as nothing tells them apart.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mpc_tamper.core.ledger import Ledger
from mpc_tamper.engines import share_files

_ANONYMOUS = "anonymous"


class QueryBudget:
    """shares: this server's share file of the model.  limit: queries of each client.

    Raises UsageError where queries cannot be counted, ShareFileError where there are no shares.
    """

    def __init__(self, shares: Path, limit: int) -> None:
        self._model = share_files.digest(shares)
        self._limit = limit
        self._ledger = Ledger("queries")
        self._ledger.spent(self._model)  # fails now rather than at the first client

    def may_ask(self, certificate: bytes) -> bool:
        """Counts one more query, before it is answered, unless the budget is spent.  certificate: DER, or empty."""
        client = hashlib.sha256(certificate).hexdigest() if certificate else _ANONYMOUS
        return self._ledger.take([f"{self._model}-{client}"], self._limit) is not None
