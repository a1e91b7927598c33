"""The fork server: parties that share its imports and nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpc_tamper.core.errors import PartyError, PeerLost, PeerTimeout
from mpc_tamper.engines.rep3.engine import Rep3Engine, _first_cause
from mpc_tamper.engines.rep3.fork_server import ForkServer
from mpc_tamper.engines.rep3.launcher import get_launcher
from mpc_tamper.engines.rep3.party import _progress_writer
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec
from tests.support.processes import wait_for

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at processes in /proc")

ONE_NUMBER = "print_ln('%s', sint(3).reveal())\n"
Run = Callable[..., RunResult]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a program's text as the parties of a new run."""
    runs = iter(range(100))

    def start(source: str, *args: str) -> RunResult:
        folder = tmp_path / f"run{next(runs)}"
        program = tmp_path / "program.mpc"
        program.write_text(textwrap.dedent(source))
        return Rep3Engine().run(RunSpec(program, args=args, run_dir=folder))

    return start


def told_by_parties(run: Run, folder: Path, expressions: str, imports: str = "") -> list[dict[str, str]]:
    """What these expressions, a dictionary's, are at each of the three parties, by process id."""
    folder.mkdir()
    source = f"import json, os, pathlib\n{imports}\n"
    source += f"told = {{{expressions}}}\n"
    source += "pathlib.Path(program.args[1], str(os.getpid())).write_text(json.dumps(told))\n"
    run(source, str(folder))
    told = [json.loads(path.read_text()) for path in folder.iterdir()]
    assert len(told) == 3
    return told


def test_runs_of_a_process_share_one_server(run: Run) -> None:
    assert run(ONE_NUMBER).lines == ("3",)
    server = get_launcher()
    assert run(ONE_NUMBER).lines == ("3",)
    assert get_launcher() is server
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1


def test_a_server_loads_a_runs_protocol_and_kernels_before_it_forks() -> None:
    """What all of its parties need is imported once; what cannot be loaded, a party says."""
    asked: list[str] = []

    def refuse(name: str) -> None:
        asked.append(name)
        raise ImportError(name)

    def compile_one(names: list[str], say: Callable[[str], None]) -> None:
        say(names[0])
        refuse("compiler")

    ours, theirs = socket.socketpair()
    with ours, theirs, open(os.devnull) as alive:
        server = ForkServer(theirs, alive.fileno(), lambda *_: 1, refuse, compile_one, lambda names: refuse(*names))
        body = json.dumps({"protocols": ["mal-rep-ring"], "kernels": ["lanes", "subsets"]}).encode()
        ours.sendall(len(body).to_bytes(8, "little") + body)
        server._take_request()
        said = ours.recv(1 << 12).decode().split("\n")
    assert asked == ["mal-rep-ring", "compiler", "lanes", "subsets"]
    assert said == [
        "loading the protocol mal-rep-ring",
        "loading the kernels lanes, subsets",
        "compiling the kernels lanes",
        "loading the kernels lanes",
        "loading the kernels subsets",
        "",
        "",
    ]


def test_runs_leave_no_descriptor_and_no_process_behind(run: Run) -> None:
    run(ONE_NUMBER)
    server = get_launcher().pid

    def held() -> set[tuple[str | int, str]]:
        """Whose, and its number."""
        return {(pid, fd.name) for pid in ("self", server) for fd in Path(f"/proc/{pid}/fd").iterdir()}

    time.sleep(0.5)  # the server closes a run's socket right after it has told the run's end, if it gets its turn
    before = held()
    for _ in range(3):
        run(ONE_NUMBER)
    with pytest.raises(PartyError):
        run("import os\nos.kill(os.getpid(), 9)\n")
    wait_for(lambda: held() <= before)
    assert Path(f"/proc/{server}/task/{server}/children").read_text() == ""


