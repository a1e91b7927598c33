"""The folder in which the parties run, laid out as MP-SPDZ expects it.

Programs/       what the compiler wrote                  Persistence/    share files
Player-Data/    inputs, outputs, keys, certificates      logs/           what compiler and parties printed
HOSTS-P<i>      address:port of each party, for party i  additive_errors.txt

Folders with inputs, outputs, keys and shares are open to their owner alone before anything is in them.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import PortInUse, ShareFileError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.engines.mp_spdz.certificates import make_certificate
from mpc_tamper.engines.mp_spdz.parties import PartyEnd
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import InputFiles

_LOCALHOST = "127.0.0.1"
_PLAYER_DATA = "Player-Data"
_PERSISTENCE = "Persistence"
_FIRST_PORT, _PORTS = 10_000, 20_000
_ATTEMPTS = 20


def player_data(run_dir: Path) -> Path:
    """Inputs, outputs, keys and certificates."""
    return run_dir / _PLAYER_DATA


def write_inputs(run_dir: Path, inputs: Mapping[int, InputFiles]) -> None:
    """Link each owner's files to the names under which MP-SPDZ looks for them."""
    folder = _private(run_dir / _PLAYER_DATA)
    for owner, files in inputs.items():
        for source, name in ((files.text, f"Input-P{owner}-0"), (files.binary, f"Input-Binary-P{owner}-0")):
            (folder / name).unlink(missing_ok=True)
            if source is not None:
                (folder / name).symlink_to(source.resolve())


def write_certificates(run_dir: Path) -> None:
    """Fresh keys and certificates of all three parties, for a run on this machine."""
    for party_id in range(PARTIES):
        make_certificate(party_id, run_dir / _PLAYER_DATA)


def hosts_file(party_id: int) -> str:
    return f"HOSTS-P{party_id}"


def write_hosts(run_dir: Path, party_id: int, addresses: Sequence[tuple[str, int]]) -> None:
    """Where this party listens and where it reaches the others."""
    write_atomically(run_dir / hosts_file(party_id), "".join(f"{host}:{port}\n" for host, port in addresses))


def local_addresses(port_base: int | None, parties: int = PARTIES) -> list[tuple[str, int]]:
    """A port for each party of this machine, free now. Raises PortInUse where one of those asked for is not.

    Where the choice is ours, the ports are below those that systems give to outgoing connections. Otherwise a party's
    own connection could take a port before the party for which it is meant listens.
    """
    if port_base is not None:
        return _free_ports(port_base, parties)
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(PortInUse):
            return _free_ports(_FIRST_PORT + secrets.randbelow(_PORTS), parties)
    raise PortInUse(
        f"expected {parties} free ports in a row from {_FIRST_PORT} on, got none in {_ATTEMPTS} attempts; choose some "
        "with --port-base"
    )


def _free_ports(base: int, parties: int) -> list[tuple[str, int]]:
    with contextlib.ExitStack() as stack:
        for party_id in range(parties):
            listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("", base + party_id))
            except (OSError, OverflowError) as exc:
                raise PortInUse(
                    f"expected port {base + party_id} to be free for party {party_id}: {exc}; choose other ports"
                ) from exc
    return [(_LOCALHOST, base + party_id) for party_id in range(parties)]


@contextlib.contextmanager
def share_files(run_dir: Path, shares_from: Path | None, parties: Sequence[int]) -> Iterator[None]:
    """Within the block these parties find an earlier run's shares; after it, what this run wrote.

    MP-SPDZ writes to the files that it reads from, so what was there before is taken out again, unless the run
    continues in the folder of the earlier one. A run that fails leaves no shares, or in that folder those that were
    there.
    """
    folder = run_dir / _PERSISTENCE
    in_place = shares_from is not None and shares_from.resolve() == run_dir.resolve()
    before = run_dir / f"{_PERSISTENCE}.before"
    if in_place:
        shutil.copytree(_private(folder), _private(before), dirs_exist_ok=True)
    taken = {} if shares_from is None or in_place else _take(run_dir, shares_from, parties)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if in_place:
            before.rename(folder)
        raise
    if in_place:
        shutil.rmtree(before)
    for path in folder.glob("Transactions-gf2n-*"):  # headers without shares
        path.unlink()
    for path, size in taken.items():
        _keep_what_follows(path, size)


def _take(run_dir: Path, shares_from: Path, parties: Sequence[int]) -> dict[Path, int]:
    """Copy an earlier run's share files, and the MAC keys without which some cannot be read; return their sizes."""
    folder = _private(run_dir / _PERSISTENCE)
    sizes = {}
    for party_id in parties:
        name = f"Transactions-P{party_id}.data"
        source = shares_from / _PERSISTENCE / name
        if not source.is_file():
            raise ShareFileError(f"{source}: expected the share file of party {party_id}, got no such file")
        (folder / name).touch(mode=0o600)
        shutil.copyfile(source, folder / name)
        sizes[folder / name] = source.stat().st_size
    for source in (shares_from / _PLAYER_DATA).glob("*/Player-MAC-Keys-*"):
        key = run_dir / source.relative_to(shares_from)
        _private(run_dir / _PLAYER_DATA)
        _private(key.parent)
        key.touch(mode=0o600)
        shutil.copyfile(source, key)
    return sizes


def _private(folder: Path) -> Path:
    """The folder, made if need be, open to its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _keep_what_follows(path: Path, size: int) -> None:
    """Take the first `size` bytes' shares out of a share file; remove it where nothing follows them."""
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    if len(content) == size:
        path.unlink()
    else:
        write_atomically(path, content[:header] + content[size:])


def drop_output(run_dir: Path) -> None:
    """No binary output of an earlier run, or of one that did not end well."""
    for path in (run_dir / _PLAYER_DATA).glob("Binary-Output-*"):
        path.unlink()


def binary_output(run_dir: Path, party_id: int) -> tuple[int, ...]:
    """The integers of binary_output(), as this party wrote them."""
    path = run_dir / _PLAYER_DATA / f"Binary-Output-P{party_id}-0"
    return tuple(np.fromfile(path, "<i8").tolist()) if path.exists() else ()


def write_logs(run_dir: Path, ends: Sequence[PartyEnd]) -> None:
    for end in ends:
        for name, lines in (("output", end.transcript.output), ("errors", end.transcript.errors)):
            text = "".join(f"{line.text}\n" for line in lines)
            write_atomically(run_dir / "logs" / f"party{end.party_id}-{name}.txt", text)
