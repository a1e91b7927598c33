"""What the operating system refuses: space, permission, descriptors, memory; and a clock that jumps."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from mpc_tamper.studies.faults.fault import Fault, Place, Right
from mpc_tamper.studies.faults.processes import Launch, Running
from mpc_tamper.studies.faults.work import RUN_DIR, RunProgram, Train, Verify

# In a mount namespace of its own, which ends with the command; what the file system held is kept for the observer.
_ON_SMALL_DISK = """
size=$1 place=$2 kept=$3; shift 3
mount -t tmpfs -o size=${size}k,mode=700 none "$place" || exit 125
"$@"; code=$?
cp -a "$place" "$kept" && umount "$place" && cp -a "$kept/." "$place"
exit $code
"""
_WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
_CLOCK = """
import os, time
_true, _began = time.time, time.monotonic()
_jump, _after = map(float, os.environ["MPC_TAMPER_CLOCK"].split())


def _jumping():
    return _true() + (_jump if time.monotonic() - _began > _after else 0)


time.time = _jumping
time.time_ns = lambda: int(_jumping() * 1e9)
"""


@dataclass(frozen=True)
class _FromTheStart(Fault):
    """Present when the command starts; when it is felt is not known."""

    known_moment = False

    def strike(self, running: Running, place: Place) -> float | None:
        return running.began


@dataclass(frozen=True)
class _SmallDisk(_FromTheStart):
    cause = "(?i)no space|space left|free space|full|room"
    place: ClassVar[str]
    kilobytes: int

    @classmethod
    def impossible(cls) -> str | None:
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            return "a small disk takes root and unshare"
        return None

    def launch(self, launch: Launch, place: Place) -> Launch:
        full, kept = place.folder / self.place, place.folder.with_name("kept")
        full.mkdir(exist_ok=True)
        words = ("sh", "-c", _ON_SMALL_DISK, "sh", str(self.kilobytes), str(full), str(kept))
        return replace(launch, under=("unshare", "--mount", *words, *launch.under))


@dataclass(frozen=True)
class FullDisk(_SmallDisk):
    """The run folder is on a disk that fills up."""

    name = "full disk"
    place = RUN_DIR
    works = (RunProgram, Train)

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(4 * rng.randint(1, 16))


@dataclass(frozen=True)
class FullTemporaryFolder(_SmallDisk):
    """The folder for temporary files is on a disk that fills up."""

    name = "full temporary folder"
    place = "../temporary"
    works = (Train, Verify)

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(4 * rng.randint(1, 4))


@dataclass(frozen=True)
class FileSizeLimit(_FromTheStart):
    """No file may grow beyond some bytes (RLIMIT_FSIZE)."""

    bytes: int
    name = "file-size limit"
    cause = "(?i)file too large|room|SIGXFSZ|temporary directory"  # tempfile tries each place by writing to it

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.choice((0, rng.randint(1, 400), rng.randint(400, 2000), rng.randint(2000, 6000))))

    def launch(self, launch: Launch, place: Place) -> Launch:
        return replace(launch, limits={"RLIMIT_FSIZE": self.bytes})


@dataclass(frozen=True)
class ReadOnlyFolder(_FromTheStart):
    """The run folder, or the one that it would be made in, may not be written to."""

    exists: bool
    mode: int
    name = "read-only folder"
    cause = "(?i)permission denied|read-only"
    works = (RunProgram, Train)

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.random() < 0.5, rng.choice((0o500, 0o400, 0o000)) if rng.random() < 0.5 else 0o500)

    @classmethod
    def impossible(cls) -> str | None:
        return "root needs setpriv" if os.geteuid() == 0 and shutil.which("setpriv") is None else None

    def launch(self, launch: Launch, place: Place) -> Launch:
        folder = place.folder / RUN_DIR if self.exists else place.folder / "above"
        folder.mkdir()
        folder.chmod(self.mode)
        place.stack.callback(folder.chmod, 0o700)
        words = list(launch.words)
        if not self.exists:
            words[words.index("--run-dir") + 1] = f"above/{RUN_DIR}"
        under = _WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ()
        return replace(launch, words=tuple(words), under=(*under, *launch.under))


@dataclass(frozen=True)
class DescriptorLimit(_FromTheStart):
    """Few files may be open at a time (RLIMIT_NOFILE)."""

    descriptors: int
    name = "file-descriptor limit"
    cause = "(?i)too many open files|descriptor"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randint(7, 30))

    def launch(self, launch: Launch, place: Place) -> Launch:
        return replace(launch, limits={"RLIMIT_NOFILE": self.descriptors})


@dataclass(frozen=True)
class MemoryLimit(_FromTheStart):
    """A process may take little memory (RLIMIT_AS)."""

    megabytes: int
    name = "memory limit"
    cause = "(?i)memory|allocate"
    foreign = "OpenBLAS "

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randint(100, 600))

    def launch(self, launch: Launch, place: Place) -> Launch:
        return replace(launch, limits={"RLIMIT_AS": self.megabytes << 20})


@dataclass(frozen=True)
class ClockJump(_FromTheStart):
    """The clock jumps while the command and the parties run: Python's time.time, in all of them."""

    seconds: float
    after: float
    name = "clock jump"
    right = Right.GOES_ON

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.choice((-1, 1)) * round(10 ** rng.uniform(0, 9), 1), round(rng.uniform(0, 2), 2))

    def launch(self, launch: Launch, place: Place) -> Launch:
        folder = place.folder.with_name("clock")
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_CLOCK, encoding="utf-8")
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        jump = {"PYTHONPATH": path, "MPC_TAMPER_CLOCK": f"{self.seconds} {self.after}"}
        return replace(launch, environment={**launch.environment, **jump})
