"""MP-SPDZ with one party per host, each with a folder of its own and the others' certificates as files.

The hosts are network namespaces, which takes root and `ip netns`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.mp_spdz.certificates import make_certificate
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.encoding import write_signed_rows
from mpc_tamper.models.linear_svm.bounds import fixed_point
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.program import training_call
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.workflows.training import train_and_open
from tests.support.hosts import in_namespaces
from tests.support.processes import descendants, wait_for, words

pytestmark = pytest.mark.netns
PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=5)
PLAN = AdditiveErrorPlan.from_errors(
    [AdditiveError("GRADIENT", 1, 3, 1 << 14), AdditiveError("MARGIN", 2, 5, -(1 << 25))]
)
ENDLESS = "x = sint(1)\n@for_range(10 ** 9)\ndef _(i):\n    x.update(x * x)\n"
PARTY = """
import sys
from pathlib import Path
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.engines.hosts import Host, read_hosts
from mpc_tamper.engines.mp_spdz.single_party import run_on_this_host
from mpc_tamper.runs.spec import InputFiles, RunSpec
party, program, run_dir, shares, binary, plan, *args = sys.argv[1:]
i = int(party)
spec = RunSpec(
    Path(program), tuple(args), run_dir=Path(run_dir), shares_from=Path(shares) if shares else None,
    inputs={i: InputFiles(binary=Path(binary))} if binary else {},
    corruption=Corruption(i, AdditiveErrorPlan.read(Path(plan))) if plan else None)
pem = tuple(Path(f"P{j}.pem") for j in range(3))
print(*run_on_this_host(spec, Host(i, read_hosts(Path("hosts")), Path(f"P{i}.key"), pem)).lines, sep="\\n")
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, mp_spdz: Callable[..., Engine]) -> Iterator[Start]:
    """start(party, program, *args, run_dir, shares, binary, plan): that party's process on its host."""
    mp_spdz()
    with in_namespaces(tmp_path) as hosts:
        hosts.exchange_certificates(make_certificate)

        def start(
            party: int, program: Path, *args: str, run_dir: str, shares: str = "", binary: str = "", plan: str = ""
        ) -> subprocess.Popen[str]:
            words = [sys.executable, "-c", PARTY, str(party), str(program), run_dir, shares, binary, plan, *args]
            return hosts.start(party, words)

        yield start


@pytest.mark.parametrize("corrupt_party", [None, 2], ids=["honest", "poisoned"])
def test_training(
    start: Start, mp_spdz: Callable[..., Engine], tiny_task: Task, tmp_path: Path, corrupt_party: int | None
) -> None:
    """Each host enters its own rows and starts at its own time."""
    mp_spdz(plan=corrupt_party is not None)
    rows, pixels = tiny_task.x_train.shape
    owners = Owners.share_equally(rows, PARTIES)
    inputs = write_signed_rows(tmp_path / "inputs", tiny_task.x_train, tiny_task.y_train, owners)
    constants = fixed_point(PARAMETERS, rows, pixels)
    arguments = training_call(PARAMETERS, constants, DataSize(rows, pixels, 255), owners).args
    PLAN.write(tmp_path / "plan.txt")
    parties = []
    for i in (2, 0, 1):
        plan = str(tmp_path / "plan.txt") if i == corrupt_party else ""
        own = str(inputs[i].binary)
        parties.append(start(i, bundle.program("svm_train.mpc"), *arguments, run_dir="train", binary=own, plan=plan))
        time.sleep(0.5)
    for party in parties:
        assert (party.communicate(timeout=240), party.returncode) == (("\n", ""), 0)
    parties = [
        start(i, bundle.program("svm_reveal.mpc"), f"columns={pixels + 1}", run_dir="reveal", shares="train")
        for i in range(PARTIES)
    ]
    assert [party.communicate(timeout=240) for party in parties] == [
        ("opened 17 weights\n", ""),
        ("\n", ""),
        ("\n", ""),
    ]
    expected = train_and_open(
        tiny_task,
        PARAMETERS,
        engine=get_engine(EngineName.CLEAR),
        owners=owners,
        corruption=Corruption.of(corrupt_party, None if corrupt_party is None else PLAN),
    ).weights
    for i in range(PARTIES):
        assert not (tmp_path / f"host{i}" / f"train/Persistence/Transactions-P{(i + 1) % PARTIES}.data").exists()
        opened = np.fromfile(tmp_path / f"host{i}" / f"reveal/Player-Data/Binary-Output-P{i}-0", "<i8")
        assert np.array_equal(opened, expected)


def computes(engine: int) -> bool:
    """Whether that process has compiled the program and started MP-SPDZ's own."""
    return any(b"-party.x" in b" ".join(words(process)) for process in descendants(engine))


def test_a_party_that_dies_ends_the_others(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "endless.mpc"
    program.write_text(ENDLESS)
    parties = [start(i, program, run_dir="run") for i in range(PARTIES)]
    wait_for(lambda: all(computes(party.pid) for party in parties))
    time.sleep(4)  # until they have met
    assert [party.poll() for party in parties] == [None] * PARTIES
    parties[1].send_signal(signal.SIGKILL)
    for i in (0, 2):
        _, errors = parties[i].communicate(timeout=240)
        assert "PeerLost" in errors
