"""Which instructions the code that Numba makes here may use."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding
from numba.core import config


@cache
def may_use(*features: str) -> bool:
    """Whether all of these may be used, by LLVM's names: the processor's own, or those that Numba is told to make code
    for."""
    chosen, name = getattr(config, "CPU_FEATURES", None), getattr(config, "CPU_NAME", None)
    if chosen is not None:
        return {f"+{each}" for each in features} <= set(chosen.split(","))
    return name in (None, "host") and all(_found().get(each) for each in features)


@cache
def _found() -> Any:
    return binding.get_host_cpu_features()
