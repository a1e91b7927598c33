"""mpc-tamper serve, query, contribute and client-certificate: clients outside the servers, and a model for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import (
    BudgetOption,
    ClientPortOption,
    EngineOption,
    KnownClientsOption,
    QuietOption,
    TimeoutOption,
    with_options,
)
from mpc_tamper.cli.places import PlaceOptions
from mpc_tamper.core.counted import counted
from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import EngineName, ProtocolName

if TYPE_CHECKING:
    import numpy as np

# Of a client: where the servers are, what they showed, and what it shows.
ServersOption = Annotated[
    Path,
    typer.Option("--servers", metavar="HOSTS", help="A file with the HOST:PORT of servers 0, 1 and 2, one per line."),
]
CertificatesOption = Annotated[
    Path,
    typer.Option("--certificates", metavar="DIR", help="The servers' folder clients/, with party0.pem and so on."),
]
KeyOption = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The file with the client's own key.")]
CertificateOption = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="The certificate of that key. (default: anonymous)"),
]


QuerySchemaOption = Annotated[
    Path | None,
    typer.Option(
        "--schema", metavar="FILE", help="The schema of a table. (default: schema.toml, which the servers handed out)"
    ),
]


@with_options(PlaceOptions)
def serve(
    place: PlaceOptions,
    model: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that the training got as --run-dir.")],
    client_port: ClientPortOption = 15000,
    engine: EngineOption = EngineName.REP3,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="The protocol, an active one or ring. (default: mal-rep-ring on rep3, sy-rep-ring on mp-spdz)",
        ),
    ] = None,
    queries: Annotated[
        int | None, typer.Option("--queries", min=1, help="End after this many clients. (default: at an interrupt)")
    ] = None,
    budget: BudgetOption = None,
    together: Annotated[
        int | None,
        typer.Option(
            "--together",
            metavar="K",
            min=1,
            help="Make one proof for up to K waiting clients. (default: 8 on rep3, 1 on mp-spdz)",
        ),
    ] = None,
    answer: Annotated[str, typer.Option("--answer", metavar="class|score", help="What each client learns.")] = "class",
    known_clients: KnownClientsOption = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir", readable=False, help="A folder for keys, logs and what clients need. (default: in runs/)"
        ),
    ] = None,
    timeout: TimeoutOption = 60.0,
    quiet: QuietOption = False,
) -> None:
    """Answer clients with the class of their images. Three local servers, or with --hosts one on each of three
    hosts, hold the model's shares. Ctrl-C ends them.
    """
    from mpc_tamper.cli.program import run_folder
    from mpc_tamper.clients import serve as serving
    from mpc_tamper.clients.handout import HOSTS
    from mpc_tamper.core.files import is_file
    from mpc_tamper.datasets.tables.schema_files import FILE as SCHEMA
    from mpc_tamper.workflows.stages import shares_of

    if answer not in set(serving.Answer):
        raise UsageError(f"expected --answer class or score, got {answer!r}")
    runs_on = place.engine(engine, quiet=quiet)
    serving.check_engine(runs_on, protocol)
    if protocol is not None and not protocol.active:
        console.warn(
            f"{protocol} is passive: a server that cheats can change answers unnoticed, and what the servers' share "
            "files hold is not compared"
        )
    with run_folder(run_dir, "serve") as kept:
        if not quiet:
            folder = kept / "clients"
            asked = "ROWS.csv --index 0" if is_file(shares_of(model) / SCHEMA) else "IMAGE.png"
            console.say(f"query: mpc-tamper query {asked} --servers {folder / HOSTS} --certificates {folder}")
            if known_clients is None and runs_on.capabilities.anonymous_clients:
                console.note("anonymous clients are served; --known-clients DIR serves known ones only")
        try:
            with shown(quiet=quiet) as progress:
                serving.serve(
                    shares_of(model),
                    engine=runs_on,
                    run_dir=kept,
                    port_base=client_port,
                    protocol=protocol,
                    queries=queries,
                    budget=budget,
                    together=together,
                    answer=serving.Answer(answer),
                    known=known_clients,
                    timeout_seconds=timeout,
                    progress=progress,
                )
        except KeyboardInterrupt:
            console.note("stopped")


def query(
    image: Annotated[
        Path,
        typer.Argument(metavar="IMAGE.png|FILE.npz|FILE.csv", help="The image, or the row of a table, to classify."),
    ],
    servers: ServersOption,
    certificates: CertificatesOption,
    index: Annotated[
        int | None, typer.Option("--index", help="Which test image of an .npz file, or row of a table, from 0.")
    ] = None,
    schema: QuerySchemaOption = None,
    engine: EngineOption = EngineName.REP3,
    key: KeyOption = None,
    certificate: CertificateOption = None,
    timeout: TimeoutOption = 60.0,
    quiet: QuietOption = False,
) -> None:
    """Ask three servers for the class of an image, or of a row. They learn neither the image nor the answer."""
    from mpc_tamper.clients import serve as serving
    from mpc_tamper.clients.query import ask
    from mpc_tamper.datasets.image import likely_shape, read_image
    from mpc_tamper.datasets.tables.files import is_table
    from mpc_tamper.engines.hosts import read_hosts
    from mpc_tamper.engines.registry import get_engine

    _check_pair(key, certificate)
    if not (runs_on := get_engine(engine)).capabilities.queries:
        raise UsageError(f"expected --engine rep3 or mp-spdz, got {engine}: it serves no clients")
    service = serving.Service.read(certificates / serving.SERVICE)
    if service.engine is not engine:
        raise UsageError(f"expected --engine {service.engine}, on which these servers run, got {engine}")
    pixels = (
        _table_row(image, index, schema, certificates)
        if is_table(image)
        else read_image(image, index, service.features, service.image_shape or likely_shape(service.features))
    )
    if pixels.size != service.features:
        raise UsageError(f"expected {service.features} features, as the model has, got {pixels.size}; check the schema")
    outputs = ask(
        pixels,
        read_hosts(servers),
        certificates,
        engine=runs_on,
        key=key,
        certificate=certificate,
        classes=service.classes,
        timeout_seconds=timeout,
    )
    _print(outputs, service.score_bits, quiet, _class_names(schema, certificates) if is_table(image) else ())


def contribute(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.npz|FILE.csv", help="The file whose training images or rows and labels are shared."
        ),
    ],
    servers: ServersOption,
    certificates: CertificatesOption,
    rows: Annotated[
        str | None, typer.Option("--only-rows", metavar="A:B", help="Share only rows A to B - 1. (default: all)")
    ] = None,
    schema: QuerySchemaOption = None,
    key: KeyOption = None,
    certificate: CertificateOption = None,
    timeout: TimeoutOption = 600.0,
    quiet: QuietOption = False,
) -> None:
    """Share training rows among three servers that wait for them (mpc-tamper train --clients). They learn no row."""
    from mpc_tamper.clients import contribute as contributing
    from mpc_tamper.datasets.npz import read_contribution
    from mpc_tamper.datasets.tables.files import is_table
    from mpc_tamper.datasets.tables.schema_files import read_schema
    from mpc_tamper.datasets.tables.task import read_labelled
    from mpc_tamper.engines.hosts import read_hosts
    from mpc_tamper.engines.registry import get_engine

    _check_pair(key, certificate)
    addresses = read_hosts(servers)
    if is_table(data):
        x, y = read_labelled(data, read_schema(_schema(schema, certificates)))
    else:
        x, y = read_contribution(data)
    part = _rows(rows, len(x))
    with shown(quiet=quiet) as progress:
        contributing.contribute(
            x[part],
            y[part],
            addresses,
            certificates,
            engine=get_engine(EngineName.REP3),
            key=key,
            certificate=certificate,
            timeout_seconds=timeout,
            progress=progress,
        )
    if not quiet:
        console.say(f"contributed {counted(part.stop - part.start, 'row')}")


def client_certificate(
    name: Annotated[str, typer.Argument(help="The name of the client. MP-SPDZ expects C0, C1, ...")],
    out: Annotated[Path, typer.Option("--out", readable=False, metavar="DIR", help="The folder for both files.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many days the certificate is valid.")] = 365,
) -> None:
    """Make a client's key, which stays with it, and its certificate, which goes to the servers."""
    from mpc_tamper.engines.certificates import fingerprint, write_certificate

    if not name.isidentifier() or len(name) > 64:
        raise UsageError(f"expected a name of letters, digits and _, at most 64 of them, got {name!r}")
    key, certificate = out / f"{name}.key", out / f"{name}.pem"
    for path in (key, certificate):
        if path.exists():
            raise UsageError(f"{path}: expected no such file yet, got one; remove it, or choose another --out")
    write_certificate(name, key, certificate, days)
    console.say(f"key          {key}  (stays with the client)")
    console.say(f"certificate  {certificate}  (goes to the servers)")
    console.say(f"SHA-256      {fingerprint(certificate)}")


