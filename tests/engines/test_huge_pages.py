"""Huge pages change where an array lies, and nothing else."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from mpc_tamper.engines import huge_pages
from mpc_tamper.engines.huge_pages import BYTES, use_huge_pages

WORDS = 3 * BYTES // 8


def test_zeros_stay_zeros_and_neighbours_what_they_are():
    memory = np.ones(3 * WORDS, np.uint64)
    zeros = memory[WORDS + 5 : 2 * WORDS + 5]
    zeros[:] = 0
    use_huge_pages(zeros)
    assert not zeros.any()
    assert memory[: WORDS + 5].all()
    assert memory[2 * WORDS + 5 :].all()
    zeros[:] = 7
    assert (zeros == 7).all()


@pytest.mark.parametrize("size", [0, 1, BYTES // 8])
def test_an_array_without_a_whole_page_is_left_alone(size, monkeypatch):
    monkeypatch.setattr(huge_pages, "_madvise", lambda: pytest.fail if size < BYTES // 8 else lambda *_: 0)
    use_huge_pages(np.zeros(size, np.uint64))


def test_systems_without_huge_pages(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE")
    huge_pages._madvise.cache_clear()
    try:
        use_huge_pages(np.zeros(WORDS, np.uint64))
    finally:
        monkeypatch.undo()
        huge_pages._madvise.cache_clear()
