"""Links between pages lead somewhere, and the numbers of README are those of the records."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path

import pytest

import mpc_tamper as mt
from mpc_tamper.clients.contribute import Invitation
from mpc_tamper.clients.serve import Service
from mpc_tamper.models.description import ModelDescription
from tests.support.places import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("patches/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without its fenced and its indented blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: expected a file or folder, got none"
        assert not anchor or anchor in anchors(target), f"{link}: expected one of {sorted(anchors(target))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_pages_name_exists(page: Path) -> None:
    for name in re.findall(r"`((?:orchestrator|Programs|patches)/[\w./]+\.\w+)`", prose(page)):
        assert (ROOT / name).exists(), f"{name}: expected a file, got none"


def test_readme_has_the_numbers_of_table_1() -> None:
    rows = json.loads((ROOT / "results" / "table1.json").read_text(encoding="utf-8"))["rows"]
    records = [row for row in rows if row["training"] == "full"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (?:MNIST|CIFAR-10) .* \| ([\d.]+)% \| ([\d.]+)% \| .* \|$", text, flags=re.MULTILINE)
    expected = [(f"{100 * r['test_accuracy']:.2f}", f"{100 * r['attack_success_rate']:.2f}") for r in records]
    assert shown == expected


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_every_field_of_a_record_is_on_the_page_of_formats(tiny_task: mt.Task) -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`(\w+)`", page))
    model = mt.train(tiny_task, mt.SvmParameters(iterations=1), engine="clear").open()
    metrics = model.evaluate(tiny_task, mt.Trigger((0,)))
    lines = (ROOT / "results" / "matrix.jsonl").read_text(encoding="utf-8").splitlines()
    cells = [record for line in lines if (record := json.loads(line))["kind"] == "cell"]
    fields = {*model.record(), *asdict(metrics), *(key for cell in cells for key in cell)}
    fields |= {field.name for kind in (ModelDescription, Service, Invitation) for field in dataclass_fields(kind)}
    assert fields - {"kind"} <= explained


def test_the_plan_on_the_page_of_formats_is_one() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^    additive-error-plan 1\n(?:    .*\n)+", page, flags=re.MULTILINE)
    plan = mt.AdditiveErrorPlan.parse(re.sub(r"^    ", "", block, flags=re.MULTILINE))
    assert [error.site for error in plan] == ["GRADIENT", "HINGE/csa"]


def test_the_commands_of_the_readme_are_those_of_the_walk() -> None:
    """docs/walk.md is run by a test, and says what each of them prints."""
    readme, walk = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/walk.md"))
    commands = re.findall(r"^    (mpc-tamper .*)$", readme, flags=re.MULTILINE)
    assert len(commands) == 5
    assert [command for command in commands if f"    $ {command}\n" not in walk] == []


def test_three_hosts_are_given_what_train_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/three-hosts.md: the encoding of rows, and the arguments of the program."""
    encode, arguments = python_blocks(ROOT / "docs" / "three-hosts.md")
    monkeypatch.chdir(tmp_path)
    task = mt.load_task("mnist_0_1")
    exec(compile(encode, "three-hosts.md", "exec"), {"x": task.x_train[:10], "y": task.y_train[:10]})
    assert (tmp_path / "rows.bin").stat().st_size == 10 * 785 * 8
    assert "mt.SvmParameters()" in arguments
    quick = arguments.replace("mt.SvmParameters()", "mt.SvmParameters(iterations=1)")
    exec(compile(quick, "three-hosts.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    model = mt.train(task, mt.SvmParameters(iterations=1), engine="clear", owners=mt.Owners((4222, 4222, 4221)))
    assert printed == list(model.run.spec.args)
