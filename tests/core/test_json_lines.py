"""Files of JSON lines: what is appended is there, whoever else writes; torn lines cost nothing but themselves."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mpc_tamper.core.errors import DataError, UsageError
from mpc_tamper.core.json_lines import appending, read_lines

WRITER = """
import sys
from pathlib import Path
from mpc_tamper.core.json_lines import appending
for number in range(50):
    with appending(Path(sys.argv[1])) as lines:
        lines.append({"writer": sys.argv[2], "number": number, "there": len(lines.records), "long": "x" * 9000})
"""
AWKWARD = {"float": 0.1 + 0.2, "least": 5e-324, "whole": 2**70, "text": 'ü"\n\\', "none": None, "list": [1, [2]]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "some.jsonl"


def append(path: Path, *records: dict[str, object]) -> None:
    with appending(path) as lines:
        for record in records:
            lines.append(record)


def test_what_is_appended_is_read(path: Path) -> None:
    append(path, AWKWARD)
    before = path.read_bytes()
    append(path, {}, {"second": 2})
    assert path.read_bytes() == before + b'{}\n{"second": 2}\n'
    assert read_lines(path).records == (AWKWARD, {}, {"second": 2})
    assert read_lines(path).torn is None
    with appending(path) as lines:
        assert lines.records == [AWKWARD, {}, {"second": 2}]


def test_an_empty_file_has_no_lines(path: Path) -> None:
    append(path)
    assert read_lines(path).records == ()


def test_two_processes_append_to_one_file(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "ab"]
    try:
        assert [writer.wait(240) for writer in writers] == [0, 0]
    finally:
        for writer in writers:
            writer.kill()
    records = read_lines(path).records
    assert [record["there"] for record in records] == list(range(100))  # each saw all that stood before it
    for name in "ab":
        assert [record["number"] for record in records if record["writer"] == name] == list(range(50))


def test_a_reader_waits_for_the_line(path: Path) -> None:
    found: list[int] = []
    with appending(path) as lines:
        reader = threading.Thread(target=lambda: found.append(len(read_lines(path).records)))
        reader.start()
        reader.join(0.1)
        assert not found
        lines.append({})
    reader.join(60)
    assert found == [1]


@pytest.mark.parametrize("kept", range(1, len(json.dumps(AWKWARD))))
def test_a_torn_line_is_reported_and_replaced(path: Path, kept: int) -> None:
    append(path, {"first": 1}, AWKWARD)
    whole = path.read_bytes()
    path.write_bytes(whole[: len('{"first": 1}\n') + kept])
    found = read_lines(path)
    assert found.records == ({"first": 1},)
    assert found.torn == f"{path}: the last line was cut short after {kept} bytes and is left out"
    append(path)
    assert read_lines(path).torn  # looking changes nothing
    append(path, AWKWARD)
    assert path.read_bytes() == whole


def test_a_line_without_its_end_is_whole(path: Path) -> None:
    append(path, {"first": 1})
    path.write_bytes(path.read_bytes().rstrip())
    assert read_lines(path).records == ({"first": 1},)
    append(path, {"second": 2}, {})
    assert path.read_bytes() == b'{"first": 1}\n{"second": 2}\n{}\n'


@pytest.mark.parametrize("content", [b"{}\nno\n{}\n", b"{}\n\n{}\n", b"{}\n[1]\n", b'{}\n"text"', b"{}\n\xff\n"])
def test_a_damaged_line_is_no_torn_one(path: Path, content: bytes) -> None:
    append(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"some.jsonl: line 2: expected a JSON object, got .*"):
        read_lines(path)
    with pytest.raises(DataError, match="line 2"):
        append(path, {})
    assert path.read_bytes() == content


def test_a_full_disk_leaves_no_part_of_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(path, {"first": 1})
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: real(handle, line[:5]))
    with pytest.raises(UsageError, match="expected room for a line of 14 bytes, got it for 5; free some space"):
        append(path, {"second": 2})
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(UsageError, match="No space left"):
        append(path, {"second": 2})
    assert path.read_bytes() == b'{"first": 1}\n'


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a file of JSON lines, got: No such file"):
        read_lines(tmp_path / "absent")
    with pytest.raises(DataError, match="expected a file of JSON lines, got: Is a directory"):
        read_lines(tmp_path)
    with pytest.raises(UsageError, match="expected a file that can be written, got: Is a directory"):
        append(tmp_path, {})
