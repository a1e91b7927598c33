"""Programs, share files and faults on MP-SPDZ and on the engines of our own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, PlanError, PortInUse, ProgramCrash, ProgramError, ShareFileError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.mp_spdz.engine import MpSpdzEngine
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.workflows.training import train_and_open
from tests.support.processes import started, wait_for

EngineOf = Callable[..., Engine]
Run = Callable[..., RunResult]

STEPS = """
PRODUCT, CUBE, MATRIX, SIGN = 5, 6, 7, 8
x = sint.Array(6)
x.input_from(0)
y = sint.Matrix(3, 2)
y.input_from(1, binary=True)
start_timer(PRODUCT)
z = x[:] * x[:]
stop_timer(PRODUCT)
@for_range(3)
def _(i):
    start_timer(CUBE)
    x[0] = x[0] * x[1]
    stop_timer(CUBE)
a = sint.Matrix(2, 3)
a.assign_vector(x[:])
start_timer(MATRIX)
p = a * y
stop_timer(MATRIX)
start_timer(SIGN)
s = z.greater_than(10, 40)
stop_timer(SIGN)
print_ln('%s %s', z.reveal(), p.reveal())
z.reveal().binary_output()
s.reveal().binary_output()
"""
PLAN = """additive-error-plan 1
PRODUCT 0 2 -1000
CUBE 1 0 7
MATRIX * 3 9223372036854775807
6 * * 2
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(engine, source): owner 0 has six integers as text, owner 1 six in binary."""
    text, binary = tmp_path / "input.txt", tmp_path / "input.bin"
    text.write_text("3 -4 5 6 -7 8\n")
    np.array([1, -2, 2**62, -(2**63), 5, 6], "<i8").tofile(binary)

    def call(engine: Engine, source: str, **options: object) -> RunResult:
        program = tmp_path / "program.mpc"
        program.write_text(source)
        inputs = {0: InputFiles(text=text), 1: InputFiles(binary=binary)}
        run_dir = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        return engine.run(RunSpec(program, inputs=inputs, **{"run_dir": run_dir, **options}))  # type: ignore[arg-type]

    return call


@pytest.mark.parametrize("corrupt_party", [None, *range(PARTIES)])
def test_the_same_program(mp_spdz: EngineOf, run: Run, corrupt_party: int | None) -> None:
    plan = None if corrupt_party is None else AdditiveErrorPlan.parse(PLAN)
    engines = (get_engine(EngineName.CLEAR), get_engine(EngineName.REP3), mp_spdz(plan=plan is not None))
    results = [run(engine, STEPS, corruption=Corruption.of(corrupt_party, plan)) for engine in engines]
    assert [r.lines for r in results] == [results[0].lines] * 3
    assert [r.binary_output for r in results] == [results[0].binary_output] * 3


def test_steps_cost_and_output(mp_spdz: EngineOf, run: Run) -> None:
    result = run(mp_spdz(), STEPS)
    for party in result.parties:
        sites = [(step.site, step.occurrence) for step in party.steps]
        assert sites == [("PRODUCT", 0), ("CUBE", 0), ("CUBE", 1), ("CUBE", 2), ("MATRIX", 0), ("SIGN", 0)]
        costs = [step.cost for step in party.steps]
        assert [cost.bytes_sent for cost in costs[:5]] == [48, 8, 8, 8, 32]  # 8 bytes for each output, one round
        assert [cost.rounds for cost in costs[:5]] == [1] * 5
        assert costs[5].rounds > 1
        assert party.peak_rss_bytes > 1 << 20
        assert party.cost.seconds >= sum(cost.seconds for cost in costs)
    assert len({party.cost.bytes_sent for party in result.parties}) > 1
    assert len(result.binary_output) == 12


def test_steps_are_told_as_they_start(mp_spdz: EngineOf, tmp_path: Path) -> None:
    program, told = tmp_path / "steps.mpc", list[tuple[str, int]]()
    program.write_text(ENDLESS.replace("10 ** 9", "2000"))
    mp_spdz().run(RunSpec(program, run_dir=tmp_path / "run"), lambda site, occurrence: told.append((site, occurrence)))
    assert told == [("STEP", occurrence) for occurrence in range(len(told))]
    assert told


def test_gates_take_errors(mp_spdz: EngineOf, run: Run) -> None:
    """The sign of z - 10 is decided in AND gates: with all of them wrong some comparison is wrong."""
    engine = mp_spdz(plan=True)
    plan = AdditiveErrorPlan.parse("additive-error-plan 1\nSIGN/and 0 * 1\n")
    honest, wrong = (run(engine, STEPS, corruption=Corruption.of(None if p is None else 0, p)) for p in (None, plan))
    assert wrong.lines == honest.lines
    assert wrong.binary_output[:6] == honest.binary_output[:6]
    assert wrong.binary_output[6:] != honest.binary_output[6:]
    with pytest.raises(PlanError, match="gates belong to one engine"):
        run(
            engine,
            STEPS,
            corruption=Corruption(0, AdditiveErrorPlan.parse("additive-error-plan 1\nSIGN/csa 0 0 1\n")),
        )


def test_the_users_tree_stays_as_it_is(mp_spdz: EngineOf, installation: Installation, run: Run) -> None:
    def state() -> dict[Path, int]:
        folders = [
            installation.home,
            *(installation.home / name for name in ("Compiler", "Player-Data", "Persistence")),
        ]
        files = [p for folder in folders for p in folder.glob("*")] + list((installation.home / "Programs").rglob("*"))
        return {path: path.stat().st_mtime_ns for path in files}

    before = state()
    run(mp_spdz(), STEPS)
    assert state() == before


PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=2)


def reveal(engine: Engine, training: Path, run_dir: Path, columns: int) -> tuple[int, ...]:
    spec = RunSpec(bundle.program("svm_reveal.mpc"), (f"columns={columns}",), run_dir=run_dir, shares_from=training)
    return engine.run(spec).binary_output


@pytest.mark.parametrize("writer", [EngineName.REP3, EngineName.MP_SPDZ])
def test_share_files_are_read_by_the_other(
    mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path, writer: EngineName
) -> None:
    engines = {EngineName.REP3: get_engine(EngineName.REP3), EngineName.MP_SPDZ: mp_spdz()}
    trained = train_and_open(tiny_task, PARAMETERS, engine=engines.pop(writer), run_dir=tmp_path / "train")
    (reader,) = engines.values()
    assert reveal(reader, tmp_path / "train", tmp_path / "again", 17) == tuple(trained.weights.tolist())
    for party in range(PARTIES):  # header and 17 shares: nothing else was written
        assert (tmp_path / "train" / "Persistence" / f"Transactions-P{party}.data").stat().st_size == 28 + 17 * 16
    with pytest.raises(ShareFileError):
        reveal(reader, tmp_path / "train", tmp_path / "too many", 18)


def test_training_twice_needs_two_folders(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    first = train_and_open(tiny_task, PARAMETERS, engine=mp_spdz(), run_dir=tmp_path / "a")
    with pytest.raises(ShareFileError, match="fresh folder"):
        train_and_open(tiny_task, PARAMETERS, engine=mp_spdz(), run_dir=tmp_path / "a")
    second = train_and_open(tiny_task, PARAMETERS, engine=mp_spdz(), run_dir=tmp_path / "b")
    assert np.array_equal(first.weights, second.weights)
    assert reveal(mp_spdz(), tmp_path / "a", tmp_path / "c", 17) == tuple(first.weights.tolist())


def test_shares_of_another_protocol(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    train_and_open(
        tiny_task,
        PARAMETERS,
        engine=mp_spdz(ProtocolName.SHAMIR),
        protocol=ProtocolName.SHAMIR,
        run_dir=tmp_path / "train",
    )
    with pytest.raises(ShareFileError):
        reveal(mp_spdz(), tmp_path / "train", tmp_path / "again", 17)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("x = sint(1)\ncrash()\n", ProgramCrash, "crash"),
        ("x = sint.Array(7)\nx.input_from(0)\nprint_ln('%s', x[6].reveal())\n", DataError, "party 0"),
        ("x = sint.Array(7)\nx.input_from(1, binary=True)\nprint_ln('%s', x[6].reveal())\n", DataError, "party 1"),
        ("stop, x = sint.read_from_file(0, 1)\nprint_ln('%s', x[0].reveal())\n", ShareFileError, "share files"),
        ("x = 1\nif sint(1) == 1:\n    x = 2\n", ProgramError, r"program\.mpc, line 2: .*branch on secret"),
        ("x = sint(1) +\n", ProgramError, r"program\.mpc, line 1"),
    ],
)
def test_faults_are_typed(mp_spdz: EngineOf, run: Run, source: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        run(mp_spdz(), source)


def test_a_busy_port(mp_spdz: EngineOf, run: Run) -> None:
    import socket

    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(PortInUse):
            run(mp_spdz(), STEPS, port_base=busy.getsockname()[1])


ENDLESS = """
STEP = 1
x = sint(1)
@for_range(10 ** 9)
def _(i):
    start_timer(STEP)
    x.update(x * x)
    stop_timer(STEP)
