"""What an engine cannot do is refused before anything is written, started or trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_tamper.cli.training import _places
from mpc_tamper.clients.serve import _answering
from mpc_tamper.models.checks import Verdict
from mpc_tamper.workflows.stages import contributions

WORDS = {
    "verify": ["verify", "somewhere"],
    "serve": ["serve", "somewhere"],
    "query": ["query", "x.png", "--servers", "HOSTS", "--certificates", "clients"],
    "party": ["party", "x.mpc", "--party", "0", "--hosts", "HOSTS", "--key", "key", "--certificates", "clients"],
}


@pytest.mark.parametrize("command", WORDS)
def test_the_clear_engine_has_no_parties(
    command: str,
    invoke,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*WORDS[command], "--engine", "clear")
    assert result.exit_code == 2
    assert "rep3" in result.stderr
    assert "mp-spdz" in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_verdict_says_what_is_the_case() -> None:
    statement = "at least 90 of 100 known examples are classified rightly"
    assert Verdict("accuracy", True, statement).found == statement
    assert Verdict("accuracy", False, statement).found == "fewer than 90 of 100 known examples are classified rightly"


def test_pixels_are_shown_by_row_and_column() -> None:
    assert _places([58, 86], (28, 28)) == "row, column 2,2; 3,2"
    assert _places([66, 1090, 2114], (3, 32, 32)) == "row, column 2,2"
    assert _places([30], (2, 28)) == "row, column 1,2"


def test_an_attack_that_did_not_take_says_so(invoke) -> None:  # type: ignore[no-untyped-def]
    result = invoke("attack", "--engine", "clear", "--iterations", "5", "-q")
    assert result.exit_code == 0
    assert "warning: the backdoor did not take: " in result.stderr
    assert "raise --iterations or --strength" in result.stderr
    assert "row, column 2,2" in result.stdout


def test_clients_are_counted_as_they_contribute() -> None:
    said: list[str] = []

    def progress(text: str, fraction: float | None = None) -> None:
        said.append(text)

    told = contributions(2, None, progress)
    for site, occurrence in (("ROWS", 0), ("ROWS", 1), ("MARGIN", 0), ("MARGIN", 1)):
        told(site, occurrence)
    assert said == ["client 1 of 2 has contributed", "client 2 of 2 has contributed"]
    said.clear()
    for site, occurrence in (("MARGIN", 0), ("SIGNS", 0), ("MARGIN", 1)):
        _answering(3, 1, progress)(site, occurrence)
    assert said == ["answering query 2 of 3", "answering query 3 of 3"]


def test_the_advice_names_what_a_model_has() -> None:
    """Another model may have neither iterations nor epochs."""
    from mpc_tamper.cli.training import _longer
    from mpc_tamper.models.linear_svm.parameters import SvmParameters
    from mpc_tamper.models.mlp.parameters import MlpParameters

    assert [_longer(each) for each in (SvmParameters(), MlpParameters(), object())] == [
        "--iterations or ",
        "--epochs or ",
        "",
    ]
