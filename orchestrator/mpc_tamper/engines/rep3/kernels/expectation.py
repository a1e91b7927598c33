"""What kernels compute, compared with NumPy when a process loads them."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable

SUMS_OVER_SUBSETS = "the sums over subsets that NumPy finds, got others"
RECORDED_GATES = "gates to be recorded as NumPy does it, got something else"


def expect(what: str, found: np.ndarray, right: np.ndarray) -> None:
    """what: is expected, and what came instead. Raises EngineUnavailable unless the two are equal."""
    if not np.array_equal(found, right):
        raise EngineUnavailable(
            f"expected {what}: the compiled kernels are wrong on this processor; clear Numba's cache "
            "(NUMBA_CACHE_DIR), or try NUMBA_CPU_NAME=generic"
        )
