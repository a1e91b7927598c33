"""Sizes of memory, and how much there is."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.memory import available_bytes, read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1M", 1 << 20),
        ("512m", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("4 GB", 4 << 30),
        ("2097152", 1 << 21),
        ("1T", 1 << 40),
    ],
)
def test_a_size_as_users_write_it(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1G", "1023K", "0", "many", "1E", "1e9", "4GG"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="expected a size of memory from 1M"):
        read_size(text)


def test_processes_share_what_the_machine_has() -> None:
    one, three = available_bytes(1), available_bytes(3)
    assert one is not None
    assert three is not None
    assert 0 < three < one


@pytest.mark.parametrize("limit", ["RLIMIT_DATA", "RLIMIT_AS"])
def test_limits_of_a_process_count(limit: str) -> None:
    code = f"""
import resource
resource.setrlimit(resource.{limit}, (1 << 30, {resource.RLIM_INFINITY}))
from mpc_tamper.core.memory import available_bytes
room = available_bytes(1000)
taken = bytearray(512 << 20)
print(room <= 1 << 30, available_bytes(1) < 512 << 20)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "True True\n"
