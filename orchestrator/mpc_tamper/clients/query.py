"""A client's side of a served model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.clients.serve import NAMED_CLIENT, OUTPUTS
from mpc_tamper.engines.base import Credentials, Engine
from mpc_tamper.engines.certificates import certificate_file
from mpc_tamper.engines.hosts import Addresses
from mpc_tamper.runs.protocols import PARTIES


def ask(
    pixels: np.ndarray,
    addresses: Addresses,
    certificates: Path,
    *,
    engine: Engine,
    key: Path | None = None,
    certificate: Path | None = None,
    timeout_seconds: float = 60.0,
) -> np.ndarray:
    """(3,) int64: the class, whether a score comes with it, and the score as the servers' model scales it, or 0.

    pixels: (n,) uint8.  certificates: a folder with party0.pem, party1.pem and party2.pem.
    key, certificate: the client's own; where both are None, it is anonymous, or the one that the servers made for
    everybody on an engine without anonymous clients.  Raises PartyErrors.
    """
    first, second, third = (certificate_file(certificates, i) for i in range(PARTIES))
    if (key is None or certificate is None) and not engine.capabilities.anonymous_clients:
        key, certificate = (certificates / f"{NAMED_CLIENT}.{suffix}" for suffix in ("key", "pem"))
    credentials = Credentials((first, second, third), key, certificate)
    client = engine.connect(addresses, credentials, timeout_seconds=timeout_seconds)
    try:
        client.send_private_inputs(pixels.astype(np.int64))
        return client.receive_outputs(OUTPUTS)
    finally:
        client.close()
