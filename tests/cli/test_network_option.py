"""--network: local parties reach each other through a relay, records say so, and results stay what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]
ROUNDS = "x = sint(3)\nfor _ in range(4):\n    x = x * x\nprint_ln('%s', x.reveal())\n"
TWENTIETH = {"name": "100ms,1Gbit", "latency_seconds": 0.05, "bits_per_second": 1e9}


def test_a_run_takes_at_least_the_time_of_its_rounds(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "rounds.mpc").write_text(ROUNDS)
    places = ("--run-dir", tmp_path / "run", "--network", "100ms,1Gbit")
    result = invoke("run", tmp_path / "rounds.mpc", *places, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert (record["lines"], record["network"]) == (["43046721"], TWENTIETH)
    assert record["seconds"] >= 5 * 0.05  # four products and an opening, 50 ms each way


def test_a_training_and_what_follows_say_over_which_network(invoke: Invoke, tmp_path: Path, state: Path) -> None:
    run_dir, over = tmp_path / "run", ("--network", "0ms,10Gbit", "--json")
    trained = invoke("train", "--rows", 20, "--iterations", 2, "--run-dir", run_dir, *over)
    assert trained.exit_code == 0, trained.stderr
    assert "engine rep3, over 0ms,10Gbit (round trip 0 ms, 10000 Mbit/s)" in trained.stderr
    verified = invoke("verify", run_dir, "--tests", 10, "--threshold", 0.1, *over)
    network = {"name": "0ms,10Gbit", "latency_seconds": 0.0, "bits_per_second": 1e10}
    assert [json.loads(each.stdout)["network"] for each in (trained, verified)] == [network] * 2
    here = ("--run-dir", tmp_path / "plain")
    plain = invoke("train", "--rows", 20, "--iterations", 2, "--engine", "clear", *here, "--json")
    assert "network" not in json.loads(plain.stdout)


@pytest.mark.parametrize(
    "command", [("train",), ("attack",), ("run", "x.mpc"), ("reproduce", "--out", "r"), ("matrix", "--out", "r")]
)
def test_the_oracle_has_no_network(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.mpc").write_text("print_ln('x')\n")
    result = invoke(*command, "--engine", "clear", "--network", "wan")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected an engine with a network between its parties, got clear" in result.stderr
    assert "use --engine rep3 or mp-spdz" in result.stderr
    assert not list(tmp_path.glob("r*"))
