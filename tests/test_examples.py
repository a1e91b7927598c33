"""Every example of README, CONTRIBUTING and docs/ runs: commands, Python, file formats.

The blocks of a page run from top to bottom in one folder. Commands run as they stand, but for what RULES says: that
table is where an example is made small, or is only parsed. A command that fails, in a block that nobody thought of,
fails here, and so does a block in a language that this test does not know.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper.datasets.npz import ARRAYS
from mpc_tamper.engines.hosts import read_hosts
from tests.support.examples import (
    FIRST_WORDS,
    PAGES,
    PROGRAM,
    Block,
    Shell,
    blocks,
    commands,
    is_configuration,
    parse,
    parse_of_dask,
    tables_of,
)
from tests.support.images import halves
from tests.support.page import small_folder
from tests.support.places import ROOT

Invoke = Callable[..., Result]

# Pages and kinds of blocks that another test runs from top to bottom.
ELSEWHERE = {
    "docs/walk.md": "cli/test_walk.py, with what it prints",
    "CONTRIBUTING.md recipe": "test_recipes.py",
}
RECIPES = {"attack", "defence", "model", "model-program", "plugin", "plugin-entry-points", "plugin-tests"}
RECIPES |= {"protocol-name", "protocol-facts", "protocol-settings"}


@dataclass(frozen=True)
class Rule:
    """For commands with all of these words: what makes one small, or why it is parsed and not run.

    add: options that come last, so that they win.  parsed: why; the test that runs the like, if there is one.
    exit_codes: that an example may have.
    """

    words: str
    add: str = ""
    parsed: str = ""
    exit_codes: frozenset[int] = frozenset({0})


# The first rule that fits counts; a command that none fits runs as it stands.
RULES = (
    Rule("cancer.csv", parsed="is one of docs/walk.md: cli/test_walk.py"),
    Rule("runs/honest", parsed="is one of docs/walk.md: cli/test_walk.py"),
    Rule("runs/poisoned", parsed="is one of docs/walk.md: cli/test_walk.py"),
    Rule("--hosts", parsed="needs three hosts: cli/test_three_hosts.py, cli/test_doctor_hosts.py, cli/test_party.py"),
    Rule("--engine mp-spdz", parsed="needs an MP-SPDZ: the tests that are marked mp_spdz"),
    Rule("export mlflow", parsed="needs a server: report/export/test_mlflow_store.py"),
    Rule("audit --rerun", parsed="needs a finding, of an MP-SPDZ: studies/test_audit.py"),
    Rule("audit", add="--runs 24"),
    Rule("--clients", parsed="waits for clients: clients/test_contributing.py"),
    Rule("serve", parsed="waits for clients: cli/test_walk.py, cli/test_serve.py"),
    Rule("query", parsed="needs servers: cli/test_walk.py, cli/test_serve.py"),
    Rule("contribute", parsed="needs servers: clients/test_contributing.py"),
    Rule("--network", parsed="waits as long as a network: cli/test_network_option.py"),
    Rule("reproduce", parsed="takes ten seconds: studies/test_table_studies.py"),
    Rule("faults", parsed="takes minutes: studies/test_faults_campaign.py"),
    Rule("costs", parsed="takes half a minute: cli/test_verify_and_costs.py"),
    Rule("accuracy", parsed="takes minutes: studies/test_accuracy.py"),
    Rule("pruning", parsed="takes minutes: studies/test_pruning_study.py"),
    Rule("bench", parsed="takes ten seconds: cli/test_commands.py"),
    Rule("probe", parsed="takes minutes: studies/test_probing.py"),
    Rule("leak", parsed="takes minutes: studies/test_leak_row.py and its neighbours"),
    Rule("rerun", parsed="takes minutes: cli/test_matrix_commands.py"),
    Rule("matrix", parsed="takes minutes: cli/test_matrix_commands.py"),
    Rule("--model mlp", add="--rows 200 --epochs 1 --hidden 4"),
    Rule("attack --list"),
    Rule("attack backdoor_4", add="--iterations 20 --rows 200"),
    Rule("attack --data table.csv", add="--engine clear --iterations 2"),
    Rule("attack", add="--engine clear --iterations 2 --rows 200"),
    Rule("train --defence", add="--rows 200 --iterations 2", exit_codes=frozenset({0, 1})),
    Rule("train --data mnist_10 --classes", add="--rows 100 --iterations 1"),
    Rule("train --data mnist_10", add="--rows 200 --iterations 1"),
    Rule("train --memory", add="--rows 40 --iterations 2"),
    Rule("train --run-dir", add="--rows 200 --iterations 2"),
    Rule("train", add="--iterations 2"),
    Rule("--data mnist_10 --tests", exit_codes=frozenset({0, 1})),
    Rule("verify", add="--tests 40", exit_codes=frozenset({0, 1})),  # 1 is a verdict
    Rule("doctor", exit_codes=frozenset({0, 2})),  # 2 where there is no MP-SPDZ
)

# What takes the place of words that stand for something.
STANDS_FOR = {
    "FILE": "numbers.bin",
    "FOLDER": "folder",
    "DIR": "certificates",
    "FOLDER_OF_PEM_FILES": "certificates",
    "HOSTS": "hosts",
    "RUN_DIR": "runs/mine",
    "PROGRAM.mpc": "program.mpc",
    "ARGS...": "",
    "ERRORS": "plan.txt",
    "COLUMN": "state",
    "NAME": "age",
    "IMAGE.png": "image.png",
    "FILE.npz": "my.npz",
    "FILE.html": "page.html",
    "RESULTS": "records",
    "--servers ...": "hosts",
    "--certificates ...": "certificates",
    "...": "--servers hosts --certificates certificates",
    "PARTY": "0",
}
# What the Python of a page prints, and what it takes from the text around it.
PRINTS = {
    "README.md": r"Metrics\(.*attack_success_rate=0\.001.*\nMetrics\(.*attack_success_rate=1\.0.*\n",
    "docs/data.md": r"1\.0\n",
    "docs/estimator.md": r"test accuracy 0\.[89]\d*\nrounds .*\npassed True\n",
    "docs/three-hosts.md": r"\S+( \S+)+\n",
}
GIVEN = {"docs/three-hosts.md": "import mpc_tamper as mt; t = mt.load_task('own.npz'); x, y = t.x_train, t.y_train"}
PLAN = "additive-error-plan 1\n1 * 0 1\n"
HOSTS_FILE = "127.0.0.1:14000\n127.0.0.1:14001\n127.0.0.1:14002\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that examples speak of."""
    task = halves("my", side=8, rows=60, test_rows=40)
    arrays = {name: getattr(task, name) for name in ARRAYS}
    for name in ("my", "own", "public", "mine", "task", "rows"):
        np.savez(tmp_path / f"{name}.npz", **arrays)
    for name in ("table", "a", "b", "c", "own", "mine"):
        rows = [f"{20 + i % 50 + 9 * (i % 2)},{i % 7},{('well', 'ill')[i % 2]}" for i in range(80)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["age,dose,state", *rows, ""]), encoding="utf-8")
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "image.png")
    np.array([3, 4], "<i8").tofile(tmp_path / "numbers.bin")
    (tmp_path / "program.mpc").write_text(
        "x = sint(3)\nstart_timer(1)\ny = x * x\nstop_timer(1)\nprint_ln('%s', y.reveal())\n",
        encoding="utf-8",
    )
    (tmp_path / "plan.txt").write_text(PLAN, encoding="utf-8")
    (tmp_path / "hosts").write_text(HOSTS_FILE, encoding="utf-8")
    (tmp_path / "study.toml").write_text("[matrix]\ncorrupt-party = 2\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "results").mkdir()
    record = small_folder(tmp_path / "results") / "leak-row.json"
    kept = json.loads(record.read_text(encoding="utf-8")) | {"configuration": {"leak": {"row": {"corrupt-party": 1}}}}
    record.write_text(json.dumps(kept), encoding="utf-8")
    shutil.copytree(tmp_path / "results", tmp_path / "records")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rule_for(words: list[str]) -> Rule:
    def fits(rule: Rule) -> bool:
        return all(word in words for word in rule.words.split())

    return next((rule for rule in RULES if fits(rule)), Rule("", "", ""))


def run_command(words: list[str], invoke: Invoke, where: str, printed: str | None) -> None:
    parse(words)
    rule = rule_for(words)
    if rule.parsed:
        return
    if printed is None:  # a command whose output the page shows runs as it stands
        words = [*words, *shlex.split(rule.add)]
    result = invoke(*words)
    assert result.exit_code in rule.exit_codes, f"{where}: {PROGRAM} {' '.join(words)}\n{result.stderr}"
    if printed is not None:
        pattern = re.escape(printed).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, result.stdout, flags=re.DOTALL), result.stdout


