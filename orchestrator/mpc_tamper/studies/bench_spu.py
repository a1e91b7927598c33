"""The steps of the SVM and of the network on SecretFlow-SPU: three processes of this machine, ABY3 over FM64.

SPU is an extra of its own (`pip install 'mpc-tamper[spu]'`). It holds JAX and NumPy at older versions, so it may stand
in an environment of its own, whose Python the variable SPU_PYTHON names. Where it cannot be run the record says why.
spu_party.py says in what its steps differ.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.runs.protocols import PARTIES

PYTHON = "SPU_PYTHON"
STEPS = 12
SVM = {"rows": 12_665, "columns": 785, "hidden": 0, "outputs": 1}
NETWORKS = {str(hidden): {"rows": 128, "columns": 785, "hidden": hidden, "outputs": 10} for hidden in (32, 128)}
_WARM_UP = 2  # steps that are left out
_SECONDS = 120.0  # for a job, inputs included
_SCRIPT = Path(__file__).with_name("spu_party.py")
_ASK = "import spu, jax, numpy; print(spu.__version__, jax.__version__, numpy.__version__)"


def bench_spu(*, steps: int = STEPS, progress: Progress = silent) -> dict[str, Any]:
    """Seconds of a step, or {"missing": reason}.  JSON types."""
    python = os.environ.get(PYTHON, sys.executable)
    asked = _ask(python)
    if asked.returncode:
        said = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"missing": f"SPU does not load ({said}); pip install spu, and name that Python with {PYTHON}"}
    versions = dict(zip(("spu", "jax", "numpy"), asked.stdout.split()[-3:], strict=True))
    found: dict[str, Any] = {"protocol": "ABY3", "field": "FM64", "versions": versions, "networks": {}}
    try:
        progress("SPU, ABY3: the SVM")
        found["svm"] = _run(python, SVM, steps)
        for hidden, job in NETWORKS.items():
            progress(f"SPU, ABY3: network of {hidden} neurons")
            found["networks"][hidden] = _run(python, job, steps)
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        return {"missing": f"SPU {versions['spu']} loads but does not run: {exc}"}
    return found


def _ask(python: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as exc:
        return subprocess.CompletedProcess([python], 1, "", str(exc))


def _run(python: str, job: Mapping[str, int], steps: int) -> dict[str, Any]:
    """Medians over steps at the party for which they took longest. Raises ValueError with what a party said last."""
    ports = [str(port) for port in _free_ports()]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        parties = []
        for rank in range(PARTIES):
            words = [python, str(_SCRIPT), str(rank), *ports, folder, json.dumps({**job, "steps": steps + _WARM_UP})]
            party = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.callback(party.wait)
            stack.callback(party.kill)
            parties.append(party)
        reports = []
        for party in parties:
            output, errors = party.communicate(timeout=_SECONDS)
            if party.returncode:
                raise ValueError((errors.strip().splitlines() or [f"exit code {party.returncode}"])[-1])
            reports.append(json.loads(output.strip().splitlines()[-1]))
    slowest = [max(each) for each in zip(*(report["seconds"][_WARM_UP:] for report in reports), strict=True)]
    return {
        "step_seconds": statistics.median(slowest),
        "step_quartiles": statistics.quantiles(slowest, n=4)[::2],
        "cpu_seconds_per_step": sum(report["cpu_seconds"] for report in reports) / (steps + _WARM_UP),
        "peak_rss_bytes_per_party": max(report["peak_rss_bytes"] for report in reports),
        "steps": steps,
    }


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(PARTIES)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
