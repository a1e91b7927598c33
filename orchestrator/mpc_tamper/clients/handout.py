"""What three servers keep and hand out so that clients can find and know them: keys, certificates, addresses."""

from __future__ import annotations

import shutil
from pathlib import Path

from mpc_tamper.core.files import write_atomically
from mpc_tamper.datasets.tables.schema import Schema
from mpc_tamper.datasets.tables.schema_files import FILE as SCHEMA
from mpc_tamper.datasets.tables.schema_files import write_schema
from mpc_tamper.engines.certificates import certificate_file, key_file, make_certificate
from mpc_tamper.engines.hosts import Address, Host
from mpc_tamper.runs.protocols import PARTIES

HOSTS = "HOSTS"
_HOST = "127.0.0.1"


def write_hand_out(
    run_dir: Path,
    port_base: int,
    name: str,
    description: str,
    schema: Schema | None = None,
    host: Host | None = None,
) -> tuple[Path | None, Path]:
    """The servers' identities, made where there are none yet, and the folder for clients, with the description in
    a file of this name.

    schema: of a table, by which clients encode their rows. The description comes last: with it all is there.
    host: on three hosts each server shows clients the certificate that it shows the other two, so that there are no
    further identities, and the folder that each host writes is the same.
    """
    folder = run_dir / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    if host is None:
        identities: Path | None = _identities(run_dir / "identities")
        certificates = [certificate_file(run_dir / "identities", i) for i in range(PARTIES)]
        names = [_HOST] * PARTIES
    else:
        identities, certificates = None, list(host.certificates)
        names = [address.host for address in host.addresses]
    for i, certificate in enumerate(certificates):
        shutil.copyfile(certificate, certificate_file(folder, i))
    lines = "".join(f"{Address(server, port_base + i)}\n" for i, server in enumerate(names))
    write_atomically(folder / HOSTS, lines, public=True)
    if schema is None:
        (folder / SCHEMA).unlink(missing_ok=True)  # of another model, served from this folder before
    else:
        write_schema(folder / SCHEMA, schema)
    write_atomically(folder / name, description, public=True)
    return identities, folder


def _identities(folder: Path) -> Path:
    for i in range(PARTIES):
        if not (key_file(folder, i).exists() and certificate_file(folder, i).exists()):
            make_certificate(i, folder, valid_days=365)
    return folder
