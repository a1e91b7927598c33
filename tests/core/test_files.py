"""Files that cannot be written: a UsageError in time, and nothing left behind."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path

import pytest

from mpc_tamper.core.errors import DataError, UsageError
from mpc_tamper.core.files import (
    atomic_path,
    check_folder,
    check_space,
    decoding,
    exists,
    held,
    is_file,
    is_folder,
    make_folder,
    read_file,
    read_text_file,
    same_place,
    what_is,
    write_atomically,
)

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


@pytest.mark.parametrize(
    ("name", "is_what"),
    [
        ("n" * 256, "a name that is too long"),
        ("loop", "links that lead in a circle"),
        ("loop/x", "links that lead in a circle"),
        ("file/x", "Not a directory"),
        ("nul\0", "a path that is none: embedded null"),
        ("dangling", "a link to nothing"),
    ],
)
def test_any_path_has_an_answer(place: Path, name: str, is_what: str) -> None:
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    path = Path(name)
    assert what_is(path).startswith(is_what)
    assert (is_file(path), is_folder(path), exists(path)) == (False, False, False)
    with pytest.raises(DataError, match=r": expected a book, got .*; check the path"):
        read_file(path, "a book")
    if "\0" not in name:
        assert not same_place(path, Path("file"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE])
def test_what_may_not_be_looked_at(place: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Such as a file below a folder that others may not enter; root, who runs many a test, may."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    path = Path("file")
    said = "a place that you may not look at" if number == errno.EACCES else os.strerror(number)
    assert what_is(path) == said
    assert (is_file(path), exists(path)) == (False, False)
    with pytest.raises(UsageError, match=said):
        read_file(path, "a book")


def test_files_are_read_whole_up_to_a_size(place: Path) -> None:
    assert read_file(Path("file"), "a book", largest=5) == b"there"
    with pytest.raises(DataError, match="of at most 4 bytes, got more"):
        read_file(Path("file"), "a book", largest=4)
    Path("mark").write_bytes(b"\xef\xbb\xbfabc")
    assert read_text_file(Path("mark"), "a book") == "abc"
    Path("latin").write_bytes(b"ab\xe9")
    with pytest.raises(DataError, match="got byte 2 that is none; save it as UTF-8"):
        read_text_file(Path("latin"), "a book")


@pytest.mark.parametrize(
    "foreign",
    [RuntimeError("a\nb"), NotImplementedError(), MemoryError(), EOFError(), RecursionError("deep"), KeyError(1)],
)
def test_whatever_a_decoder_raises_is_one_line(foreign: Exception) -> None:
    with (
        pytest.raises(DataError, match="x: part: expected a book, got a file that does not read") as caught,
        decoding(Path("x"), "a book", "print it again", part="part"),
    ):
        raise foreign
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("print it again")
    with pytest.raises(UsageError, match=r"^mine$"), decoding(Path("x"), "a book", ""):
        raise UsageError("mine")
    with pytest.raises(KeyboardInterrupt), decoding(Path("x"), "a book", ""):
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["n" * 255, "\N{GREEK SMALL LETTER ALPHA}" * 127, "a." + "n" * 253])
def test_the_longest_names_can_be_written(place: Path, name: str) -> None:
    write_atomically(Path(name), "content")
    assert Path(name).read_text() == "content"


def test_a_folder_is_held_by_one_run(place: Path) -> None:
    with held(place), pytest.raises(UsageError, match="expected a folder that no other run uses"), held(place):
        pass
    with held(place):
        pass


@pytest.mark.parametrize(
    ("size", "free", "said"),
    [
        (6_000, 512, "expected 6.00 kB of free space for rows, got 512 bytes;"),
        (2_500_000, 1_250_000, "expected 2.50 MB of free space for rows, got 1.25 MB;"),
        (1_250_000_000_000, 10**9, "expected 1,250.00 GB of free space for rows, got 1.00 GB;"),
    ],
)
def test_sizes_of_disks_are_told_in_units_in_which_they_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, free: int, said: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UsageError) as refused:
        check_space(tmp_path, size, "rows")
    assert said in str(refused.value)
    check_space(tmp_path, free, "rows")
