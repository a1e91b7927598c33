"""Parties that die, hang or never start: the others end within seconds, say who, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from mpc_tamper.core.errors import (
    DataError,
    PeerLost,
    PeerTimeout,
    PlanError,
    PortInUse,
    ProgramCrash,
    ProgramError,
    ShareFileError,
)
from mpc_tamper.engines.rep3.config import report_file
from mpc_tamper.engines.rep3.engine import Rep3Engine, _failure
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.spec import InputFiles, RunSpec
from tests.support.processes import COMMAND, started, wait_for

TIMEOUT, SECONDS_TO_END = 600.0, 60.0  # of a message; and to the end, for which an idle machine needs 2 s
ENDLESS = """
WORK = 1
x = sint.Array(64)
x.assign_all(3)
@for_range(10 ** 7)
def _(i):
    start_timer(WORK)
    x.assign_vector((x[:] * x[:]).greater_than(0, 40))
    stop_timer(WORK)
"""


@pytest.fixture
def program(tmp_path: Path):
    def write(source: str) -> Path:
        path = tmp_path / "program.mpc"
        path.write_text(textwrap.dedent(source))
        return path

    return write


def parties_of(run_dir: Path) -> dict[int, int]:
    """Process ids of the run's parties that live, by party id, found by the logs that they write."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            log = (entry / "fd" / "1").readlink()
            if log.parent == run_dir and log.suffix == ".log" and state(int(entry.name)) != "Z":
                found[int(log.stem.removeprefix("party"))] = int(entry.name)
    return found


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Run:
    """An engine's run in a thread, and how it ended."""

    def __init__(self, spec: RunSpec) -> None:
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(spec,), daemon=True)
        self._thread.start()

    def _run(self, spec: RunSpec) -> None:
        try:
            Rep3Engine().run(spec)
        except BaseException as exc:
            self.error = exc

    def seconds_to_end(self) -> float:
        return wait_for(lambda: not self._thread.is_alive())


@pytest.mark.slow
@pytest.mark.parametrize("party", range(3))
@pytest.mark.parametrize("after", [0.0, 0.3, 1.5])
def test_killing_a_party_ends_the_others_and_names_it(program, run_dir, party, after):
    """At start-up (after 0 s), around the handshake, and in the middle of the work."""
    run = Run(RunSpec(program(ENDLESS), run_dir=run_dir, timeout_seconds=TIMEOUT))
    wait_for(lambda: party in parties_of(run_dir))
    time.sleep(after)
    os.kill(parties_of(run_dir)[party], signal.SIGKILL)
    assert run.seconds_to_end() < SECONDS_TO_END
    assert isinstance(run.error, PeerLost)
    assert f"party {party} was killed by SIGKILL" in str(run.error)
    assert not parties_of(run_dir)
    assert not list(run_dir.glob("*.data")) + list(run_dir.glob("Player-Data/*"))


@pytest.mark.slow
def test_a_party_that_hangs_is_a_timeout(program, run_dir):
    run = Run(RunSpec(program(ENDLESS), run_dir=run_dir, timeout_seconds=6))
    wait_for(lambda: len(parties_of(run_dir)) == 3)
    time.sleep(1.5)
    os.kill(parties_of(run_dir)[1], signal.SIGSTOP)
    assert run.seconds_to_end() < 6 + SECONDS_TO_END
    assert isinstance(run.error, PeerTimeout | PeerLost)
    assert "party 1" in str(run.error)
    assert not parties_of(run_dir)


@pytest.mark.slow
def test_a_party_that_hangs_after_its_last_message_is_a_timeout(program, run_dir):
    """Nobody waits for its messages any more: the others end well."""
    party, seconds = 2, 10.0
    source = (
        "import os, signal\n"
        "from mpc_tamper.engines.rep3 import party as process\n"
        "def write(path, text, written=process.write_atomically):\n"
        f"    if path.name == {report_file(run_dir, party).name!r}:\n"
        "        os.kill(os.getpid(), signal.SIGSTOP)\n"
        "    written(path, text)\n"
        "process.write_atomically = write\n"
        "print_ln('%s', sint(3).reveal())\n"
    )
    with pytest.raises(PeerTimeout, match=f"party {party} did not end within {seconds:g} s") as caught:
        Rep3Engine().run(RunSpec(program(source), run_dir=run_dir, timeout_seconds=seconds))
    assert caught.value.party == party
    assert not parties_of(run_dir)


