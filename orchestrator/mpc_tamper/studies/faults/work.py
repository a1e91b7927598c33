"""What a user does while a fault strikes: run a random program, train, verify. Each knows the right result."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from mpc_tamper.core.errors import ShareFileError
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import read_values
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.studies.faults.programs import Program, random_program
from mpc_tamper.workflows.stages import shares_of
from mpc_tamper.workflows.training import train
from mpc_tamper.workflows.verdicts import NO_LIMIT
from mpc_tamper.workflows.verification import verify

RUN_DIR = "run"
SIDE, ROWS, TEST_ROWS = 4, 40, 20
_DATA = "halves.npz"


class Work(ABC):
    """In a folder of its own. words(): the command line.  wrong(): what is not right in the result of a run that ended
    with exit code 0, or None.  again(): the same once more into the same folder, by the Python interface.
    """

    name: ClassVar[str]
    protocol: ProtocolName

    @abstractmethod
    def prepare(self, folder: Path) -> None: ...

    @abstractmethod
    def words(self, timeout_seconds: float) -> tuple[str, ...]: ...

    @abstractmethod
    def wrong(self, folder: Path, stdout: str) -> str | None: ...

    @abstractmethod
    def again(self, folder: Path, engine: Engine, run_dir: Path) -> str | None:
        """What is wrong of the result. Raises what the engine raises."""

    def early(self, stdout: str) -> str | None:
        """What is wrong in what a failed run printed: right are nothing, or the first of the right lines."""
        return f"it printed {stdout!r} and then failed" if stdout.strip() else None


class RunProgram(Work):
    name = "run"

    def __init__(self, rng: random.Random) -> None:
        self.program: Program = random_program(rng)
        self.protocol = rng.choice((ProtocolName.RING, ProtocolName.MAL_REP_RING))
        self._lines: list[str] = []

    def prepare(self, folder: Path) -> None:
        (folder / "program.mpc").write_text(self.program.source, encoding="utf-8")
        for owner, numbers in self.program.inputs.items():
            (folder / f"{owner}.txt").write_text(" ".join(map(str, numbers)) + "\n", encoding="utf-8")
        oracle = get_engine(EngineName.CLEAR).run(self._spec(folder, folder / "clear", ProtocolName.RING))
        self._lines = list(oracle.lines)

    def words(self, timeout_seconds: float) -> tuple[str, ...]:
        inputs = [word for owner in self.program.inputs for word in ("--input", f"{owner}={owner}.txt")]
        protocol, timeout = ("--protocol", str(self.protocol)), ("--timeout", f"{timeout_seconds:g}")
        return ("run", "program.mpc", *inputs, *protocol, "--run-dir", RUN_DIR, *timeout, "--quiet")

    def wrong(self, folder: Path, stdout: str) -> str | None:
        return self._compare(stdout.splitlines())

    def again(self, folder: Path, engine: Engine, run_dir: Path) -> str | None:
        return self._compare(list(engine.run(self._spec(folder, run_dir, self.protocol)).lines))

    def early(self, stdout: str) -> str | None:
        lines = stdout.splitlines()
        return self._compare(lines) if lines != self._lines[: len(lines)] else None

    def _compare(self, lines: list[str]) -> str | None:
        return None if lines == self._lines else f"it printed {lines} where {self._lines} is right"

    def _spec(self, folder: Path, run_dir: Path, protocol: ProtocolName) -> RunSpec:
        inputs: Mapping[int, InputFiles] = {
            owner: InputFiles(text=folder / f"{owner}.txt") for owner in self.program.inputs
        }
        return RunSpec(folder / "program.mpc", protocol=protocol, inputs=inputs, run_dir=run_dir)


class Train(Work):
    """The shares that a training leaves are put together here and compared with the clear engine's weights."""

    name = "train"

    def __init__(self, rng: random.Random) -> None:
        self.protocol = rng.choice((ProtocolName.RING, ProtocolName.MAL_REP_RING))
        self.iterations = rng.randint(3, 30)
        self._weights = np.zeros(0, np.int64)

    def prepare(self, folder: Path) -> None:
        task = write_task(folder)
        honest = train(task, self._parameters(), engine=get_engine(EngineName.CLEAR), run_dir=folder / "clear")
        self._weights = read_values(honest.shares).astype(np.int64)

    def words(self, timeout_seconds: float) -> tuple[str, ...]:
        what = ("--data", _DATA, "--iterations", str(self.iterations), "--protocol", str(self.protocol))
        return ("train", *what, "--run-dir", RUN_DIR, "--quiet")

    def wrong(self, folder: Path, stdout: str) -> str | None:
        return self._compare(shares_of(folder / RUN_DIR))

    def again(self, folder: Path, engine: Engine, run_dir: Path) -> str | None:
        task = load_task(str(folder / _DATA))
        return self._compare(
            train(task, self._parameters(), engine=engine, run_dir=run_dir, protocol=self.protocol).shares
        )

    def _compare(self, run_dir: Path) -> str | None:
        try:
            weights = opened(run_dir)
        except ShareFileError as exc:
            return f"its shares cannot be read: {exc}"
        return (
            None if np.array_equal(weights, self._weights) else "its shares are not the weights of an honest training"
        )

    def _parameters(self) -> object:
        return get_model().parameters(iterations=self.iterations)


