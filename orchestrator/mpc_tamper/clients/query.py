"""A client's side of a served model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.clients.serve import NAMED_CLIENT, OUTPUTS
from mpc_tamper.core.errors import DataError, OpeningError
from mpc_tamper.core.pixels import MAX_PIXEL
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
    classes: int = 2,
    timeout_seconds: float = 60.0,
) -> np.ndarray:
    """(3,) int64: the class, whether a score comes with it, and the score as the servers' model scales it, or 0.

    pixels: (n,) integers from 0 to 255, which the servers check without learning them; DataError for others.
    classes: how many the model tells apart.
    certificates: a folder with party0.pem, party1.pem and party2.pem.  key, certificate: the client's own; where both
    are None, it is anonymous, or the one that the servers made for everybody on an engine without anonymous clients.

    Raises PartyErrors.
    """
    if pixels.dtype.kind not in "iu" or np.any(pixels < 0) or np.any(pixels > MAX_PIXEL):
        raise DataError(
            f"expected pixels, integers from 0 to {MAX_PIXEL}, got others ({pixels.dtype}); convert the image"
        )
    first, second, third = (certificate_file(certificates, i) for i in range(PARTIES))
    if (key is None or certificate is None) and not engine.capabilities.anonymous_clients:
        key, certificate = (certificates / f"{NAMED_CLIENT}.{suffix}" for suffix in ("key", "pem"))
    credentials = Credentials((first, second, third), key, certificate)
    client = engine.connect(addresses, credentials, timeout_seconds=timeout_seconds)
    try:
        client.send_private_inputs(pixels.astype(np.int64))
        return answer(client.receive_outputs(OUTPUTS), classes)
    finally:
        client.close()


def answer(outputs: np.ndarray, classes: int = 2) -> np.ndarray:
    """(OUTPUTS,) int64 that the servers revealed, without the last: whether they answered. Raises OpeningError."""
    found, scored, _, valid = (int(value) for value in outputs)
    if not 0 <= found < classes or scored not in (0, 1) or valid not in (0, 1):
        raise OpeningError(
            "expected a class and two bits from the servers, got other numbers: they run another program"
        )
    if not valid:
        raise OpeningError(
            f"the servers found something else than pixels from 0 to {MAX_PIXEL} in what this client sent, and refused "
            "it: there is no answer; where it did send pixels, a server cheats"
        )
    return outputs[:-1]
