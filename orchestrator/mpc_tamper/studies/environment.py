"""What a run ran on, for its record, without a path or a host name."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle

CPU_INFO = Path("/proc/cpuinfo")


def environment() -> dict[str, str | int | None]:
    """Versions, processor and commit. commit is None outside a checkout of this software."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "commit": _commit(),
    }


def _cpu_model() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str | None:
    """The commit of the checkout, with + where its source differs from it."""
    top = _git("rev-parse", "--show-toplevel")
    commit = _git("rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != bundle.root().resolve():
        return None
    return commit + ("+" if _git("status", "--porcelain", "--", "orchestrator", "Programs", "data") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(bundle.root()), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
