"""Files that cannot be written: a UsageError in time, and nothing left behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.files import atomic_path, check_folder, make_folder, what_is, write_atomically

NO_FOLDERS = ["file", "file/below", "file/below/that", "n" * 300, "/proc/none", "/proc/none/below"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("there")
    return tmp_path


@pytest.mark.parametrize("folder", NO_FOLDERS)
def test_folders_that_cannot_be_written(place: Path, folder: str) -> None:
    for refuse in (check_folder, make_folder):
        with pytest.raises(UsageError, match=f"{folder}: expected a folder that can be .* choose another"):
            refuse(Path(folder))
    with pytest.raises(UsageError, match="expected a file that can be written, got: "):
        write_atomically(Path(folder, "record.json"), "content")
    assert [path.name for path in place.rglob("*")] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_of_somebody_else(place: Path) -> None:
    place.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="Permission denied"):
            check_folder(place / "new")
    finally:
        place.chmod(0o700)


@pytest.mark.parametrize("folder", [".", "new", "new/below/that"])
def test_a_check_leaves_nothing_behind(place: Path, folder: str) -> None:
    check_folder(Path(folder))
    assert [path.name for path in place.rglob("*")] == ["file"]
    write_atomically(Path(folder, "record.json"), "content")
    assert Path(folder, "record.json").read_text() == "content"


def test_what_fails_while_writing_leaves_the_old_file(place: Path) -> None:
    def fill_the_disk() -> None:
        with atomic_path(Path("file")) as temporary:
            temporary.write_text("half")
            raise OSError(28, "no space")

    with pytest.raises(UsageError, match="no space"):
        fill_the_disk()
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("file", "there")]


def test_what_is(place: Path) -> None:
    os.mkfifo("pipe")
    Path("link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path, name in {
            "file": "a file",
            ".": "a folder",
            "/dev/zero": "a device",
            "pipe": "a pipe",
            "socket": "a socket",
            "link": "a link to nothing",
            "none": "no such file",
        }.items():
            assert what_is(Path(path)) == name