def test_parties_do_not_outlive_a_killed_engine(program, run_dir):
    code = (
        "import sys; from pathlib import Path; from mpc_tamper.engines.rep3.engine import Rep3Engine; "
        "from mpc_tamper.runs.spec import RunSpec; "
        "Rep3Engine().run(RunSpec(Path(sys.argv[1]), run_dir=Path(sys.argv[2])))"
    )
    with started([sys.executable, "-c", code, program(ENDLESS), run_dir]) as engine:
        wait_for(lambda: len(parties_of(run_dir)) == 3)
        engine.kill()
        engine.wait()
        assert wait_for(lambda: not parties_of(run_dir)) < SECONDS_TO_END


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_ends_its_parties(program, run_dir, number):
    command = [*COMMAND, "run", program(ENDLESS), "--engine", "rep3", "--run-dir", run_dir]
    with started(command) as cli:
        wait_for(lambda: len(parties_of(run_dir)) == 3)
        time.sleep(0.5)
        cli.send_signal(number)
        assert wait_for(lambda: cli.poll() is not None) < SECONDS_TO_END
        assert cli.returncode != 0
        assert wait_for(lambda: not parties_of(run_dir)) < SECONDS_TO_END
        assert "Traceback" not in cli.communicate()[1]


def test_a_failing_party_takes_the_others_along_and_its_error_comes_out(program, run_dir):
    """Only party 2 can see that its input is too short."""
    text = run_dir.parent / "short.txt"
    text.write_text("1 2 3\n")
    source = "x = sint.Array(4)\nx.input_from(2)\nprint_ln('%s', x[0].reveal())\n"
    run = Run(RunSpec(program(source), inputs={2: InputFiles(text=text)}, run_dir=run_dir))
    assert run.seconds_to_end() < SECONDS_TO_END
    assert isinstance(run.error, DataError)
    assert str(text) in str(run.error)
    assert not parties_of(run_dir)


def test_crash_in_the_program_comes_out_with_its_line(program, run_dir):
    with pytest.raises(ProgramCrash, match="line 2"):
        Rep3Engine().run(RunSpec(program("x = cint(1)\ncrash(x == 1)\n"), run_dir=run_dir))


def test_a_port_in_use_is_told_before_any_party_starts(program, run_dir):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}"):
            Rep3Engine().run(RunSpec(program("x = 1\n"), run_dir=run_dir, port_base=port - 1))
    assert not list(run_dir.glob("party*.log"))


def test_a_second_run_into_the_same_folder_is_refused(program, run_dir):
    """MP-SPDZ would append, and the second model would be read as the first."""
    spec = RunSpec(program("x = sint.Array(2)\nx.assign_all(5)\nx.write_to_file()\n"), run_dir=run_dir)
    Rep3Engine().run(spec)
    with pytest.raises(ShareFileError, match="fresh"):
        Rep3Engine().run(spec)


def test_a_swapped_share_file_is_refused(program, run_dir):
    write = RunSpec(program("x = sint.Array(2)\nx.assign_all(5)\nx.write_to_file()\n"), run_dir=run_dir)
    Rep3Engine().run(write)
    shares = run_dir / "Persistence" / "Transactions-P1.data"
    shares.write_bytes(b"\0" * shares.stat().st_size)
    read = program("x = sint.Array(2)\nx.read_from_file(0)\nprint_ln('%s', x.reveal())\n")
    with pytest.raises(ShareFileError, match="header"):
        Rep3Engine().run(RunSpec(read, run_dir=run_dir.parent / "second", shares_from=run_dir))


def test_a_program_that_differs_between_parties_is_found_out(program, run_dir):
    """Each party runs the program's Python itself; this one asks for its process id."""
    source = "import os\nx = sint(os.getpid()) * sint(1)\nprint_ln('%s', (x - x).reveal())\n"
    with pytest.raises(ProgramError, match="same public values"):
        Rep3Engine().run(RunSpec(program(source), run_dir=run_dir))


def test_random_numbers_and_sets_of_a_program_are_the_same_at_all_parties(program, run_dir):
    source = """
        import random
        numbers = [random.randrange(100) for _ in range(5)]
        words = list({word for word in "to be or not to be".split()})
        x = sint.Array(9)
        for i, value in enumerate(numbers + [len(word) for word in words]):
            x[i] = sint(value) * sint(1)
        print_ln('%s', x.reveal())
        """
    (line,) = Rep3Engine().run(RunSpec(program(source), run_dir=run_dir)).lines
    assert len(line.split(",")) == 9


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (
            'Traceback (most recent call last):\n  File "/a/b.py", line 3, in f\n    g()\n    ^^^\nOSError: full\n\n',
            "OSError: full",
        ),
        ("", "it said nothing"),
    ],
)
def test_of_a_party_that_died_without_a_report_the_last_line_is_told(tmp_path, log, last):
    (tmp_path / "party1.log").write_text(log)
    failure = _failure(1, 3, tmp_path)
    assert (str(failure), failure.party) == (f"party 1 ended with exit code 3: {last}", 1)


def test_an_unused_error_fails_the_run(program, run_dir):
    from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

    source = "STEP = 1\nx = sint(2)\nstart_timer(STEP)\ny = x * x\nstop_timer(STEP)\nprint_ln('%s', y.reveal())\n"
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, 1, 5)])
    with pytest.raises(PlanError, match="met no output"):
        Rep3Engine().run(RunSpec(program(source), run_dir=run_dir, corruption=Corruption(2, plan)))
