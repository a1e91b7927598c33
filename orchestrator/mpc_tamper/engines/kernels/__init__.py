"""What engines share of compiled code: products of matrices, how kernels are compiled, on how many threads they run.

Numba and the kernels take most of a second to load, so each module is imported when a kernel of it is first called.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import is_of_room
from mpc_tamper.engines.kernels.compilation import (
    VARIABLE,
    cache_folder,
    kept_whole,
    no_garbage_collected,
    short_name,
)
from mpc_tamper.engines.kernels.elsewhere import Say, compile_missing, notify


class WhenUsed:
    """Stands for a module of kernels; imports it when something of it is asked for. Has the module's names from then
    on, all the same dictionary, as Python takes longer to find a loaded module than a small kernel takes."""

    __slots__ = ("__dict__", "_module")

    def __init__(self, module: str) -> None:
        object.__setattr__(self, "_module", module)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._loaded(), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(self._loaded(), attribute, value)

    def _loaded(self) -> Any:
        module = _import(self._module)
        object.__setattr__(self, "__dict__", module.__dict__)
        return module


class Modules:
    """Modules of kernels: their full names by what an engine calls them."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._when_used = {name: WhenUsed(module) for name, module in modules.items()}

    def when_used(self, package: str, name: str) -> WhenUsed:
        """What `from package import name` finds until the module itself is there."""
        try:
            return self._when_used[name]
        except KeyError:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    def compile_missing(self, names: Iterable[str], say: Say = notify) -> None:
        """Have a process of its own compile what Numba's cache on disk does not hold yet (elsewhere.py)."""
        _compile_missing([self._modules[name] for name in names], say)

    def load(self, names: Iterable[str]) -> None:
        """Import these modules now; what is not on disk yet is compiled first."""
        modules = [self._modules[name] for name in names]
        _compile_missing(modules)
        for module in modules:
            _import(module)

    def loaded(self) -> list[str]:
        """Those that this process has imported."""
        return [name for name, module in self._modules.items() if module in sys.modules]


MATMUL = f"{__name__}.matmul"
_modules = Modules({"matmul": MATMUL, "limits": f"{__name__}.limits"})


def __getattr__(name: str) -> Any:
    return _modules.when_used(__name__, name)


def _import(module: str) -> Any:
    if module in sys.modules:
        return importlib.import_module(module)
    _compile_missing([module])
    with _refusals_told(module), no_garbage_collected(), kept_whole(module):
        return importlib.import_module(module)


def _compile_missing(modules: Sequence[str], say: Say = notify) -> None:
    with _refusals_told(*modules):
        compile_missing(modules, say)


@contextlib.contextmanager
def _refusals_told(*modules: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ImportError, MemoryError) as exc:  # where memory is short, llvmlite says that a library is missing
        names = ", ".join(map(short_name, modules))
        if is_of_room(exc):
            raise EngineUnavailable(
                f"{cache_folder()}: expected room for the compiled kernels {names}, got: {exc.strerror}; free some "
                f"space, or say in {VARIABLE} which folder has it"
            ) from exc
        raise EngineUnavailable(
            f"expected to load the compiled kernels {names}, got: {exc or 'not enough memory'}; "
            "free some memory, or where there is enough, install numba again"
        ) from exc
