"""What the command line says reaches any stream, or is one line: names, encodings, full disks, closed pipes."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mpc_tamper.cli import console
from mpc_tamper.core.errors import ProgramError
from mpc_tamper.core.terminal import printable, takes_escape_codes
from tests.support.places import ROOT
from tests.support.processes import COMMAND, started, wait_for

ONE = "print_ln('%s', sint(4).reveal())\n"
ENTRY = (sys.executable, "-c", "from mpc_tamper.cli.main import run; run()")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("one.mpc").write_text(ONE)
    return tmp_path


def call(
    *words: str | Path, environment: Mapping[str, str] | None = None, stdout: int | io.IOBase = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*ENTRY, *map(os.fsencode, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "orchestrator")} | (environment or {}),
        stdout=stdout,  # type: ignore[arg-type]
        stderr=subprocess.PIPE,
        timeout=240,
    )


def one_line(error: bytes) -> bool:
    return error.startswith(b"error: ") and error.count(b"\n") == 1 and error.endswith(b"\n")


@pytest.mark.parametrize("engine", ["clear", "rep3"])
@pytest.mark.parametrize("words", [["run", "one.mpc", "-q"], ["datasets", "list"], ["version"]], ids=lambda w: w[0])
def test_a_full_disk_behind_standard_output_is_one_line(words: list[str], engine: str) -> None:
    if words[0] != "run" and engine == "rep3":
        pytest.skip("the same on every engine")
    with open("/dev/full", "wb") as full:
        done = call(*words, *(["--engine", engine] if words[0] == "run" else []), stdout=full)
    assert (done.returncode, one_line(done.stderr)) == (5, True), done.stderr
    assert b"No space left on device" in done.stderr


def test_a_reader_that_has_gone_is_one_line() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as broken:
        done = call("run", "one.mpc", "-q", "--engine", "clear", stdout=broken)
    assert (done.returncode, one_line(done.stderr)) == (5, True), done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(closed: str) -> None:
    command = f'"$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *ENTRY, "run", "one.mpc", "--engine", "clear"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "orchestrator")},
        capture_output=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == (b"" if ">&-" in closed.split() else b"4\n")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8", "cp437"])
@pytest.mark.parametrize("name", ["\N{GREEK SMALL LETTER ALPHA}.mpc", "\udcff.mpc"], ids=["greek", "no text"])
def test_names_in_any_encoding(encoding: str, name: str) -> None:
    """An unknown file, a run in a folder of that name, and a program that prints such text."""
    environment = {"PYTHONIOENCODING": encoding}
    done = call("run", name, environment=environment)
    assert (done.returncode, one_line(done.stderr)) == (2, True), done.stderr
    Path(name).write_text("print_ln('\N{GREEK SMALL LETTER BETA}: %s', 4)\n", encoding="utf-8")
    done = call("run", name, "--engine", "clear", "--run-dir", name + "x", environment=environment)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.endswith(b": 4\n")


@pytest.mark.parametrize("name", ["x[/y]", "a[lr=0.1]", ":smile:", "[red]", "a\\[b]", "{title}", "%s", "n" * 120])
def test_a_name_is_shown_as_it_was_given(name: str) -> None:
    done = call("run", "one.mpc", "--engine", "clear", "--run-dir", name)
    assert done.stderr.decode().startswith(f"clear, ring: {name}\n")
    done = call("run", f"{name}.mpc")
    assert done.stderr.decode() == f"error: {name}.mpc: expected a program, got no such file; check the path\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\x07\x08\r\x7f", "a\\x07\\x08\\r\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "a\\u202egnp.exe"),
        ("a\N{LINE SEPARATOR}b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("é \N{GREEK SMALL LETTER ALPHA} 漢 [x]", "é \N{GREEK SMALL LETTER ALPHA} 漢 [x]"),
        ("a\tb", "a\\tb"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(text) == shown
    console.note(f"{text}\nnext")
    console.say(f"{text}\nnext")
    console.fail(text)
    captured = capsys.readouterr()
    assert captured.out == f"{shown}\nnext\n"
    assert captured.err == f"{shown}\nnext\nerror: {printable(' '.join(text.split()))}\n"


def test_lines_of_a_program_come_out_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.exactly("a\tb\x1b[0m")
    assert capsys.readouterr().out == "a\tb\x1b[0m\n"


class Refusing(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "the terminal has gone")


def test_standard_error_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Refusing(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        console.note("a")
        console.warn("b")
        console.fail("c")
    monkeypatch.setattr(sys, "stdout", Refusing())
    with pytest.raises(console.OutputError, match="the terminal has gone"):
        console.say("d")


def on_a_terminal(environment: Mapping[str, str], *words: str) -> bytes:
    """What the command writes where both streams are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ENTRY, *words],
        env={k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
        | {"PYTHONPATH": str(ROOT / "orchestrator"), "TERM": "xterm"}
        | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    with process, contextlib.suppress(OSError):  # EIO at the end
        while select.select([ours], [], [], 120)[0] and (part := os.read(ours, 1 << 16)):
            text += part
    os.close(ours)
    return text


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "none.mpc"],
        ["run", "one.mpc", "--engine", "clear"],
        ["run", "one.mpc", "--engine", "none"],
        ["--help"],
        ["datasets", "inspect", "--help"],
        ["train", "--engine", "clear", "--iterations", "1"],
    ],
    ids=" ".join,
)
def test_no_escape_codes_where_they_are_not_wanted(environment: Mapping[str, str], words: list[str]) -> None:
    text = on_a_terminal(environment, *words)
    assert text
    assert b"\x1b" not in text


