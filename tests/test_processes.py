"""What tests start: a terminal's dispositions of signals, and nothing left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mpc_tamper.core.temporary import TemporaryFolder
from tests.support.processes import descendants, existing, fail_on_processes_left, left_of, parents, started, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]
PARENT = "import subprocess, sys; child = subprocess.Popen(sys.argv[1:], start_new_session=True); child.wait()"


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def ignored(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that this process ignores, as a background job of a shell ignores SIGINT."""
    before = signal.signal(request.param, signal.SIG_IGN)
    yield request.param
    signal.signal(request.param, before)


def test_a_child_takes_a_signal_that_the_tests_ignore(ignored: signal.Signals) -> None:
    with started(SLEEP) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(ignored)
        assert process.wait(240) != 0


def test_the_whole_tree_is_killed_at_the_end_of_the_block() -> None:
    with started([sys.executable, "-c", PARENT, *SLEEP]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        tree = descendants(process.pid)
        assert tree
    wait_for(lambda: not parents().keys() & {process.pid, *tree})


def test_what_outlives_a_test_is_found_killed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphan in a session of its own is known by its environment."""
    monkeypatch.setattr("tests.support.processes.SECONDS_TO_LEAVE", 0.1)
    before = existing()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *SLEEP], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    (orphan,) = descendants(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert set(left_of(before)) == {orphan}
    with pytest.raises(pytest.fail.Exception, match=r"outlived the test(?s:.*)time\.sleep\(600\)"):
        fail_on_processes_left(before)
    wait_for(lambda: not left_of(before))


def test_a_watcher_of_a_temporary_folder_may_outlive_a_test_only_while_the_folder_is_in_use() -> None:
    before = existing()
    with TemporaryFolder() as name:
        watchers = [process for process in descendants(os.getpid()) if process not in before]
        assert watchers
        assert not left_of(before)
        os.rename(name, f"{name}-elsewhere")  # as if whoever used it had gone and had left the watcher behind
        assert set(left_of(before)) == set(watchers)
        os.rename(f"{name}-elsewhere", name)
    wait_for(lambda: not left_of(before))
