"""How much memory there is for the taking, and sizes as users write them."""

from __future__ import annotations

import contextlib
import re
import resource
from pathlib import Path

from mpc_tamper.core.errors import ParameterError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
LEAST_BYTES = 1 << 20
FORM = "SIZE"


def read_size(text: str) -> int:
    """'512M' as bytes; a unit is 1024 of the one below. Raises ParameterError."""
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * 1024 ** _POWERS[found[2].upper()]) if found else 0
    if size < LEAST_BYTES:
        raise ParameterError(
            f"expected a size of memory from 1M, such as 512M or 4G, got {text!r}; write a number and K, M, G or T"
        )
    return size


def available_bytes(processes: int) -> int | None:
    """What each of so many processes can still take before memory runs out, as far as the system tells: what is free or
    holds what can be dropped, within the limits of control groups and of a process. None where it tells nothing."""
    found = [*(room // processes for room in (*_machine(), *_control_groups())), *_limits()]
    return max(0, min(found)) if found else None


def _machine() -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return [int(line.split()[1]) << 10]
    return []


def _control_groups() -> list[int]:
    """Of this process's group and those above it, in either version of control groups."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                root, limit, used = Path("/sys/fs/cgroup"), "memory.max", "memory.current"
            elif "memory" in controllers.split(","):
                root, limit, used = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"
            else:
                continue
            place = root / path.lstrip("/")
            for folder in (place, *place.parents):
                found += _room(folder, limit, used)
                if folder == root:
                    break
    return found


def _room(folder: Path, limit: str, used: str) -> list[int]:
    """What is left of a group's limit; the cache of files counts as left, since it can be dropped."""
    with contextlib.suppress(OSError, ValueError):
        most = (folder / limit).read_text(encoding="ascii").strip()
        if most == "max":
            return []
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
        return [int(most) - int((folder / used).read_text(encoding="ascii")) + cached]
    return []


def _limits() -> list[int]:
    """What is left of this process's limits on data, and on all of its addresses."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        status = dict(line.split(":", 1) for line in lines if ":" in line)
        for limit, name in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
            most = resource.getrlimit(limit)[0]
            if most != resource.RLIM_INFINITY:
                found.append(most - (int(status[name].split()[0]) << 10))
    return found
