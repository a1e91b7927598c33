"""Arrays that end where memory ends: who reads or writes behind them is killed by the system."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

_NO_ACCESS = 0  # PROT_NONE


def at_the_end_of_memory(array: np.ndarray) -> np.ndarray:
    """A copy of it, in C order."""
    pages = -(-array.nbytes // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    end = pages * mmap.PAGESIZE
    copy = np.frombuffer(memory, array.dtype, array.size, end - array.nbytes).reshape(array.shape)
    copy[...] = array
    behind = ctypes.addressof(ctypes.c_char.from_buffer(memory, end))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(behind), mmap.PAGESIZE, _NO_ACCESS) == 0
    return copy
