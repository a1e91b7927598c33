"""--config and --show-config: options from a file, and from the record of a run."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import mpc_tamper as mt
from tests.support.places import ROOT

Invoke = Callable[..., Result]
COMMANDS = (
    *(("matrix",), ("leak", "row"), ("leak", "reconstruct"), ("leak", "membership"), ("costs",), ("accuracy",)),
    *(("pruning",), ("probe",), ("reproduce",), ("bench",), ("faults",), ("audit",)),
)


@pytest.fixture
def images(tiny_task: mt.Task, tmp_path: Path) -> Path:
    path, t = tmp_path / "images.npz", tiny_task
    np.savez(path, x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_shown_is_a_file_that_gives_the_same(invoke: Invoke, command: tuple[str, ...], tmp_path: Path) -> None:
    shown = invoke(*command, "--show-config")
    assert shown.exit_code == 0, shown.stderr
    path = tmp_path / "study.toml"
    path.write_text(shown.stdout)
    assert invoke(*command, "--config", path, "--show-config").stdout == shown.stdout
    table = tomllib.loads(shown.stdout)
    for name in command:
        assert list(table) == [name]
        table = table[name]
    assert not {"out", "quiet", "scheduler", "config"} & set(table)
    assert ("jobs" in table) == (command[0] in ("costs", "faults"))


def test_the_command_line_overrides_the_file(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('corrupt_party = 2\nattack = ["none", "overflow"]\nseeds = 3\ncalibrate = true\nquiet = true\n')
    found = tomllib.loads(invoke("matrix", "--config", path, "--seeds", 4, "--show-config").stdout)["matrix"]
    assert (found["corrupt-party"], found["attack"], found["seeds"]) == (2, ["none", "overflow"], 4)
    assert (found["calibrate"], found["plain"], found["engine"]) == (True, False, "rep3")
    over = tomllib.loads(invoke("matrix", "--attack", "sabotage", "--config", path, "--show-config").stdout)["matrix"]
    assert over["attack"] == ["sabotage"]


def test_one_file_for_several_commands(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("[leak.row]\nseed = 7\n[costs]\nquick = true\n")
    assert "seed = 7" in invoke("leak", "row", "--config", path, "--show-config").stdout
    assert "quick = true" in invoke("costs", "--config", path, "--show-config").stdout
    refused = invoke("matrix", "--config", path)
    assert (refused.exit_code, refused.stderr) == (
        2,
        f"error: {path}: expected a table [matrix], got [leak.row], [costs]; add one\n",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('seed = "x"', "seed: expected int, got str"),
        ("seed = true", "seed: expected int, got bool"),
        ("seed = 1.0", "seed: expected int, got float"),
        ("data = 3", "data: expected str, got int"),
        ("row = 3", "row: expected array, got int"),
        ('row = [1, "x"]', "row: expected int at [1], got str"),
        ("seed = -4", "seed: expected a value for --seed, got -4: "),
        ('engine = "foo"', "engine: expected a value for --engine, got 'foo': "),
        ("sed = 1", "sed: expected an option of leak row, got none; use label, schema, "),
        ('config = "x"', "config: expected an option of leak row, got none; "),
        ("corrupt-party = 1\ncorrupt_party = 1", "corrupt_party: expected each option once, got it twice"),
        ("seed = 1\n[matrix]", "seed: expected options in tables or no tables, got both"),
        ("[matrx]", "[matrx]: expected a table of a command, got none; use [accuracy], [audit], [bench], "),
        ("[leak.rows]", "[leak.rows]: expected a table of a command, got none; use "),
        ("a b", "expected a configuration in TOML, got none: "),
    ],
)
def test_what_is_wrong_is_one_line(invoke: Invoke, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    result = invoke("leak", "row", "--config", path, "--show-config")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {path}: {said}")
    assert result.stderr.count("\n") == 1


def test_a_record_repeats_its_run(invoke: Invoke, images: Path, tmp_path: Path) -> None:
    options = ("--data", images, "--row", 3, "--row", 1, "--engine", "clear", "--quiet")
    first = invoke("leak", "row", *options, "--out", tmp_path / "one")
    assert first.exit_code == 0, first.stderr
    record = tmp_path / "one" / "leak-row.json"
    kept = json.loads(record.read_text())
    assert kept["schema"] == "mpc-tamper/leak-row/1"
    assert kept["configuration"]["leak"]["row"]["row"] == [3, 1]
    assert kept["configuration"]["leak"]["row"]["data"] == str(images)
    again = invoke("leak", "row", "--config", record, "--out", tmp_path / "two", "--quiet")
    assert again.exit_code == 0, again.stderr
    assert json.loads((tmp_path / "two" / "leak-row.json").read_text()) == kept
    old = tmp_path / "leak-row.json"
    old.write_text(json.dumps({key: value for key, value in kept.items() if key != "configuration"}))
    refused = invoke("leak", "row", "--config", old)
    assert "expected a record with the configuration of one run, got none" in refused.stderr


def test_cells_name_the_configuration_they_were_run_with(invoke: Invoke, images: Path, tmp_path: Path) -> None:
    options = ("--data", images, "--calibrate", "--calibration-models", 5, "--engine", "clear", "--quiet")
    for attack in ("none", "sabotage"):
        done = invoke("matrix", *options, "--attack", attack, "--defence", "none", "--out", tmp_path)
        assert done.exit_code == 0, done.stderr
    path = tmp_path / "matrix-own.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds == ["study", "environment", "configuration", "cell", "configuration", "cell"]
    named = {line["configuration"]: line["options"]["matrix"]["attack"] for line in lines if "options" in line}
    assert [named[line["configuration"]] for line in lines if line["kind"] == "cell"] == [["none"], ["sabotage"]]
    many = invoke("matrix", "--config", path, "--show-config")
    first = next(iter(named))
    assert f"expected a record with the configuration of one run, got 2; choose one, as {path}#{first}" in many.stderr
    one = invoke("matrix", "--config", f"{path}#{first}", "--show-config")
    assert tomllib.loads(one.stdout) == next(line["options"] for line in lines if line["kind"] == "configuration")


def test_the_example_of_the_page_is_one(invoke: Invoke, tmp_path: Path) -> None:
    """docs/formats.md"""
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    path = tmp_path / "study.toml"
    path.write_text(block)
    for command, options in (("matrix", tomllib.loads(block)["matrix"]), ("leak row", {"corrupt-party": 2})):
        shown = tomllib.loads(invoke(*command.split(), "--config", path, "--show-config").stdout)
        table = shown["matrix"] if command == "matrix" else shown["leak"]["row"]
        assert options.items() <= table.items()
