"""The command line with an engine that only records what it is asked: parsing, exit codes, what is printed where."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import Result

from mpc_tamper.cli.errors import exit_code
from mpc_tamper.core import bundle, errors
from mpc_tamper.engines import registry
from mpc_tamper.engines.base import Capabilities, Engine, OnStep
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult, StepRecord
from mpc_tamper.runs.spec import InputFiles, RunSpec
from tests.support.processes import COMMAND

Invoke = Callable[..., Result]


class RecordingEngine(Engine):
    name = EngineName.REP3
    capabilities = Capabilities(protocols=frozenset(ProtocolName))

    def __init__(self) -> None:
        self.specs: list[RunSpec] = []
        self.error: BaseException | None = None

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult:
        self.specs.append(spec)
        if self.error is not None:
            raise self.error
        steps = tuple(StepRecord("GRADIENT", i, 0.5 * i, Cost(0.25, 1000, 2)) for i in range(3))
        parties = tuple(PartyReport(i, Cost(1.5 + i, 5000, 7), steps, 64_000_000) for i in range(3))
        return RunResult(spec, ("hello", "world"), (-1, 2), parties)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RecordingEngine:
    """Stands for both engines; commands run in a folder of their own."""
    recording = RecordingEngine()
    monkeypatch.setattr(registry, "get_engine", lambda name: recording)
    monkeypatch.chdir(tmp_path)
    Path("hello.mpc").write_text("print_ln('hello')\n")
    Path("rows.txt").write_text("1 2 3\n")
    Path("rows.bin").write_bytes(bytes(8))
    Path("plan.txt").write_text("additive-error-plan 1\nGRADIENT * 0 5\n")
    return recording


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """With the engines as they are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_passes_everything_on(engine: RecordingEngine, invoke: Invoke) -> None:
    result = invoke(
        *("run", "hello.mpc", "rows=3", "columns=4", "--engine", "clear", "--protocol", "ring"),
        *("--input", "0=rows.txt", "--input", "0=rows.bin", "--input", "2=rows.bin"),
        *("--plan", "plan.txt", "--corrupt-party", "1", "--run-dir", "here", "--shares-from", "earlier"),
        *("--timeout", "2.5", "--port-base", "14000"),
    )
    assert result.exit_code == 0
    (spec,) = engine.specs
    assert (spec.program, spec.args) == (Path("hello.mpc"), ("rows=3", "columns=4"))
    assert spec.inputs == {0: InputFiles(Path("rows.txt"), Path("rows.bin")), 2: InputFiles(binary=Path("rows.bin"))}
    assert spec.corruption is not None
    assert spec.corruption.plan.text() == Path("plan.txt").read_text()
    assert (spec.corruption.party, spec.timeout_seconds, spec.port_base) == (1, 2.5, 14000)
    assert (spec.run_dir, spec.shares_from) == (Path("here"), Path("earlier"))


def test_output_and_cost_go_to_different_streams(engine: RecordingEngine, invoke: Invoke) -> None:
    result = invoke("run", "hello.mpc")
    assert result.stdout == "hello\nworld\n"
    assert "GRADIENT" in result.stderr
    assert "0.750" in result.stderr
    assert "3,000" in result.stderr


def test_quiet_prints_the_programs_lines_alone(engine: RecordingEngine, invoke: Invoke) -> None:
    result = invoke("run", "hello.mpc", "--quiet")
    assert (result.stdout, result.stderr) == ("hello\nworld\n", "")


def test_json_is_the_record_of_the_run(engine: RecordingEngine, invoke: Invoke) -> None:
    result = invoke("run", "hello.mpc", "a=1", "--json", "--engine", "clear")
    record = json.loads(result.stdout)
    assert result.stderr == ""
    assert record["lines"] == ["hello", "world"]
    assert record["binary_output"] == [-1, 2]
    assert (record["engine"], record["args"]) == ("clear", ["a=1"])
    assert (record["seconds"], record["bytes_per_party"], record["rounds"]) == (3.5, 5000, 7)
    step = record["parties"][1]["steps"]["GRADIENT"]
    assert step == {"occurrences": 3, "seconds": 0.75, "bytes_sent": 3000, "rounds": 6}


