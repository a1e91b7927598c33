"""Which instructions the code that Numba makes here may use."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba.core import config
from numba.core.codegen import get_host_cpu_features


@cache
def may_use(*features: str) -> bool:
    """Whether all of these may be used, by LLVM's names: the processor's own, or those that Numba is told to make code
    for."""
    chosen, name = getattr(config, "CPU_FEATURES", None), getattr(config, "CPU_NAME", None)
    if chosen is None and name not in (None, "host"):
        return False
    return {f"+{each}" for each in features} <= set((_found() if chosen is None else chosen).split(","))


@cache
def _found() -> Any:
    """As Numba sees them: without AVX where it is told not to use it (NUMBA_ENABLE_AVX), or does not trust it, as of
    processors that a virtual machine calls by an old name. LLVM ends the process where it meets an instruction that it
    may not use."""
    return get_host_cpu_features()