def test_runs_at_the_same_time_do_not_mix(run: Run) -> None:
    lines = {}

    def one(number: int) -> None:
        lines[number] = run(ONE_NUMBER.replace("3", "int(program.args[1])"), str(number)).lines

    run(ONE_NUMBER)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines == {number: (str(number),) for number in range(4)}


def test_a_party_holds_the_descriptors_of_its_own_run_only(run: Run, tmp_path: Path) -> None:
    """Its input, output and errors, its listener, the two pipes, two connections, and the list itself."""
    run(ONE_NUMBER)
    for told in told_by_parties(run, tmp_path / "told", "'fds': len(os.listdir('/proc/self/fd'))"):
        assert int(told["fds"]) <= 9


def test_a_server_that_died_between_runs_is_replaced(run: Run) -> None:
    run(ONE_NUMBER)
    server = get_launcher()
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert run(ONE_NUMBER).lines == ("3",)
    assert get_launcher() is not server


def test_a_server_that_dies_during_a_run_ends_it(run: Run) -> None:
    with pytest.raises(PartyError, match="process that starts the parties"):
        run("import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(20)\n")
    assert run(ONE_NUMBER).lines == ("3",)


def test_nothing_random_is_the_same_at_two_parties_or_in_two_runs(run: Run, tmp_path: Path) -> None:
    imports = """
import hashlib, secrets, ssl, tempfile
import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from mpc_tamper.engines.frontend.runtime import runtime
from mpc_tamper.engines.rep3.protocol.prss import Purpose
pads = runtime().machine.party.prss.own
"""
    expressions = """
'os': os.urandom(16).hex(), 'secrets': secrets.token_hex(16), 'TLS': ssl.RAND_bytes(16).hex(),
'key': str(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value),
'numpy': str(np.random.default_rng().integers(2**62)), 'file': next(tempfile._get_candidate_names()),
**{purpose.name: pads[purpose].draw(2).tobytes().hex() for purpose in Purpose}
"""
    told = [
        values
        for number in range(2)
        for values in told_by_parties(run, tmp_path / f"told{number}", expressions, imports)
    ]
    for source in told[0]:
        assert len({values[source] for values in told}) == 6, source


def test_the_session_and_a_programs_random_numbers_are_new_in_each_run(run: Run, tmp_path: Path) -> None:
    drawn = []
    for number in range(2):
        told = told_by_parties(
            run, tmp_path / f"told{number}", "'python': random.random(), 'numpy': np.random.rand()",
            "import random\nimport numpy as np",
        )  # fmt: skip
        assert told[0] == told[1] == told[2]
        drawn.append((told[0], json.loads((tmp_path / f"run{number}" / "party0.json").read_text())["session"]))
    assert all(drawn[0][0][name] != drawn[1][0][name] for name in ("python", "numpy"))
    assert drawn[0][1] != drawn[1][1]