class Verify(Work):
    """Of a model that was trained honestly on classes that a line parts, so that the verdict is a pass."""

    name = "verify"

    def __init__(self, rng: random.Random) -> None:
        self.protocol = ProtocolName.MAL_REP_RING
        self.rows = rng.randint(4, TEST_ROWS)

    def prepare(self, folder: Path) -> None:
        task = write_task(folder)
        parameters = get_model().parameters(iterations=20)
        train(task, parameters, engine=get_engine(EngineName.REP3), run_dir=folder / RUN_DIR)

    def words(self, timeout_seconds: float) -> tuple[str, ...]:
        what = ("--data", _DATA, "--tests", str(self.rows), "--max-verdicts", "1000")
        return ("verify", RUN_DIR, *what, "--timeout", f"{timeout_seconds:g}", "--quiet")

    def wrong(self, folder: Path, stdout: str) -> str | None:
        return None if stdout.startswith("pass") else f"it printed {stdout!r}, where pass is right"

    def again(self, folder: Path, engine: Engine, run_dir: Path) -> str | None:
        task = load_task(str(folder / _DATA))
        shares, check = shares_of(folder / RUN_DIR), AccuracyThreshold(0.99)
        found = verify(shares, task.x_test, task.y_test, check, engine=engine, max_verdicts=NO_LIMIT)
        return None if found.verdict.passed else "the verdict was a fail, where a pass is right"


def random_work(rng: random.Random, kinds: tuple[type[Work], ...]) -> Work:
    """Mostly programs."""
    weights = {RunProgram: 6, Train: 2, Verify: 2}
    kind = rng.choices(kinds, [weights[kind] for kind in kinds])[0]
    return kind(rng)  # type: ignore[call-arg]


def opened(run_dir: Path) -> np.ndarray:
    """The values of which a run's three share files hold the shares. Raises ShareFileError where they do not fit."""
    files = [share_files.share_file(run_dir, party) for party in range(PARTIES)]
    counts = [share_files.count(file) for file in files]
    if len(set(counts)) != 1:
        raise ShareFileError(f"{run_dir}: expected as many shares at all parties, got {counts}")
    own, previous = zip(*(share_files.read(file, 0, counts[0]) for file in files), strict=True)
    for party in range(PARTIES):
        if not np.array_equal(own[party], previous[(party + 1) % PARTIES]):
            raise ShareFileError(f"{run_dir}: expected equal copies of component {party}, got different ones")
    return (own[0] + own[1] + own[2]).astype(np.int64)


def write_task(folder: Path) -> Task:
    """Images of SIDE x SIDE pixels, the same in each folder: class 0 is bright on the left, class 1 on the right."""
    rng = np.random.default_rng(1)
    arrays: dict[str, np.ndarray] = {}
    for part, rows in (("train", ROWS), ("test", TEST_ROWS)):
        labels = np.arange(rows, dtype=np.uint8) % 2
        images = rng.integers(0, 60, (rows, SIDE, SIDE))
        images[labels == 0, :, : SIDE // 2] += 150
        images[labels == 1, :, SIDE // 2 :] += 150
        arrays |= {f"x_{part}": images.reshape(rows, -1).astype(np.uint8), f"y_{part}": labels}
    np.savez(folder / _DATA, image_shape=np.array([SIDE, SIDE]), **arrays)  # type: ignore[arg-type]
    return load_task(str(folder / _DATA))


KINDS: tuple[type[Work], ...] = (RunProgram, Train, Verify)