def run_line(line: str, shell: Shell, invoke: Invoke, where: str, printed: str | None) -> None:
    words = shell.words(line)
    if not words:
        return
    program, *rest = words
    if program == PROGRAM:
        run_command(rest, invoke, where, printed)
    elif program == "make":
        for made in lines_of_make(rest):
            run_command(shlex.split(made)[1:], invoke, where, None)
    elif program == "dask":
        parse_of_dask(rest)
    elif program == "python3.11":
        check_environment(rest)
    elif program == "docker":
        check_docker(rest)
    else:
        assert program == ".ci/run", f"{where}: expected one of {', '.join(FIRST_WORDS)} that this test knows"
        assert (ROOT / program).stat().st_mode & 0o100


def lines_of_make(words: list[str]) -> list[str]:
    """The commands of this software that a target would run, without running them."""
    without = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")}
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, env=without)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.partition(" ")[0].endswith(f"/bin/{PROGRAM}")]


def check_environment(words: list[str]) -> None:
    """-m venv FOLDER && FOLDER/bin/pip install PACKAGE: one that an extra of this software takes as well."""
    *before, package = words
    assert before == ["-m", "venv", words[2], "&&", f"{words[2]}/bin/pip", "install"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert any(re.match(rf"{package}\b", each) for taken in extras.values() for each in taken)


def check_docker(words: list[str]) -> None:
    """docker compose -f FILE run|up SERVICES: the file is there, and it has the services."""
    compose, option, file, action, *rest = words
    assert (compose, option) == ("compose", "-f")
    assert action in ("run", "up")
    services = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"]
    assert {word for word in rest if not word.startswith("-")} <= set(services)


def check_plan(text: str, place: Path) -> None:
    assert len(mt.AdditiveErrorPlan.parse(text)) > 0


def check_configuration(file: Path, invoke: Invoke) -> None:
    """Each command takes its table, and runs with what is in it."""
    for command, options in tables_of(file.read_text(encoding="utf-8")):
        shown = invoke(*command, "--config", file, "--show-config")
        assert shown.exit_code == 0, shown.stderr
        ((_, found),) = tables_of(shown.stdout)
        assert found | options == found


def check_hosts(text: str, place: Path) -> None:
    (place / "shown").write_text(text, encoding="utf-8")
    assert len(read_hosts(place / "shown")) == 3


FORMATS = {"additive-error-plan 1": check_plan, "# party 0, 1 and 2": check_hosts}  # by the first line of a block


def run_block(block: Block, place: Path, shell: Shell, names: dict[str, object], invoke: Invoke) -> None:
    first, _, _ = block.text.partition("\n")
    if block.language == "console":
        for command in commands(block):
            run_line(command.line, shell, invoke, str(block), command.printed)
    elif block.language == "python":
        exec(compile(block.text, str(block), "exec"), names)
    elif block.language == "toml":
        (place / "shown.toml").write_text(block.text, encoding="utf-8")
        if is_configuration(block.text):
            check_configuration(place / "shown.toml", invoke)
        else:
            mt.read_schema(place / "shown.toml")
    elif first in FORMATS:
        FORMATS[first](block.text, place)
    else:  # lines of an .mpc program that parse, and formulas and drawings
        assert block.language in ("", "mpc"), f"{block}: expected a language that this test runs, got {block.language}"


def runs_here(block: Block) -> bool:
    page = str(block.page.relative_to(ROOT))
    kind, _, recipe = block.info.partition("=")
    if f"{page} {kind}" in ELSEWHERE:
        assert recipe in RECIPES, f"{block}: expected a recipe that test_recipes.py runs, got {recipe}"
        return False
    return page not in ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(
    page: Path, place: Path, invoke: Invoke, capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    name = str(page.relative_to(ROOT))
    shell, names = Shell(STANDS_FOR, {}), {}
    exec(GIVEN.get(name, ""), names)
    for block in filter(runs_here, blocks(page)):
        run_block(block, place, shell, names, invoke)
    assert re.fullmatch(PRINTS.get(name, ""), capsys.readouterr().out)


def test_rules_are_for_examples_that_there_are() -> None:
    """And each test that a rule names is there."""
    shell = Shell(STANDS_FOR, {"PARTY": "0"})
    lines = [
        command.line
        for page in PAGES
        for block in filter(runs_here, blocks(page))
        if block.language == "console"
        for command in commands(block)
    ]
    made = [each for line in lines if line.startswith("make ") for each in lines_of_make(shell.words(line)[1:])]
    words = [shell.words(line) for line in (*lines, *made)]
    used = {rule_for(each[1:]) for each in words if each}
    assert [rule.words for rule in RULES if rule not in used] == []
    for rule in RULES:
        for test in re.findall(r"[\w/]+\.py", rule.parsed):
            assert (ROOT / "tests" / test).exists(), rule