def test_colours_on_a_terminal() -> None:
    assert b"\x1b[31merror: " in on_a_terminal({}, "run", "none.mpc")


def test_which_streams_take_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    closed = io.StringIO()
    closed.close()
    assert [takes_escape_codes(s) for s in (Terminal(), io.StringIO(), closed, None)] == [True, False, False, False]
    monkeypatch.setenv("NO_COLOR", "")  # as if it were not set
    assert takes_escape_codes(Terminal())


def test_runs_that_begin_in_one_second_have_a_folder_each() -> None:
    processes = [
        subprocess.Popen(
            [*ENTRY, "run", "one.mpc", "--engine", engine],
            env=os.environ | {"PYTHONPATH": str(ROOT / "orchestrator")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for engine in ("rep3", "rep3", "clear")
    ]
    for process in processes:
        assert process.communicate(timeout=240)[0] == b"4\n"
    assert len(list(Path("runs").iterdir())) >= 2  # the clear engine's stays empty, and goes


def test_a_run_that_cannot_start_leaves_no_folder() -> None:
    assert call("run", "one.mpc", "--input", "0=none.txt").returncode == 2
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["n" * 250, "\N{GREEK SMALL LETTER ALPHA}" * 125])
def test_a_program_with_the_longest_name(name: str) -> None:
    Path(f"{name}.mpc").write_text(ONE)
    done = call("run", f"{name}.mpc", "-q")
    assert (done.stdout, done.stderr) == (b"4\n", b"")


@pytest.mark.parametrize("name", ["n" * 256, "loop", "loop/x.mpc", "one.mpc/x.mpc", "dangling", ".", "pipe"])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "{}"],
        ["run", "one.mpc", "--input", "0={}"],
        ["run", "one.mpc", "--plan", "{}", "--corrupt-party", "1"],
        ["run", "one.mpc", "--shares-from", "{}"],
        ["datasets", "inspect", "{}"],
        ["train", "--data", "{}", "--engine", "clear"],
        ["verify", "{}", "-q"],
        ["serve", "{}", "-q"],
        ["query", "{}", "--servers", "{}", "--certificates", "{}"],
        ["contribute", "{}", "--servers", "{}", "--certificates", "{}"],
        ["party", "one.mpc", "--party", "0", "--hosts", "{}", "--key", "{}", "--certificates", "{}"],
        ["rerun", "{}"],
        ["open", "{}", "-q"],
        ["datasets", "inspect", "mnist", "--root", "{}"],
        ["client-certificate", "C0", "--out", "{}/x"],
        ["certificate", "--party", "0", "--out", "{}/x"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_any_path_anywhere_is_one_line(invoke, words: list[str], name: str) -> None:  # type: ignore[no-untyped-def]
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    if name == "pipe" and words[0] not in ("run", "verify", "serve", "open"):
        pytest.skip("a pipe may be read")
    os.mkfifo("pipe")
    if name == "pipe" and "--plan" in words:
        pytest.skip("a pipe may be read")
    if name == "." and words[0].endswith("certificate"):
        pytest.skip("this is a folder that can be made")
    if name == "dangling" and words[0].endswith("certificate"):
        pytest.skip("a link to a folder yet to be made")
    result = invoke(*(word.replace("{}", name) for word in words))
    assert (result.exit_code, one_line(result.stderr.encode())) == (2, True), result.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_temporary_folder(
    number: signal.Signals, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = place / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    def left() -> set[str]:
        """But for the folder of compiled kernels, which is kept for the next run."""
        return {path.name for path in temporary.iterdir()} - {f"mpc-tamper-{os.getuid()}"}

    with started([*COMMAND, "train", "--iterations", "2000", "-q"], cwd=place) as process:
        wait_for(lambda: list(place.glob("runs/train-*/train/party0.log")))
        assert left()
        time.sleep(0.2)
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(240) == 130
    assert not left()


def test_a_hang_up_is_ignored_under_nohup(place: Path) -> None:
    Path("slow.mpc").write_text("import time\ntime.sleep(2)\n" + ONE)
    process = subprocess.Popen(
        ["nohup", *ENTRY, "run", "slow.mpc", "-q", "--engine", "clear"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "orchestrator")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        wait_for(lambda: Path("runs").exists())
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=240)[0] == b"4\n"


@pytest.mark.parametrize("engine", ["clear", "rep3"])
@pytest.mark.parametrize("ending", ["crash()", "x = sint(1) / 2", "y = unknown", "runtime_error('no')"])
def test_lines_before_an_error_come_out_first(engine: str, ending: str) -> None:
    Path("two.mpc").write_text(f"print_ln('a')\nprint_ln('%s', sint(4).reveal())\n{ending}\n")
    done = call("run", "two.mpc", "--engine", engine)
    said = b"a\n4\n" + (b"User exception: no\n" if "no'" in ending else b"")
    assert (done.returncode, done.stdout, one_line(done.stderr)) == (3, said, True), done.stderr


def test_lines_before_an_error_are_no_part_of_json(invoke) -> None:  # type: ignore[no-untyped-def]
    Path("two.mpc").write_text("print_ln('a')\ncrash()\n")
    result = invoke("run", "two.mpc", "--engine", "clear", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert ProgramError("x").lines == ()


def test_a_limit_of_memory_is_no_interrupt(tmp_path: Path) -> None:
    """NumPy's BLAS raises SIGINT where its threads find no room, so it gets none where memory is limited."""
    program = tmp_path / "one.mpc"
    program.write_text("print_ln('%s', sint(12).reveal())\n")
    command = [
        *map(str, COMMAND),
        "run",
        str(program),
        "--engine",
        "clear",
        "--run-dir",
        str(tmp_path / "run"),
        "--quiet",
    ]
    limited = ["sh", "-c", 'ulimit -v 170000 && exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=240, check=False)
    assert "interrupted" not in done.stderr
    assert (done.returncode, done.stdout) == (0, "12\n") or "memory" in done.stderr
