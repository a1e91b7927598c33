"""How kernels are compiled: for the types they declare, when their module is imported, and cached on disk.

The cache stands beside this module. Where the installation cannot be written it goes to the user's cache folder, or
else to one below the system's temporary folder. What Numba caches is code that it runs, so that folder must be the
user's own. In it, kernels of different sources stand apart: Numba looks at the file of a kernel alone, and a kernel has
parts that stand in other files. Importing this module does not import Numba.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import hashlib
import importlib
import os
import shutil
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[2]
_BESIDE = Path(__file__).parent / "__pycache__"
VARIABLE = "NUMBA_CACHE_DIR"  # of the environment: a folder for compiled kernels
_TURN_SECONDS = 60.0  # for another process that compiles the same kernel
_LOOK_SECONDS = 0.01
_TURNS = "turns"  # the file in which kernels are locked
_turns: ContextVar[IO[bytes] | None] = ContextVar("_turns", default=None)


def kernel(*signatures: Any) -> Callable[[F], F]:
    """numba.njit for these signatures, without Python's lock."""
    numba: Any = importlib.import_module("numba")
    folder = _folder_of_sources()

    def decorate(function: F) -> F:
        with _compiled_once(function):
            usual = numba.config.CACHE_DIR
            if folder is not None:
                numba.config.CACHE_DIR = str(folder)  # Numba looks at it while it decorates
            try:
                return numba.njit(list(signatures), cache=folder is not None, nogil=True)(function)
            finally:
                numba.config.CACHE_DIR = usual

    return decorate


def kernel_where(available: bool, otherwise: F, *signatures: Any) -> Callable[[F], F]:
    """kernel for what only some processors can do. On others `otherwise` takes its place, and nothing is compiled."""
    return kernel(*signatures) if available else lambda function: otherwise


def part_of_kernels(function: F) -> F:
    """numba.njit for what only kernels call: it is compiled into them, and has nothing of its own to load."""
    numba: Any = importlib.import_module("numba")
    return numba.njit(nogil=True)(function)


def kernel_unless(available: bool, *signatures: Any) -> Callable[[F], F]:
    """kernel for what takes the place of another on processors that lack its instruction. Elsewhere it is at most a
    part of that one, for what is left of whole vectors, or what a test compares with."""
    return part_of_kernels if available else kernel(*signatures)


def in_llvm(definition: Callable[..., Any]) -> Any:
    """numba.extending.intrinsic. What it makes is called without the first argument, the context of the typing."""
    extending: Any = importlib.import_module("numba.extending")
    return extending.intrinsic(definition)


@cache
def _folder_of_sources() -> Path | None:
    """For the kernels as they are written now; None where nothing can be kept."""
    folder = cache_folder()
    if folder is None:
        return None
    sources = hashlib.sha256()
    for source in sorted(_PACKAGE.glob("engines/**/kernels/*.py")):
        sources.update(hashlib.sha256(source.read_bytes()).digest())
    return folder / f"{_of_this_installation()}{sources.hexdigest()[:16]}"


def _of_this_installation() -> str:
    """How its folders of kernels begin: several may share the user's cache."""
    return f"kernels-{hashlib.sha256(bytes(_PACKAGE)).hexdigest()[:8]}-"


@cache
def cache_folder() -> Path | None:
    """Below which compiled kernels are kept; None where nothing can be written."""
    places = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    return next((place for place in (*places, _BESIDE, *_elsewhere()) if _can_be_written(place)), None)


def _elsewhere() -> Iterator[Path]:
    caches = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # no home
        yield (Path(caches) if caches else Path.home() / ".cache") / "mpc-tamper"
    with contextlib.suppress(OSError):
        place = Path(tempfile.gettempdir(), f"mpc-tamper-{os.getuid()}")
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            yield place


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def no_garbage_collected() -> Iterator[None]:
    """While Numba and kernels are loaded: some hundred thousand objects that stay, at which it would look again and
    again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def without_scipy() -> Iterator[None]:
    """For the import of Numba, which looks for SciPy's BLAS, and of which no kernel multiplies floats. In a process of
    our own: other threads would not find SciPy meanwhile.

    It costs time and memory, and where memory is limited its allocation of buffers tries again for ever.
    """
    hidden = "scipy" not in sys.modules
    if hidden:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["scipy"]


@contextlib.contextmanager
def kept_whole(module: str) -> Iterator[None]:
    """While a module of kernels is imported: of processes that would all compile a kernel of it, one does, and the
    others load it. From then on no process has to compile any of it."""
    folder = compiles_into(module)
    if folder is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        turns = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            turns = stack.enter_context((folder / _TURNS).open("ab"))
        token = _turns.set(turns)
        try:
            yield
        finally:
            _turns.reset(token)
        for other in folder.parent.glob(f"{_of_this_installation()}*"):
            if other != folder:  # of sources that this installation had before
                shutil.rmtree(other, ignore_errors=True)
        with contextlib.suppress(OSError):
            if turns is not None and os.path.samestat(os.fstat(turns.fileno()), (folder / _TURNS).stat()):
                _mark(module, folder).touch()  # not if a process of other sources has removed some meanwhile


def compiles_into(module: str) -> Path | None:
    """Where the import of this module keeps the kernels that it compiles; None where it compiles or keeps none."""
    folder = _folder_of_sources()
    return None if folder is None or _mark(module, folder).exists() else folder


@contextlib.contextmanager
def _compiled_once(function: Callable[..., Any]) -> Iterator[None]:
    """In a module that is not whole yet: what is locked is a byte of its file of turns, for each kernel another one.

    Where there are no such locks, as on some networks' file systems, all compile. So they may where two threads of a
    process import kernels: the first that closes the file unlocks what the other has.
    """
    turns = _turns.get()
    if turns is None:
        yield
        return
    byte = zlib.crc32(f"{function.__module__}.{function.__qualname__}".encode())
    with contextlib.suppress(OSError):
        _wait_for_turn(turns.fileno(), byte)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.lockf(turns, fcntl.LOCK_UN, 1, byte)


def _wait_for_turn(file: int, byte: int) -> None:
    """Not for ever: who compiles may have been stopped. Then this process compiles too; Numba replaces whole files."""
    deadline = time.monotonic() + _TURN_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError, PermissionError):  # which of them is the system's choice
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return
        time.sleep(_LOOK_SECONDS)


def _mark(module: str, folder: Path) -> Path:
    """The file that says that all of this module's kernels are there, for this processor. Numba's own files appear one
    by one, while another process compiles or until it is interrupted, and may have been made on another machine."""
    return folder / f"{short_name(module)}.{_target()}.whole"


def short_name(module: str) -> str:
    """Without its package."""
    return module.rpartition(".")[2]


@cache
def _target() -> str:
    """What Numba's files hold for, besides their sources."""
    with no_garbage_collected():
        numba: Any = importlib.import_module("numba")
    registry: Any = importlib.import_module("numba.core.registry")
    processor = registry.cpu_target.target_context.codegen().magic_tuple()
    return hashlib.sha256(repr((sys.implementation.cache_tag, numba.__version__, processor)).encode()).hexdigest()[:16]
