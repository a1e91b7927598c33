"""What a certificate costs, as docs/verification.md has it: the program with other digits, and with secret examples."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper as mt
from mpc_tamper.core import bundle
from mpc_tamper.engines import share_files
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import Question
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
DIGIT = "DIGIT = 3"


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of weights that are all zero: sizes are what costs."""
    folder = tmp_path_factory.mktemp("shares")
    for party in range(3):
        path = share_files.share_file(folder, party)
        share_files.create(path)
        share_files.write(path, np.zeros(785, np.uint64), np.zeros(785, np.uint64), None)
    return folder


def run(shares: Path, place: Path, pixels: int, digit: int = 3, secret_owner: int | None = None) -> RunResult:
    """With all test images of MNIST 0/1."""
    task = mt.load_task("mnist_0_1")
    question = Question(2094, pixels, task.channels)
    call = get_model().verification(question, task.x_test, task.y_test, place, secret_owner, {})
    source = bundle.program("svm_verify.mpc").read_text()
    assert source.count(DIGIT) == 1
    program = place / "changed.mpc"
    program.write_text(source.replace(DIGIT, f"DIGIT = {digit}"))
    spec = RunSpec(program, call.args, ProtocolName.MAL_REP_RING, call.inputs, place / "run", shares_from=shares)
    return get_engine(EngineName.REP3).run(spec)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "digit"), [("1 bit", 1), ("2 bits", 2), ("3 bits (what the program does)", 3), ("4 bits", 4)]
)
def test_larger_digits_are_fewer_rounds_and_more_bytes(shares: Path, tmp_path: Path, label: str, digit: int) -> None:
    done = run(shares, tmp_path, 4, digit)
    assert f"| {label} | {done.bytes_per_party:,} | {done.rounds} |" in PAGE


@pytest.mark.slow
def test_the_accuracy_alone_takes_less(shares: Path, tmp_path: Path) -> None:
    done = run(shares, tmp_path, 0)
    assert f"| none: accuracy alone | {done.bytes_per_party:,} | {done.rounds} |" in PAGE


@pytest.mark.slow
def test_secret_examples_cost_their_owner_their_size(shares: Path, tmp_path: Path) -> None:
    done = run(shares, tmp_path, 4, secret_owner=1)
    (said,) = re.findall(r"Secret examples take ([\d.]+) MB and\s(\d+) rounds at their owner", PAGE)
    assert said == (f"{done.bytes_per_party / 1e6:.1f}", f"{done.rounds}")
