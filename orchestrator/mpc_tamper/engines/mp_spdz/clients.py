"""Clients of MP-SPDZ's client interface, with the Python client of the user's own tree (ExternalIO/client.py).

A client connects to port base + i of party i and is known by its number: it has a certificate C<number>, which every
party has in its Player-Data, as the client has theirs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from mpc_tamper.core.errors import (
    EngineUnavailable,
    HandshakeError,
    OpeningError,
    PeerLost,
    PeerTimeout,
    ProtocolAbort,
    UsageError,
)
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.hosts import Addresses
from mpc_tamper.engines.mp_spdz.certificates import install_certificates, install_client, install_party
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import ClientAccess


class Client:
    """MP-SPDZ's client finds its certificates in the current folder, so all of a conversation is one call: the values
    are kept until the outputs are asked for."""

    def __init__(self, addresses: Addresses, credentials: Credentials, timeout_seconds: float) -> None:
        self._place = addresses, credentials, timeout_seconds
        self._values = np.zeros(0, np.int64)

    def send_private_inputs(self, values: np.ndarray) -> None:
        self._values = np.concatenate([self._values, values])

    def receive_outputs(self, count: int) -> np.ndarray:
        return ask(self._values, count, *self._place)

    def send_public_inputs(self, values: np.ndarray) -> None:
        raise _without_public_values()

    def receive_public_outputs(self, count: int) -> np.ndarray:
        raise _without_public_values()

    def close(self) -> None:
        """ask() has closed what it opened."""


def _without_public_values() -> EngineUnavailable:
    return EngineUnavailable(
        "expected an engine whose clients contribute rows, got mp-spdz, whose servers end with a client; use rep3"
    )


def install(access: ClientAccess, folder: Path) -> None:
    """Put all parties' keys and certificates, and those of the known clients, into Player-Data."""
    if access.identities is None:
        return
    certificates = [access.identities / f"party{i}.pem" for i in range(PARTIES)]
    for i in range(PARTIES):
        install_certificates(i, access.identities / f"party{i}.key", certificates, folder)
    known = sorted(access.known.glob("*.pem")) if access.known is not None else []
    if not known:
        raise UsageError(
            "expected certificates C0.pem, C1.pem, ... of the clients to serve, which MP-SPDZ needs, got none; make "
            "some (mpc-tamper client-certificate C0)"
        )
    for certificate in known:
        install_client(certificate, folder)


def ask(
    values: np.ndarray,
    outputs: int,
    addresses: Addresses,
    credentials: Credentials,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
) -> np.ndarray:
    """Share (n,) int64 values among the parties; return the (outputs,) int64 that they reveal to this client.

    MP-SPDZ's client looks for certificates below the current folder, so this one changes it meanwhile.
    """
    hosts, port_base = _places(addresses)
    home = Installation.locate(os.environ if environment is None else environment).home
    with TemporaryFolder() as folder, _client_module(home) as module:
        player_data = Path(folder, "Player-Data")
        number = _install_own(credentials, player_data)
        with contextlib.chdir(folder), _socket_timeout(timeout_seconds), _mapped():
            client = module.Client(hosts, port_base, number)
            try:
                client.send_private_inputs([int(value) for value in values])
                return np.array(client.receive_outputs(outputs), dtype=np.int64)
            finally:
                for each in client.sockets:
                    each.close()


def _install_own(credentials: Credentials, folder: Path) -> int:
    """The client's Player-Data; returns its number."""
    if credentials.key is None or credentials.certificate is None:
        raise UsageError("expected a client's key and certificate, which MP-SPDZ asks for, got none; give both")
    folder.mkdir()
    for i, certificate in enumerate(credentials.servers):
        install_party(i, certificate, folder)
    install_client(credentials.certificate, folder)
    try:
        shutil.copyfile(credentials.key, folder / f"{credentials.certificate.stem}.key")
    except OSError as exc:
        raise UsageError(f"{credentials.key}: expected the client's key: {exc.strerror}") from exc
    return int(credentials.certificate.stem.removeprefix("C"))


def _places(addresses: Addresses) -> tuple[list[str], int]:
    base = addresses[0].port
    if [address.port - base for address in addresses] != list(range(PARTIES)):
        raise UsageError(
            "expected ports that rise by one from server to server, as MP-SPDZ has it, got "
            + ", ".join(str(address.port) for address in addresses)
        )
    return [address.host for address in addresses], base


@contextlib.contextmanager
def _client_module(home: Path) -> Iterator[ModuleType]:
    """The tree's ExternalIO/client.py. It imports its neighbour `domains`, which is forgotten again afterwards."""
    folder = home / "ExternalIO"
    spec = importlib.util.spec_from_file_location("mp_spdz_client", folder / "client.py")
    if spec is None or spec.loader is None or not (folder / "client.py").is_file():
        raise EngineUnavailable(f"{folder}: expected MP-SPDZ's client.py there, got none; check MP_SPDZ_HOME")
    before = sys.modules.pop("domains", None)
    sys.path.insert(0, str(folder))
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("domains", None)
        if before is not None:
            sys.modules["domains"] = before


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    """The client's exceptions, which have no types of their own, as ours."""
    try:
        yield
    except TimeoutError as exc:
        raise PeerTimeout("a party sent nothing for too long; check that all three serve, or raise --timeout") from exc
    except ssl.SSLError as exc:
        raise HandshakeError(f"expected the pinned certificates, got a failed handshake: {exc}; exchange them") from exc
    except (ConnectionError, OSError) as exc:
        raise PeerLost(f"a party does not serve, or hung up: {exc}; check --servers and that all three run") from exc
    except Exception as exc:
        text = str(exc)
        if "triple" in text or "specification" in text:
            raise ProtocolAbort(f"a party deviated: {text}; there is no answer") from exc
        if "receiving" in text:
            raise PeerLost(f"a party hung up: {text}; see its log") from exc
        raise OpeningError(f"the parties' messages do not fit together: {exc!r}; there is no answer") from exc
