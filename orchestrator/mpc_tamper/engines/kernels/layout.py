"""How arrays lie in memory for kernels, whose signatures name row-major ones."""

from __future__ import annotations

import numpy as np


def row_major(array: np.ndarray) -> np.ndarray:
    """The array itself, or a copy where it lies otherwise: it may be a view, and what is mapped from a file may begin
    anywhere."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=["C", "A"])