def test_a_bundled_program_is_found_by_its_name(engine: RecordingEngine, invoke: Invoke) -> None:
    assert invoke("run", "svm_train.mpc").exit_code == 0
    Path("svm_train.mpc").write_text("print_ln('mine')\n")
    assert invoke("run", "svm_train.mpc").exit_code == 0
    assert [spec.program for spec in engine.specs] == [bundle.program("svm_train.mpc"), Path("svm_train.mpc")]
    for name, mend in (
        ("nix.mpc", "check the path"),
        ("nix/svm_train.mpc", "there is a bundled one called svm_train.mpc"),
        ("svm_trian.mpc", "there is a bundled one called svm_train.mpc"),
    ):
        result = invoke("run", name)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {name}: expected a program, got no such ")
        assert result.stderr.endswith(f"; {mend}\n")


def test_a_quiet_run_leaves_no_folder_without_saying_so(invoke: Invoke, run_here: Path) -> None:
    Path("hello.mpc").write_text("print_ln('%s', sint(3).reveal())\n")
    result = invoke("run", "hello.mpc", "--engine", "clear", "-q")
    assert (result.stdout, result.stderr) == ("3\n", "")
    assert not Path("runs").exists()
    Path("shares.mpc").write_text("x = sint.Array(1)\nx.assign_all(3)\nx.write_to_file()\n")
    result = invoke("run", "shares.mpc", "--engine", "clear", "-q")
    (folder,) = Path("runs").iterdir()
    assert (result.stdout, result.stderr) == ("", f"the shares are in {folder}\n")
    Path("named").mkdir()
    assert invoke("run", "hello.mpc", "--engine", "clear", "-q", "--run-dir", "named").stderr == ""
    assert Path("named").is_dir()


def test_each_run_has_a_folder_of_its_own(engine: RecordingEngine, invoke: Invoke) -> None:
    for _ in range(3):
        invoke("run", "hello.mpc")
        engine.specs[-1].run_dir.mkdir(parents=True)
    folders = {spec.run_dir for spec in engine.specs}
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {Path("runs")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mpc"], "missing.mpc: expected a program, got no such file"),
        (["hello.mpc", "--input", "rows.txt"], "expected --input PARTY=FILE with a party from 0 to 2, got 'rows.txt'"),
        (["hello.mpc", "--input", "3=rows.txt"], "expected --input PARTY=FILE"),
        (["hello.mpc", "--input", "0="], "expected --input PARTY=FILE"),
        (["."], ".: expected a program, got a folder"),
        (["hello.mpc", "--input", "1=/dev/zero"], "/dev/zero: expected the input file of party 1, got a device"),
        (["hello.mpc", "--input", "1=absent.bin"], "absent.bin: expected the input file of party 1, got no such file"),
        (["hello.mpc", "--input", "1=rows.txt", "--input", "1=plan.txt"], "expected one text input file for party 1"),
        (["hello.mpc", "--plan", "plan.txt"], "expected --plan and --corrupt-party together"),
        (["hello.mpc", "--corrupt-party", "0"], "expected --plan and --corrupt-party together"),
        (["hello.mpc", "--plan", "rows.txt", "--corrupt-party", "0"], "expected 'additive-error-plan 1'"),
    ],
)
def test_what_the_user_got_wrong_is_one_line(
    engine: RecordingEngine, invoke: Invoke, arguments: list[str], message: str
) -> None:
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert engine.specs == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "hello.mpc", "--engine", "nix"],
        ["run", "hello.mpc", "--corrupt-party", "3"],
        ["run", "hello.mpc", "--port-base", "65535"],
        ["run", "hello.mpc", "--timeout", "inf"],
        ["run", "hello.mpc", "--timeout", "86401"],
        ["verify", "here", "--timeout", "1e300"],
        ["train", "--owners", "4"],
        ["attack", "--target", "2"],
        ["nix"],
    ],
)
def test_what_does_not_parse(engine: RecordingEngine, invoke: Invoke, arguments: list[str]) -> None:
    assert invoke(*arguments).exit_code == 2
    assert engine.specs == []


