"""A page to test: its elements, and a small folder of records that makes one."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.report.matrix_record import cell_line, fact_line
from mpc_tamper.report.matrix_weights import OpenedModel, OpenedModels, write_weights
from tests.support.places import ROOT

HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&{{ 7*7 }}"
EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "rect", "image", "path", "circle"}
_RECORDS = (
    *("table1.json", "figure1.json", "figure2.json", "table1-mlp.json", "figure1-mlp.json", "pruning.json"),
    *("leak-row.json", "leak-reconstruct.json", "leak-membership.json", "probing.json"),
    *("costs.json", "bench.json", "accuracy.json"),
)
_SHORTENED = {  # so that axe-core, which looks at each cell, takes seconds
    "costs.json": {"runs": 20, "ratios": 3, "checks": 2},
    "accuracy.json": {"data_sets": 3},
    "leak-reconstruct.json": {"found": 3, "defences": 3},
    "probing.json": {"gates": 1},
}


@dataclass(eq=False, repr=False)
class Element:
    tag: str
    attributes: Mapping[str, str]
    parents: tuple[Element, ...]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def inside(self, tag: str) -> bool:
        return any(parent.tag == tag for parent in self.parents)

    def below(self) -> Iterator[Element]:
        for child in self.children:
            yield child
            yield from child.below()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(element)
        if self._open:
            self._open[-1].children.append(element)
        if tag not in EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self._open, f"</{tag}> ends nothing"
            assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


@functools.lru_cache(maxsize=4)
def elements(html: str) -> list[Element]:
    """All of a page, in order. An end tag that ends nothing, or another element, is an error."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.elements


def data_of(html: str) -> dict[str, Any]:
    """What the page's script reads."""
    (found,) = [each for each in elements(html) if each.attributes.get("type") == "application/json"]
    loaded: dict[str, Any] = json.loads(found.text)
    return loaded


def cell(attack: str, defence: str, *, accuracy: float | None = 0.99, asr: float | None = 0.5, **more: Any) -> Any:
    """Of a data set called tiny."""
    honest = attack == "none"
    return {
        "dataset": "tiny",
        "attack": attack,
        "defence": defence,
        "clean_accuracy": accuracy,
        "attack_success_rate": asr,
        "attack_success_rate_clipped": asr,
        "verdict": None,
        "aborted": False,
        "engine": "rep3",
        "protocol": "ring",
        "corrupt_party": None if honest else 1,
        "seconds": 2.0,
        "bytes_per_party": 3_000_000,
        "rounds": 1200,
        "stages": ["train"],
        "weights_sha256": attack * 4,
        "plan_errors": {} if honest else {"train": 2},
        "plans": {} if honest else {"train": "ab" * 32},
        "settings": {} if honest else {"strength": 0.5},
        "sites": [] if honest else ["GRADIENT"],
        "trigger_pixels": [5],
        "trigger_level": 255,
        "target": 1,
        "honest_success_rate": 0.002,
        "commit": "c" * 40,
    } | more


def study(**more: Any) -> dict[str, Any]:
    facts = {"model": "linear_svm", "rows": 24, "test_images": 12, "classes": ["a", "b"], "image_shape": [4, 4]}
    origin = {"parameters": {"iterations": 3}, "source": "made up", "data_sha256": "0" * 64, "thresholds": {}}
    return facts | origin | more


CELLS = (
    cell("none", "none", asr=0.002),
    cell("none", "accuracy", asr=0.002, verdict="pass", seconds=3.0),
    cell("none", "certificate_1", asr=0.002, verdict="fail"),
    cell("none", "active", asr=0.002, protocol="mal-rep-ring", seconds=4.2),
    cell("backdoor_1", "none", asr=1.0),
    cell("backdoor_1", "accuracy", asr=1.0, verdict="pass"),
    cell("backdoor_1", "certificate_1", asr=1.0, verdict="fail", statement="at least 11 of 12"),
    cell("backdoor_1", "active", accuracy=None, asr=None, aborted=True, seconds=None),
    cell("backdoor_4", "none", asr=0.95, trigger_pixels=[0, 1, 4, 5]),
    cell("backdoor_4", "accuracy", asr=0.95, verdict="pass", trigger_pixels=[0, 1, 4, 5]),
    cell("backdoor_4", "certificate_1", asr=0.95, verdict="pass", trigger_pixels=[0, 1, 4, 5]),
    cell("backdoor_4", "active", accuracy=None, asr=None, aborted=True),
    cell("sabotage", "none", accuracy=0.5, asr=1.0),
    {"dataset": "tiny", "attack": "sabotage", "defence": "accuracy", "verdict": "n/a", "reason": "none of use"},
)


def write_matrix(folder: Path, cells: Any = CELLS, name: str = "matrix", **facts: Any) -> Path:
    """The record of one study, and the weights of two of its models."""
    studied = fact_line("study", {"dataset": cells[0]["dataset"], **study(**facts)})
    machine = {"python": "3", "numpy": "2", "os": "Linux", "machine": "x", "cpu": "made up", "cores": 2}
    ran_on = fact_line("environment", machine)
    lines = [studied, ran_on, *(cell_line(studied, ran_on, each) for each in cells)]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    models = {
        "none": OpenedModel(np.linspace(-0.1, 0.1, 16), np.array([5]), 255),
        "backdoor_1": OpenedModel(np.array([*[0.1] * 15, 9.0]), np.array([5]), 255),
    }
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    write_weights(folder / f"{name}-weights.npz", {cells[0]["dataset"]: OpenedModels(image, models)})
    return path


def small_folder(folder: Path) -> Path:
    """The records of this repository, with a matrix of few cells whose names try to be more than text."""
    for name in _RECORDS:
        shutil.copy(ROOT / "results" / name, folder / name)
    write_matrix(folder)
    hostile = [each | {"dataset": HOSTILE} for each in CELLS[:4]]
    hostile.append(cell(HOSTILE, HOSTILE, settings={HOSTILE: HOSTILE}, statement=HOSTILE, sites=[HOSTILE]))
    hostile[-1] |= {"dataset": HOSTILE, "stages": [HOSTILE], "engine": HOSTILE, "protocol": HOSTILE}
    write_matrix(folder, hostile, "matrix-hostile", source=HOSTILE)
    (folder / "matrix-hostile-weights.npz").unlink()
    for name, lists in _SHORTENED.items():
        record = json.loads((folder / name).read_text(encoding="utf-8"))
        record |= {key: record[key][:count] for key, count in lists.items()}
        (folder / name).write_text(json.dumps(record), encoding="utf-8")
    record = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    record["data_sets"][0]["data_set"] = HOSTILE
    record["data_sets"][1]["data_set"] = (
        "![x](https://example.org/x.png) [y](javascript:hacked=1) <https://example.org>"
    )
    (folder / "accuracy.json").write_text(json.dumps(record), encoding="utf-8")
    table = f"| a | b |\n|---|---:|\n| {HOSTILE} | 2 |"
    lead = f"# Audit\n\n{HOSTILE} [docs/audit.md](../docs/audit.md) says more."
    text = f"{lead}\n\n{table}\n\n## Kinds\n\n{table}\n\n    {HOSTILE}\n"
    (folder / "audit.md").write_text(text, encoding="utf-8")
    return folder
