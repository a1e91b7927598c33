"""A share file is whole or not there, where the system takes no more bytes than some."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from mpc_tamper.engines import share_files
from tests.support.processes import started

# A limit on the size of files stands for the disk; Python ignores the signal that comes with it.
WRITES = f"""
import resource, sys
from pathlib import Path
import numpy as np
from mpc_tamper.engines import share_files
path, before, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if before:
    share_files.write(path, np.arange(before), np.arange(before), None)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, {resource.RLIM_INFINITY}))
try:
    share_files.write(path, np.arange(100), np.arange(100), None)
except OSError as exc:
    print(exc.strerror)
"""


@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize("limit", [0, 10, 30, 200, 1000])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, before: int, limit: int) -> None:
    path = share_files.share_file(tmp_path, 1)
    with started([sys.executable, "-c", WRITES, path, str(before), str(limit)]) as process:
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out, err) == (0, "File too large\n", "")
    if before or path.exists():
        assert share_files.count(path) == before
