"""Private values stand in no error text, no repr and no log."""

from __future__ import annotations

import socket
import traceback
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, TamperError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.inputs import read_text
from mpc_tamper.engines.mp_spdz.transcript import without_inputs
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3 import party
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.models.encoding import integer_rows, signed_examples
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import InputFiles, RunSpec

# Words that are no input: none of them, nor a part of it, may be quoted.
WORDS = ["31415926x", "-9314159265358979323846", "18446744073709551616", "3.14159265", "314159_26_", "0x3141592"]
SECRET = "3141592"


@pytest.mark.parametrize("word", WORDS)
def test_an_input_that_cannot_be_read_is_not_quoted(tmp_path: Path, word: str) -> None:
    path = tmp_path / "in.txt"
    path.write_text(f"1 2 {word} 4")
    with pytest.raises(DataError, match="as number 2") as raised:
        read_text(path)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("engine", [get_engine(EngineName.CLEAR), get_engine(EngineName.REP3)], ids=lambda e: e.name)
@pytest.mark.parametrize(
    "source",
    ["x = sint.get_input_from(0)\nx.reveal()\n", "x = sint.get_input_from(0)\nraise ValueError(x)\n"],
    ids=["read", "raised by the program"],
)
def test_a_run_that_fails_leaves_no_input_in_its_error_and_logs(tmp_path: Path, engine: Engine, source: str) -> None:
    (tmp_path / "x.mpc").write_text(source)
    (tmp_path / "in.txt").write_text("31415926" if "raise" in source else "31415926x")
    spec = RunSpec(tmp_path / "x.mpc", inputs={0: InputFiles(tmp_path / "in.txt")}, run_dir=tmp_path / "run")
    with pytest.raises(TamperError) as raised:
        engine.run(spec)
    assert SECRET not in str(raised.value)
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_shares_have_no_repr() -> None:
    share = RepShare(np.full(2, 3141592, np.uint64), np.full(2, 3141592, np.uint64), 0, np.full(2, 31415, np.int16))
    assert "31415" not in repr(share)


def test_a_fault_of_ours_is_logged_by_its_place_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        np.array([3141592]).astype(np.int64)[0:1].reshape(7)

    monkeypatch.setattr(party.PartyConfig, "read", lambda path: type("Config", (), {"party_id": 1}))
    monkeypatch.setattr(party, "run_party", fail)
    monkeypatch.setattr(party.os, "umask", lambda mask: 0)  # that of the tests stays
    monkeypatch.setattr(party, "_die_with_parent", lambda fd: None)
    with socket.socket() as listener:
        assert party.run_as_process(tmp_path / "none", listener.detach(), -1, -1) == party.EXIT_FAILED
    said = capsys.readouterr().err
    assert "ValueError in test_private_values.py, line " in said.splitlines()[-1]
    assert "into shape" not in said


def test_what_mp_spdz_quotes_is_left_out() -> None:
    said = "cannot read integer from Player-Data/Input-P0-0, problem with '3141592x' after 2"
    assert without_inputs(said) == "cannot read integer from Player-Data/Input-P0-0, problem with a value after 2"


def test_features_and_classes_are_not_quoted() -> None:
    with pytest.raises(DataError, match="expected features") as features:
        integer_rows(np.array([[3141592]], np.int32))
    assert SECRET not in str(features.value)
    with pytest.raises(DataError, match="of both classes 0 and 1, got 1 examples and 1 classes") as classes:
        signed_examples(np.zeros((1, 3), np.uint8), np.array([3141592]))
    assert SECRET not in str(classes.value)