def test_parties_have_their_settings_and_what_the_engine_has_now(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(ONE_NUMBER)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SET_AFTER_THE_SERVER_STARTED", "yes")
    expressions = """
'seed': os.environ['PYTHONHASHSEED'], 'malloc': os.environ['GLIBC_TUNABLES'],
'at start': '\\0GLIBC_TUNABLES=glibc.malloc' in pathlib.Path('/proc/self/environ').read_text(),
'variable': os.environ.get('SET_AFTER_THE_SERVER_STARTED'), 'folder': os.getcwd(),
'session': os.getsid(0) == os.getpid(), 'input': os.readlink('/proc/self/fd/0'), 'hash': hash('the order of sets')
"""
    for told in told_by_parties(run, tmp_path / "told", expressions):
        assert told.pop("malloc").startswith("glibc.malloc.mmap_threshold")
        seeded = subprocess.run(
            [sys.executable, "-c", "print(hash('the order of sets'))"],
            env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert told == {
            "seed": "0",
            "at start": True,
            "variable": "yes",
            "folder": str(tmp_path / "here"),
            "session": True,
            "input": "/dev/null",
            "hash": int(seeded.stdout),
        }


def test_peak_memory_is_a_partys_own(run: Run) -> None:
    """Not the engine's, which is larger here, and what the program takes counts."""
    filler = bytearray(os.urandom(1 << 20) * 400)
    small = max(party.peak_rss_bytes for party in run(ONE_NUMBER).parties)
    large = min(party.peak_rss_bytes for party in run("taken = bytearray(b'x' * (200 << 20))\n").parties)
    assert len(filler) > 2 * small
    assert small > 20 << 20
    assert large > small + (150 << 20)


def test_a_full_progress_pipe_drops_lines() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        _progress_writer(writer)("STEP", 1)
    finally:
        os.close(reader)
        os.close(writer)


HOSTILE = "raise SystemExit('a module of the working folder was imported')\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder whose modules must not be imported."""
    folder = tmp_path / "working"
    for name in ("random", "json", "select", "numpy", "resource", "party", "launcher"):
        (folder / f"{name}.py").parent.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(HOSTILE)
    (folder / "mpc_tamper").mkdir()
    (folder / "mpc_tamper" / "__init__.py").write_text(HOSTILE)
    (folder / "one.mpc").write_text(ONE_NUMBER)
    return folder


@pytest.mark.parametrize("python_path", [None, "", ":", ":/none", "other", "/none:"])
def test_parties_import_nothing_from_the_working_folder(hostile: Path, python_path: str | None) -> None:
    command = Path(sys.executable).with_name("mpc-tamper")
    (hostile / "other").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # The engine itself is the user's own to start: it is run so that only its parties could find the folder.
    code = (
        "import os, sys; from mpc_tamper.cli.main import run; os.environ.pop('PYTHONPATH', None); "
        f"os.environ.update({ {} if python_path is None else {'PYTHONPATH': python_path}!r}); "
        "sys.argv[0] = 'mpc-tamper'; run()"
    )
    words = [sys.executable, "-P", "-c", code] if python_path else [str(command)]
    done = subprocess.run(
        [*words, "run", "one.mpc", "-q"], cwd=hostile, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_another_mpc_tamper_on_the_search_path_is_not_run(hostile: Path, tmp_path: Path) -> None:
    code = "import os; from mpc_tamper.cli.main import run; os.environ['PYTHONPATH'] = 'shadow'; run()"
    (hostile / "shadow").mkdir()
    (hostile / "mpc_tamper").rename(hostile / "shadow" / "mpc_tamper")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "run", "one.mpc", "-q"],
        cwd=hostile, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_a_fork_of_the_engine_has_a_server_of_its_own(run: Run, tmp_path: Path) -> None:
    run(ONE_NUMBER)
    server = get_launcher()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if run(ONE_NUMBER).lines == ("3",) and get_launcher().pid != server.pid else 2
            get_launcher().kill()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert run(ONE_NUMBER).lines == ("3",)
    assert get_launcher() is server


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "from mpc_tamper.engines.rep3.launcher import get_launcher; import sys; print(get_launcher().pid, flush=True)"
    )
    for ending, expected in (("", 0), ("; import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)):
        done = subprocess.run([sys.executable, "-c", code + ending], stdout=subprocess.PIPE, text=True, timeout=240)
        assert done.returncode == expected
        wait_for(lambda server=int(done.stdout): not runs(server))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_party_that_hangs_is_named_even_if_the_others_blame_each_other() -> None:
    """All three wait for each other at about the same time, so which of them gives up first is chance."""
    blamed = [PeerTimeout("party 2 sent nothing", 2), PeerLost("party 0 closed its connection", 0)]
    failure = _first_cause(list(blamed), [1])
    assert isinstance(failure, PeerTimeout)
    assert failure.party == 1
    assert _first_cause(list(blamed), []) is blamed[0]
    assert _first_cause([*blamed, PeerLost("party 2 was killed by SIGKILL", 2)], [1]).party == 2