def _schema(schema: Path | None, certificates: Path) -> Path:
    """The file that was named, else the one that the servers handed out. Raises UsageError."""
    from mpc_tamper.core.files import is_file
    from mpc_tamper.datasets.tables.schema_files import FILE

    if schema is None and not is_file(certificates / FILE):
        raise UsageError(
            f"expected {FILE} in {certificates}, got none: these servers' model is of images or of an .npz file; give "
            "such a file, or name a schema with --schema"
        )
    return certificates / FILE if schema is None else schema


def _table_row(path: Path, index: int | None, schema: Path | None, certificates: Path) -> np.ndarray:
    """(n,) uint8: a row of the table, which may lack the label's column, by the schema."""
    from mpc_tamper.datasets.tables.schema_files import read_schema
    from mpc_tamper.datasets.tables.task import read_unlabelled

    x = read_unlabelled(path, read_schema(_schema(schema, certificates)))
    if index is None and len(x) == 1:
        index = 0
    if index is None or not 0 <= index < len(x):
        raise UsageError(f"{path}: expected --index from 0 to {len(x) - 1}, the row to classify, got {index}")
    row: np.ndarray = x[index]
    return row


def _check_pair(key: Path | None, certificate: Path | None) -> None:
    if (key is None) != (certificate is None):
        raise UsageError("expected --key and --certificate together, got one; give both or neither")


def _rows(text: str | None, count: int) -> slice:
    """'100:200' as a slice within count rows."""
    if text is None:
        return slice(0, count)
    first, colon, end = text.partition(":")
    if colon and first.isdecimal() and end.isdecimal() and int(first) < int(end) <= count:
        return slice(int(first), int(end))
    raise UsageError(f"expected --only-rows A:B with 0 <= A < B <= {count}, the rows of the file, got {text!r}")


def _class_names(schema: Path | None, certificates: Path) -> tuple[str, ...]:
    from mpc_tamper.datasets.tables.schema_files import read_schema

    return read_schema(_schema(schema, certificates)).classes


def _print(outputs: np.ndarray, score_bits: int, quiet: bool, names: tuple[str, ...] = ()) -> None:
    """The class, by number and by name where it has one, and, where the servers give one, the score."""
    found, scored, score = (int(value) for value in outputs)
    named = f" ({names[found]})" if found < len(names) else ""
    words = [str(found)] if quiet else [f"class {found}{named}"]
    if scored:
        real = f"{score / (1 << score_bits):.6f}"
        words.append(real if quiet else f"score {real}")
    console.say("\n".join(words))
