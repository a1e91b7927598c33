"""Three hosts, each with a folder of its own: network namespaces of this machine, or ports of 127.0.0.1.

The namespaces are joined by a bridge in a fourth; nothing outside them is touched. That takes root and `ip netns`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mpc_tamper.runs.protocols import PARTIES
from tests.support.ports import free_ports
from tests.support.processes import started

PORT = 14000


@dataclass
class Hosts:
    """addresses: lines of the hosts file.  prefixes: what runs a command on a host.  switch: the bridge's namespace."""

    folder: Path
    addresses: Sequence[str]
    prefixes: Sequence[Sequence[str]]
    switch: str | None = None
    _processes: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def host(self, party: int) -> Path:
        return self.folder / f"host{party}"

    def exchange_certificates(self, make: Callable[[int, Path], tuple[Path, Path]]) -> None:
        """Every host makes its key and certificate, and gets the others' certificates and the hosts file."""
        certificates = [make(i, self.host(i))[1] for i in range(PARTIES)]
        for i in range(PARTIES):
            (self.host(i) / "hosts").write_text("\n".join(self.addresses) + "\n")
            for certificate in certificates:
                with contextlib.suppress(shutil.SameFileError):
                    shutil.copy(certificate, self.host(i))

    def start(self, party: int, command: Sequence[str | Path]) -> subprocess.Popen[str]:
        """A process in the folder of that host; killed with the processes that it starts when the hosts go."""
        return self._processes.enter_context(started(command, cwd=self.host(party), under=self.prefixes[party]))

    def unplug(self, party: int) -> None:
        assert self.switch is not None
        ip("-n", self.switch, "link", "set", f"port{party}", "down")

    def close(self) -> None:
        self._processes.close()


@contextlib.contextmanager
def on_loopback(folder: Path) -> Iterator[Hosts]:
    base = free_ports()
    ports = range(base, base + PARTIES)
    with contextlib.closing(Hosts(folder, [f"127.0.0.1:{port}" for port in ports], [[]] * PARTIES)) as hosts:
        yield hosts


@contextlib.contextmanager
def in_namespaces(folder: Path) -> Iterator[Hosts]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root and iproute2's ip to make network namespaces")
    names = [f"mpc-tamper-{os.getpid()}-{i}" for i in range(PARTIES)]
    switch = f"mpc-tamper-{os.getpid()}-switch"
    with contextlib.ExitStack() as stack:
        for name in (switch, *names):
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if made.returncode:
                pytest.skip(f"needs network namespaces: {made.stderr.strip()}")
            stack.callback(ip, "netns", "delete", name)
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        for i, name in enumerate(names):
            ip("-n", switch, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "address", "add", f"10.77.0.{i + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")  # a party of MP-SPDZ also connects to itself
        addresses = [f"10.77.0.{i + 1}:{PORT}" for i in range(PARTIES)]
        prefixes = [["ip", "netns", "exec", name] for name in names]
        yield stack.enter_context(contextlib.closing(Hosts(folder, addresses, prefixes, switch)))


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
