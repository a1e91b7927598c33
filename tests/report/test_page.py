"""The page of a folder of records: what is in it, that it asks for nothing, and that records stay text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mpc_tamper.core.errors import DataError
from mpc_tamper.models.registry import DEFAULT
from mpc_tamper.report.matrix_record import read_matrix
from mpc_tamper.report.page import cells, costs
from mpc_tamper.report.page.introduction import read_introduction
from mpc_tamper.report.page.page import page
from mpc_tamper.runs.network import LAN, WAN, Network
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.costs.model import predict
from tests.support.page import CELLS, HOSTILE, Element, cell, data_of, elements, small_folder, write_matrix
from tests.support.places import ROOT

RESULTS = ROOT / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
MEGABYTE = 1 << 20
NAMED = ("aria-labelledby", "aria-describedby", "for")
ASKING = re.compile(
    r"fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(|eval\(|innerHTML|document\.write"
)


@pytest.fixture(scope="module")
def committed() -> str:
    """Of the records of this repository."""
    return page(RESULTS)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(small_folder(tmp_path_factory.mktemp("records")))


@pytest.fixture(scope="module", params=["committed", "small"])
def html(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def of(html: str, *tags: str) -> list[Element]:
    return [each for each in elements(html) if each.tag in tags]


def test_it_is_small_enough_to_send(committed: str) -> None:
    assert len(committed.encode()) < 6 * MEGABYTE


def test_the_same_records_make_the_same_page(committed: str) -> None:
    assert page(RESULTS) == committed
    assert str(ROOT) not in committed


def test_it_asks_nothing_of_any_network(html: str) -> None:
    for each in elements(html):
        for name, value in each.attributes.items():
            if name in ("src", "srcset", "action", "poster", "data", "manifest", "ping"):
                pytest.fail(f"<{each.tag} {name}={value!r}>")
            if name in ("href", "xlink:href") and each.tag != "a":
                assert value.startswith("data:"), f"<{each.tag} {name}={value[:80]!r}>"
            if name == "href" and each.tag == "a":
                assert value.startswith(("#", "https://eprint.iacr.org/")), value
    (style,), (script, code) = of(html, "style"), of(html, "script")
    assert not re.search(r"url\(|@import|expression\(", style.text)
    assert script.attributes["type"] == "application/json"
    assert not ASKING.search(code.text)


def test_the_policy_allows_this_style_and_this_script_alone(html: str) -> None:
    (policy,) = [e.attributes["content"] for e in of(html, "meta") if "http-equiv" in e.attributes]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (style,), (_, code) = of(html, "style"), of(html, "script")

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "script-src": hashed(code.text),
        "style-src": hashed(style.text),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    for each in elements(html):
        assert not [name for name in each.attributes if name.startswith("on") or name == "style"], each.tag


def test_ids_and_links_within_the_page(html: str) -> None:
    ids = [each.attributes["id"] for each in elements(html) if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in elements(html):
        named = [value for name in NAMED for value in each.attributes.get(name, "").split()]
        links = [value[1:] for name, value in each.attributes.items() if name == "href" and value.startswith("#")]
        assert {*named, *links} <= set(ids), each.attributes
    for each in data_of(html)["cells"]:
        assert each.get("tile") is None or each["tile"] in ids


def test_headings_are_in_order(html: str) -> None:
    found = [each for each in of(html, "h1", "h2", "h3", "h4", "h5", "h6") if not each.inside("dialog")]
    levels = [int(each.tag[1]) for each in found]
    assert levels.count(1) == 1 == levels[0]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(each.text.strip() for each in found)


def test_tables_have_captions_and_scopes_and_can_be_scrolled_by_keyboard(html: str) -> None:
    for table in of(html, "table"):
        assert table.children[0].tag == "caption"
        assert table.children[0].text.strip()
        heads = [each for each in table.below() if each.tag == "th"]
        assert {each.attributes.get("scope") for each in heads} == {"col", "row"}
        assert all(each.text.strip() for each in heads)
        region = table.parents[-1].attributes
        assert (region["class"], region["role"], region["tabindex"]) == ("scroll", "region", "0")
        assert region["aria-label"]


def test_landmarks_and_names(html: str) -> None:
    tags = [each.tag for each in elements(html)]
    assert [tags.count(tag) for tag in ("main", "nav", "footer", "title", "dialog")] == [1] * 5
    first = next(each for each in elements(html) if each.tag in ("a", "button", "input", "select", "summary"))
    assert (first.attributes["class"], first.attributes["href"]) == ("skip", "#content")
    for each in of(html, "select", "input"):
        assert each.inside("label")
    for each in of(html, "svg"):
        assert each.attributes.get("aria-hidden") == "true" or each.attributes["aria-label"]
    for each in of(html, "button", "summary", "a"):
        assert each.text.strip() or each.attributes.get("id") == "theme"


def test_a_cell_says_in_words_what_its_colour_says(small: str) -> None:
    found = {}
    for each in of(small, "td"):
        row = next((parent for parent in each.parents if "data-attack" in parent.attributes), None)
        if row is not None:
            found.setdefault(row.attributes["data-attack"], []).append((each.attributes["class"], each.text.split()))
    assert found["none"][:4] == [
        ("h0", ["ASR", "0.2%acc.", "99.0%"]),
        ("h0", ["ASR", "0.2%acc.", "99.0%"]),
        ("false-alarm", ["false", "alarmASR", "0.2%"]),
        ("h0", ["ASR", "0.2%acc.", "99.0%"]),
    ]
    assert [look for look, _ in found["backdoor_1"]] == ["h5", "h5", "rejected", "aborted"]
    assert found["backdoor_1"][3][1] == ["aborted"]
    assert found["sabotage"] == [
        ("h5", ["ASR", "100%acc.", "50.0%"]),
        ("none", ["n/a"]),
        ("not-run", ["not", "run"]),
        ("not-run", ["not", "run"]),
    ]


def test_which_check_stops_which_backdoor(small: str) -> None:
    """Sabotage is no backdoor: it leaves a model that guesses."""
    listed = next(each for each in of(small, "ul") if each.attributes.get("class") == "verdicts")
    assert [" ".join(each.text.split()) for each in listed.children] == [
        "Accuracy threshold stops none of 2.",
        "1-pixel certificate stops 1 of 2. 1 gets through: Backdoor, 4 pixels. It rejects the honest model as well.",
        "Active training stops all 2.",
    ]


def test_the_sentences_of_the_committed_records(committed: str) -> None:
    text = " ".join(" ".join(each.text.split()) for each in of(committed, "li"))
    assert "Accuracy threshold stops none of 10." in text
    assert "Active training stops 9 of 10. 1 gets through: An owner poisons 5% of the rows." in text
    runs = json.loads((RESULTS / "costs.json").read_text(encoding="utf-8"))["ratios"]
    (largest,) = [r for r in runs if (r["engine"], r["rows"], r["iterations"]) == ("rep3", 12_665, 100)]
    assert f"active costs {largest['active_over_passive']['WAN']:.2f} times as much" in text
    assert f"{largest['verified_over_active']['public']['WAN']:.2f} times active training" in text


def facts_of(opened: dict[str, Any]) -> dict[str, str]:
    return {label: value for _, pairs in opened["groups"] for label, value in pairs}


def test_what_opens(small: str) -> None:
    of_tiny = data_of(small)["cells"][: len(CELLS)]
    opened = {(each["title"], each["under"].partition(" · ")[0]): each for each in of_tiny}
    rejected = opened["Backdoor, 1 pixel", "1-pixel certificate"]
    facts = facts_of(rejected)
    assert facts["What is checked"] == "at least 11 of 12"
    assert facts["Attack success (ASR)"] == "100.00%, 95% interval 61.0% to 100%"
    assert facts["Lines of the plan in train"] == "2, plan abababababababab"
    assert facts["Rounds"] == "1,200, 1.00 times an honest run without a defence"
    assert facts["strength"] == "0.5"
    assert rejected["drawn"] == "The weights of this model"
    assert shlex.split(rejected["command"])[3:] == [
        *("--data", "FILE", "--attack", "backdoor_1", "--defence", "certificate_1")
    ]
    assert rejected["note"].startswith("FILE is the data set tiny (made up)")
    assert facts_of(opened["Backdoor, 1 pixel", "Active training"])["Seconds"] == "not measured"
    left_out = opened["Random errors (sabotage)", "Accuracy threshold"]
    assert (left_out["command"], left_out["groups"][0][1][1]) == ("", ["Reason", "none of use"])


def test_records_stay_text(small: str) -> None:
    """The parser meets no element that the templates do not have, and what records say is there to be read."""
    assert len(of(small, "script")) == 2
    assert [each.attributes["id"] for each in of(small, "img", "iframe", "object", "form")] == ["filter", "network"]
    assert not [e for e in of(small, "a") if "example.org" in e.attributes["href"]]
    assert "49" not in " ".join(e.text for e in of(small, "option") if "hacked" in e.text)
    assert any(HOSTILE in each.text for each in of(small, "h4"))
    assert any(HOSTILE in each.text for each in of(small, "th"))
    (audit,) = [each for each in of(small, "section") if each.attributes["id"] == "audit"]
    assert audit.text.count(HOSTILE) == 4
    assert "docs/audit.md says more." in audit.text
    assert [e.text for e in audit.below() if e.tag == "caption"] == ["What became of the tampered runs", "Kinds"]
    assert data_of(small)["cells"][-1]["title"] == HOSTILE
    hostile = shlex.split(data_of(small)["cells"][-1]["command"])
    assert hostile[hostile.index("--attack") + 1] == HOSTILE


def test_the_formula_of_the_page_is_that_of_the_study(committed: str) -> None:
    """The expression of page.js is one of Python as well, and both count in IEEE doubles."""
    script = of(committed, "script")[1].text
    (formula,) = re.findall(r"const predict = \(network, run\) =>\s*([^;]+);", script)
    networks = itertools.product((0.0, 1e-4, 0.001, 0.04, 0.2), (1e6, 1e8, 2.5e9))
    runs = list(itertools.product((0.0, 0.0937, 13.3), (0, 140_001, 982_790_123), (0, 21, 34_194)))
    for (latency, rate), (seconds, sent, rounds) in itertools.product(networks, runs):
        network = Network("any", latency, rate)
        run = SimpleNamespace(seconds=seconds, bytes_per_party=sent, rounds=rounds)
        names = {"network": network, "run": run, "__builtins__": {}}
        expected = predict(network, seconds=seconds, bytes_per_party=sent, rounds=rounds)
        assert eval(formula, names) == expected


def test_costs_are_those_of_the_record() -> None:
    record = json.loads((RESULTS / "costs.json").read_text(encoding="utf-8"))
    seen = costs.view(record)
    assert len(seen.choices) == len(record["ratios"])
    titles = {choice.title: choice for choice in seen.choices}
    for ratio in record["ratios"]:
        choice = titles[f"{ratio['engine']}, {ratio['protocol']}: {ratio['rows']:,} rows, {ratio['iterations']} steps"]
        for network in (LAN, WAN):
            expected = ratio["active_over_passive"][network.name]
            assert choice.times(network.name, costs.ACTIVE, costs.PASSIVE) == pytest.approx(expected)
            expected = ratio["verified_over_active"]["public"][network.name]
            assert choice.times(network.name, costs.VERIFIED, costs.ACTIVE) == pytest.approx(expected)
            for way in choice.ways:
                again = predict(network, seconds=way.seconds, bytes_per_party=way.bytes_per_party, rounds=way.rounds)
                assert way.predicted[network.name] == pytest.approx(again)
    assert (seen.network.name, seen.choices[0].title) == ("WAN", "rep3, mal-rep-ring: 12,665 rows, 100 steps")


def test_what_is_missing_is_said_with_the_command_that_makes_it(tmp_path: Path) -> None:
    html = page(tmp_path)
    said = [" ".join(each.text.split()) for each in of(html, "p") if each.attributes.get("class") == "missing"]
    assert "table1.json is not there. make reproduce makes it." in said
    assert "matrix.jsonl is not there. mpc-tamper matrix makes it." in said
    assert "costs.json is not there. make costs makes it." in said
    assert "audit.md is not there. mpc-tamper audit makes it." in said
    assert len(said) == 15
    assert data_of(html) == {"cells": [], "costs": None}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bench.json", '{\n"rows": 1,\n', "bench.json: line 3: expected a JSON record"),
        ("bench.json", "[]", "bench.json: line 1: expected a JSON object, got list"),
        ("bench.json", '{"rows": 1}', "bench.json: expected a record of make bench, got one without 'environment'"),
        ("costs.json", '{"networks": []}', "costs.json: expected a record of make costs, got one that does not read"),
        ("leak-row.json", "{", "leak-row.json: line 1: "),
        ("matrix.jsonl", '{"kind": "cell"}\n', "matrix.jsonl: line 1: expected a study, an environment, or a cell"),
        ("matrix.jsonl", "{}\nno\n{}\n", "matrix.jsonl: line 2: expected a JSON object"),
        ("audit.jsonl", "{}\nno\n{}\n", "audit.jsonl: line 2: expected a JSON object"),
    ],
)
def test_a_damaged_record_is_one_error(name: str, content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        page(tmp_path)
    assert f"{tmp_path}/{said}" in str(caught.value)


def test_a_cell_that_lacks_a_field_names_the_file(tmp_path: Path) -> None:
    broken = cell("none", "none")
    del broken["protocol"]
    write_matrix(tmp_path, [broken])
    said = r"matrix\.jsonl: expected a record of mpc-tamper matrix, got one without 'protocol'"
    with pytest.raises(DataError, match=said):
        page(tmp_path)


def test_a_line_that_was_cut_short_is_left_out_and_said(tmp_path: Path) -> None:
    path = write_matrix(tmp_path)
    path.write_text(path.read_text() + '{"kind": "ce')
    assert f"{path}: the last line was cut short after 12 bytes and is left out" in page(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nix: expected a folder of records, got no such file; make them: make reprod"):
        page(tmp_path / "nix")


def test_the_introduction_is_that_of_the_readme() -> None:
    found = read_introduction()
    assert [command for command, _ in found.commands] == ["make reproduce", "make test"]
    (listed,) = re.findall(r"^## \w+ findings\n(.*?)^## ", README, flags=re.DOTALL | re.MULTILINE)
    assert found.findings.count("<li>") == len(re.findall(r"^\d+\. ", listed, flags=re.MULTILINE)) > 0
    assert found.question.startswith("<p>Three servers train a model")
    assert "href" not in found.question + found.findings


def test_names_that_the_page_shares_with_others() -> None:
    """report imports no models, engines or data sets."""
    from mpc_tamper.datasets.load import load_task

    assert (cells.DEFAULT_MODEL, cells.DEFAULT_ENGINE) == (DEFAULT, EngineName.REP3)
    assert [load_task(name).name for name in cells.BUNDLED] == list(cells.BUNDLED)
    assert cells.CIFAR10 in read_matrix(RESULTS / "matrix.jsonl")["datasets"]
