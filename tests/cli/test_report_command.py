"""mpc-tamper report: where it writes, what it says, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.page import write_matrix

Invoke = Callable[..., Result]


def test_the_page_is_beside_the_records_or_where_it_is_wanted(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results"
    folder.mkdir()
    write_matrix(folder)
    before = {path.name for path in folder.iterdir()}
    done = invoke("report")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "written to results/report.html\n", "")
    assert {path.name for path in folder.iterdir()} - before == {"report.html"}
    elsewhere = invoke("report", "results", "--out", tmp_path / "new" / "page.html")
    assert elsewhere.exit_code == 0
    page = (tmp_path / "new" / "page.html").read_bytes()
    assert page == (folder / "report.html").read_bytes()
    assert page.startswith(b"<!doctype html>")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]


def test_a_damaged_record_leaves_the_page_as_it_was(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "costs.json").write_text('{\n"runs": [\n')
    done = invoke("report", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path}/costs.json: line 3: expected a JSON record, got something else: ")
    assert done.stderr.endswith("Restore the file, or make it again: make costs\n")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "report.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_places_that_cannot_be(invoke: Invoke, tmp_path: Path) -> None:
    absent = invoke("report", tmp_path / "nix")
    assert (absent.exit_code, "expected a folder of records, got no such file" in absent.stderr) == (2, True)
    into_a_folder = invoke("report", tmp_path, "--out", tmp_path)
    assert (into_a_folder.exit_code, "expected a file that can be written" in into_a_folder.stderr) == (2, True)
