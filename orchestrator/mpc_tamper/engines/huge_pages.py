"""Huge pages for large arrays that stay, on Linux: a product that reads all of one takes two thirds of the time.

Parties have them switched off for everything else (rep3/launcher.py). Only pages that lie wholly in the array are
advised, so that it takes no more memory than with small ones.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Callable

import numpy as np

BYTES = 2 << 20  # of a huge page on x86-64 and mostly elsewhere; where it is another size, Linux sees for itself


def use_huge_pages(zeros: np.ndarray) -> None:
    """zeros: what np.zeros has just made. Does nothing where the system has no huge pages or does not give any."""
    advise = _madvise()
    address = zeros.ctypes.data
    first, last = -(-address // BYTES) * BYTES, (address + zeros.nbytes) // BYTES * BYTES
    if advise is None or first >= last:
        return
    # Memory that the process has had before lies on small pages: it is given back, and comes again as zeros.
    if advise(first, last - first, mmap.MADV_HUGEPAGE) == 0:
        advise(first, last - first, mmap.MADV_DONTNEED)


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    """The C library's; None on systems other than Linux."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    advise: Callable[[int, int, int], int] = function
    return advise
