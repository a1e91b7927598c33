"""A client's side of a served model, on either engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.clients.serving import MP_SPDZ_CLIENT, OUTPUTS
from mpc_tamper.engines.hosts import Addresses
from mpc_tamper.engines.rep3.transport.certificates import certificate_file
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import PARTIES


def ask(
    pixels: np.ndarray,
    addresses: Addresses,
    certificates: Path,
    *,
    engine: EngineName = EngineName.REP3,
    key: Path | None = None,
    certificate: Path | None = None,
    timeout_seconds: float = 60.0,
) -> np.ndarray:
    """(3,) int64: the class, whether a score comes with it, and the score at scale 2^24, or 0.

    pixels: (n,) uint8.  certificates: a folder with party0.pem, party1.pem and party2.pem.
    key, certificate: the client's own; both None to be anonymous, on rep3.  Raises PartyErrors.
    """
    values = pixels.astype(np.int64)
    first, second, third = (certificate_file(certificates, i) for i in range(PARTIES))
    if engine is EngineName.MP_SPDZ:
        from mpc_tamper.engines.mp_spdz import clients

        if key is None or certificate is None:
            key, certificate = (certificates / f"{MP_SPDZ_CLIENT}.{suffix}" for suffix in ("key", "pem"))
        place = clients.Place(addresses, (first, second, third), key, certificate)
        return clients.ask(values, OUTPUTS, place, timeout_seconds)
    from mpc_tamper.engines.rep3.clients.client import Credentials, connect

    credentials = Credentials((first, second, third), key, certificate)
    client = connect(addresses, credentials, timeout_seconds=timeout_seconds)
    try:
        client.send_private_inputs(values)
        return client.receive_outputs(OUTPUTS)
    finally:
        client.close()
