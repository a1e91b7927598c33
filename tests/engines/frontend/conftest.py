"""Run a piece of .mpc on each engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec

TEXT_INPUT = "1 -2 3 4 5 6 7 8 9 10"
BINARY_INPUT = (1, -2, 2**62, -(2**63))


@pytest.fixture(params=[EngineName.CLEAR, EngineName.REP3], ids=str)
def run_source(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., RunResult]:
    """run_source(source, *args): owner 0 has TEXT_INPUT, owner 1 BINARY_INPUT."""
    engine = get_engine(request.param)

    def run(source: str, *args: str) -> RunResult:
        program, text, binary = tmp_path / "language.mpc", tmp_path / "input.txt", tmp_path / "input.bin"
        program.write_text(source)
        text.write_text(TEXT_INPUT)
        np.array(BINARY_INPUT, "<i8").tofile(binary)
        inputs = {0: InputFiles(text=text), 1: InputFiles(binary=binary)}
        return engine.run(RunSpec(program, args, inputs=inputs, run_dir=tmp_path / "run"))

    return run
