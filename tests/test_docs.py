"""Links between pages lead somewhere, and the numbers of README are those of the records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("patches/*.md")])
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