def test_every_error_has_the_exit_code_of_its_branch() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TamperError)]
    assert len(kinds) > 10
    for kind in kinds:
        branch = {errors.UsageError: 2, errors.ProgramError: 3, errors.PartyError: 4}
        expected = next((code for base, code in branch.items() if issubclass(kind, base)), 1)
        assert exit_code(kind("what")) == expected


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (errors.PortInUse("port 1 is\n  taken"), 2, "error: port 1 is taken\n"),
        (errors.ProgramCrash("a.mpc:3: crash()"), 3, "error: a.mpc:3: crash()\n"),
        (errors.PeerLost("party 2 was killed"), 4, "error: party 2 was killed\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_errors_of_a_run(engine: RecordingEngine, invoke: Invoke, error: BaseException, code: int, line: str) -> None:
    engine.error = error
    result = invoke("run", "hello.mpc")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line)


def test_faults_of_ours_are_not_dressed_up(engine: RecordingEngine, invoke: Invoke) -> None:
    engine.error = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError):
        invoke("run", "hello.mpc")


def test_attack_has_the_options_of_train_and_its_own() -> None:
    from mpc_tamper.cli.main import app

    def options(command: str) -> dict[str, tuple[object, str | None]]:
        found = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
        return {option.opts[0]: (option.default, option.help) for option in found}

    train, attack = options("train"), options("attack")
    of_training_alone = {
        *("--clients", "--client-port", "--known-clients"),
        *("--open", "--insecure-open-model-of-clients"),  # an attack opens its model
        "--simulated-hours",  # says nothing of an attack
        *("--hosts", "--party", "--keys", "--listen", "--connect-timeout"),  # an attack is an experiment on one machine
    }
    assert of_training_alone < train.keys()
    assert {name: option for name, option in train.items() if name not in of_training_alone}.items() < attack.items()
    assert attack.keys() - train.keys() == {
        *("name", "--list"),
        *("--pixel", "--patch", "--feature", "--target", "--amplitude", "--strength", "--corrupt-party"),
    }


def test_datasets(invoke: Invoke) -> None:
    listed = invoke("datasets", "list").stdout
    assert all(name in listed for name in ("mnist_0_1", "mnist_10", "mnist", "cifar10", "FILE.npz"))
    inspected = invoke("datasets", "inspect", "mnist_0_1").stdout
    assert "12,665 images: 5,923 of class 0 (0), 6,742 of class 1 (1)" in inspected
    assert "28 x 28" in inspected
    assert "pixels       0 to 255 in training, 0 to 255 in test" in inspected


def test_any_classes_of_a_data_set(invoke: Invoke) -> None:
    inspected = invoke("datasets", "inspect", "mnist_10", "--classes", "7, 3,0").stdout
    assert "name         mnist_10_7_3_0\n" in inspected
    assert "1,028 of class 0 (7), 1,010 of class 1 (3), 980 of class 2 (0)" in inspected
    assert "5,949 of class 9 (9)" in invoke("datasets", "inspect", "mnist_10", "--classes", "all").stdout
    assert "6,742 of class 1 (1)" in invoke("datasets", "inspect", "mnist_0_1", "--classes", "all").stdout


@pytest.mark.parametrize("classes", ["3", "3,,5", ",", ""])
def test_classes_that_are_not_two(invoke: Invoke, classes: str) -> None:
    result = invoke("datasets", "inspect", "mnist", "--classes", classes)
    assert result.exit_code == 2
    assert "expected --classes A,B" in result.stderr


def test_version(invoke: Invoke) -> None:
    assert invoke("version").stdout.strip()


def test_help_lists_the_commands_and_loads_nothing_slow() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=240, check=True)
    for name in ("run", "train", "attack", "reproduce", "bench", "datasets", "version"):
        assert f" {name} " in done.stdout
    slow = ("numba", "pandas", "matplotlib", "cryptography")
    loaded = f"import sys, mpc_tamper.cli.main; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0, 0), "warning: all pixels of the training images are 0, so there is nothing to learn from them\n"),
        ((7, 7), "warning: all pixels of the training images are 7, so there is nothing to learn from them\n"),
        ((0, 1), "warning: no pixel is above 1; where 1 stands for white, multiply by 255\n"),
        ((0, 2), ""),
    ],
)
def test_images_of_one_value_are_warned_of(invoke: Invoke, tmp_path: Path, values: tuple[int, int], said: str) -> None:
    x, y = np.tile(np.array(values, np.uint8), (10, 8)), (np.arange(10) % 2).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    result = invoke("datasets", "inspect", tmp_path / "d.npz")
    assert (result.exit_code, result.stderr) == (0, said)
    assert f"pixels       {values[0]} to {values[1]} in training" in result.stdout
