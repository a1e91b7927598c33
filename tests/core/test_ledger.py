"""Counts in the user's state folder: never above their limit, private, and refused where they cannot be kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.ledger import VARIABLE, Ledger, state_folder
from tests.support.places import ROOT


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({VARIABLE: "/a", "XDG_STATE_HOME": "/b"}, "/a"),
        ({VARIABLE: "", "XDG_STATE_HOME": "/b"}, "/b/mpc-tamper"),
        ({"XDG_STATE_HOME": "relative"}, str(Path.home() / ".local/state/mpc-tamper")),
        ({}, str(Path.home() / ".local/state/mpc-tamper")),
    ],
)
def test_where_the_counts_stand(environment: Mapping[str, str], folder: str) -> None:
    assert state_folder(environment) == Path(folder)


def test_a_relative_place_is_refused() -> None:
    with pytest.raises(UsageError, match=f"{VARIABLE}: expected an absolute path, got 'state'"):
        state_folder({VARIABLE: "state"})


def test_counts_go_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    assert [Ledger("kind", tmp_path).take(["a"], 3) for _ in range(5)] == [1, 2, 3, None, None]
    assert Ledger("kind", tmp_path).take(["a"], 4) == 4
    assert Ledger("other", tmp_path).take(["a"], 3) == 1
    assert Ledger("kind", tmp_path).take(["a"], 0) is None


def test_several_names_are_counted_together(tmp_path: Path) -> None:
    """Each once, and the largest tells; where one has reached the limit none is counted."""
    ledger = Ledger("kind", tmp_path)
    assert ledger.take(["a"], 9) == 1
    assert ledger.take(["a", "b"], 9) == 2
    assert ledger.take(["a", "b"], 2) is None
    assert [ledger.spent(name) for name in "abc"] == [2, 1, 0]


def test_threads_and_processes_never_pass_the_limit(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mpc_tamper.core.ledger import Ledger\n"
        "print(sum(Ledger('kind', Path(sys.argv[1])).take(['a'], 30) is not None for _ in range(20)))"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "orchestrator")}
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    taken: list[int] = []

    def take() -> None:
        taken.extend(n for _ in range(2) if (n := Ledger("kind", tmp_path).take(["a"], 30)) is not None)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == len(taken)
    assert sum(int(process.communicate()[0]) for process in processes) + len(taken) == 30


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Ledger("kind", tmp_path / "deep" / "state").take(["a"], 1)
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "state"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {"state": 0o700, "kind": 0o700, "lock": 0o600, "a.json": 0o600}


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be_written_allows_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"expected a folder in which kind can be counted, got: .*; set {VARIABLE} to"):
        Ledger("kind", tmp_path / place).take(["a"], 1)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"count": -1}', '{"count": "1"}', '{"count": true}', "\xff"])
def test_a_damaged_count_allows_nothing(tmp_path: Path, content: str) -> None:
    Ledger("kind", tmp_path).take(["a"], 9)
    (tmp_path / "kind" / "a.json").write_text(content)
    with pytest.raises(UsageError, match=r"a\.json: expected a count"):
        Ledger("kind", tmp_path).take(["a"], 9)
