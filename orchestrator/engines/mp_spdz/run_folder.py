"""The folder in which the parties run, laid out as MP-SPDZ expects it.

Programs/       what the compiler wrote                  Persistence/    share files
Player-Data/    inputs, outputs, keys, certificates      logs/           what compiler and parties printed
HOSTS           address:port of each party               additive_errors.txt
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from orchestrator.engines.mp_spdz.certificates import make_certificate
from orchestrator.engines.mp_spdz.parties import PartyEnd
from orchestrator.errors import PortInUse, ShareFileError
from orchestrator.files import write_atomically
from orchestrator.records import PARTIES, InputFiles

HOSTS = "HOSTS"
_LOCALHOST = "127.0.0.1"
_PLAYER_DATA = "Player-Data"
_PERSISTENCE = "Persistence"


def write_inputs(run_dir: Path, inputs: Mapping[int, InputFiles]) -> None:
    """Link each owner's files to the names under which MP-SPDZ looks for them."""
    folder = run_dir / _PLAYER_DATA
    folder.mkdir(parents=True, exist_ok=True)
    for owner, files in inputs.items():
        for source, name in ((files.text, f"Input-P{owner}-0"), (files.binary, f"Input-Binary-P{owner}-0")):
            (folder / name).unlink(missing_ok=True)
            if source is not None:
                (folder / name).symlink_to(source.resolve())


def write_certificates(run_dir: Path) -> None:
    """Fresh keys and certificates of all three parties, for a run on this machine."""
    for party_id in range(PARTIES):
        make_certificate(party_id, run_dir / _PLAYER_DATA)


def write_hosts(run_dir: Path, addresses: Sequence[tuple[str, int]]) -> None:
    write_atomically(run_dir / HOSTS, "".join(f"{host}:{port}\n" for host, port in addresses))


def local_addresses(port_base: int | None) -> list[tuple[str, int]]:
    """Three ports of this machine that are free now. Raises PortInUse where one of those asked for is not."""
    with ExitStack() as stack:
        return [(_LOCALHOST, _free_port(stack, port_base, i)) for i in range(PARTIES)]


def _free_port(stack: ExitStack, port_base: int | None, party_id: int) -> int:
    port = 0 if port_base is None else port_base + party_id
    listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
    except (OSError, OverflowError) as exc:
        raise PortInUse(
            f"expected port {port} to be free for party {party_id}: {exc}; choose another --port-base"
        ) from exc
    return int(listener.getsockname()[1])


def take_shares(run_dir: Path, shares_from: Path) -> dict[Path, int]:
    """Copy an earlier run's share files; return the copies and their sizes."""
    folder = run_dir / _PERSISTENCE
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for party_id in range(PARTIES):
        name = f"Transactions-P{party_id}.data"
        source = shares_from / _PERSISTENCE / name
        if not source.is_file():
            raise ShareFileError(f"{source}: expected the share file of party {party_id}, got no such file")
        shutil.copyfile(source, folder / name)
        (folder / name).chmod(0o600)
        sizes[folder / name] = source.stat().st_size
    return sizes


def keep_own_shares(run_dir: Path, taken: Mapping[Path, int]) -> None:
    """Leave only what the run itself appended: MP-SPDZ writes to the files that it reads from."""
    for path in (run_dir / _PERSISTENCE).glob("Transactions-gf2n-*"):  # headers without shares
        path.unlink()
    for path, size in taken.items():
        content = path.read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")
        if len(content) == size:
            path.unlink()
        else:
            write_atomically(path, content[:header] + content[size:], mode=0o600)


def drop_results(run_dir: Path) -> None:
    """After a failure: no share file and no output of a run that did not end well."""
    shutil.rmtree(run_dir / _PERSISTENCE, ignore_errors=True)
    for path in (run_dir / _PLAYER_DATA).glob("Binary-Output-*"):
        path.unlink()


def binary_output(run_dir: Path) -> tuple[int, ...]:
    """The integers of binary_output(), as party 0 wrote them."""
    path = run_dir / _PLAYER_DATA / "Binary-Output-P0-0"
    return tuple(np.fromfile(path, "<i8").tolist()) if path.exists() else ()


def write_logs(run_dir: Path, ends: Sequence[PartyEnd]) -> None:
    for end in ends:
        for name, lines in (("output", end.transcript.output), ("errors", end.transcript.errors)):
            text = "".join(f"{line.text}\n" for line in lines)
            write_atomically(run_dir / "logs" / f"party{end.party_id}-{name}.txt", text)
