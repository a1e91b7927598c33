"""A temporary folder goes with its process: at the end of a block, with its object, and when the process is killed."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from mpc_tamper.core.temporary import TemporaryFolder
from tests.support.processes import started, wait_for

HOLDS_ONE = """
import pathlib, time
from mpc_tamper.core.temporary import TemporaryFolder
with TemporaryFolder() as name:
    pathlib.Path(name, "rows.bin").write_text("secret")
    print(name, flush=True)
    time.sleep(60)
"""


def test_it_is_its_owners_and_goes_with_the_block() -> None:
    with TemporaryFolder() as name:
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o700
        Path(name, "rows.bin").write_bytes(b"1")
    assert not os.path.exists(name)


def test_it_goes_with_its_object() -> None:
    folder = TemporaryFolder()
    name = folder.name
    folder.cleanup()
    assert not os.path.exists(name)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_it_goes_with_a_process_that_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    with started([sys.executable, "-c", HOLDS_ONE]) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert (folder / "rows.bin").exists()
        process.send_signal(number)
        assert process.wait(240) == -number
        wait_for(lambda: not folder.exists())


def test_without_a_process_to_start_it_still_goes_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with TemporaryFolder() as name:
        assert os.path.isdir(name)
    assert not os.path.exists(name)