"""


@pytest.fixture
def endless(mp_spdz: EngineOf, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of ours in which the engine runs a program that does not end; its three parties are at work."""
    engine = mp_spdz()
    assert isinstance(engine, MpSpdzEngine)
    (tmp_path / "endless.mpc").write_text(ENDLESS)
    code = (
        "from pathlib import Path; from mpc_tamper.engines.mp_spdz.engine import MpSpdzEngine; "
        "from mpc_tamper.runs.spec import RunSpec; "
        f"MpSpdzEngine().run(RunSpec(Path({str(tmp_path / 'endless.mpc')!r}), run_dir=Path({str(tmp_path / 'run')!r})))"
    )
    with started([sys.executable, "-c", code]) as process:
        wait_for(lambda: len(party_processes(process.pid)) == PARTIES)
        time.sleep(1)
        assert len(party_processes(process.pid)) == PARTIES
        yield process


@pytest.mark.parametrize("victim", range(PARTIES))
def test_a_killed_party_ends_the_run(endless: subprocess.Popen[str], tmp_path: Path, victim: int) -> None:
    process = endless
    parties = party_processes(process.pid)
    os.kill(parties[victim], signal.SIGKILL)
    began = time.monotonic()
    _, errors = process.communicate(timeout=240)
    assert time.monotonic() - began < 60
    assert f"PeerLost: party {victim} was killed by SIGKILL" in errors
    assert not [pid for pid in parties.values() if running(pid)]
    assert not list((tmp_path / "run").rglob("*.data"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_orphans(endless: subprocess.Popen[str], how: signal.Signals) -> None:
    process = endless
    parties = party_processes(process.pid)
    process.send_signal(how)
    process.communicate(timeout=240)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(running(pid) for pid in parties.values()):
        time.sleep(0.05)
    assert not [pid for pid in parties.values() if running(pid)]


def party_processes(parent: int) -> dict[int, int]:
    """Party id -> process id of the party binaries that `parent` has started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            ancestor = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if ancestor == parent and words[0].endswith(b"-party.x"):
            found[int(words[2])] = int(folder.name)
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
