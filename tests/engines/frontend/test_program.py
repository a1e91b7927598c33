"""Loading a program: its sites, its hash, and files that are no program."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

import pytest

from mpc_tamper.core.errors import DataError, ProgramError
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import Program, load_program, run_program


def program(tmp_path: Path, source: str) -> Program:
    path = tmp_path / "example.mpc"
    path.write_text(source)
    return load_program(path)


def printed(loaded: Program, *args: str) -> str:
    machine = ClearMachine(loaded.sites, {})
    run_program(loaded, args, machine)
    return "".join(machine.text)


def test_sites_are_named_timers(tmp_path: Path) -> None:
    source = (
        "MARGINS = 1\nGRADIENT, UPDATE = 5, 6\nUNUSED = 7\nCOMPUTED = 3 + 5\nBATCHES = 10\n"
        "def step():\n    start_timer(GRADIENT)\n    stop_timer(GRADIENT)\n"
        "start_timer(MARGINS)\nstop_timer(MARGINS)\nstart_timer(COMPUTED)\nstop_timer(COMPUTED)\n"
        "start_timer(UPDATE)\nstop_timer(UPDATE)\nstart_timer(9)\nstop_timer(9)\n"
    )
    assert program(tmp_path, source).sites == {1: "MARGINS", 5: "GRADIENT", 6: "UPDATE"}


def test_two_names_for_one_timer(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="ONE and OTHER for 1"):
        program(tmp_path, "ONE = 1\nOTHER = 1\nstart_timer(ONE)\nstart_timer(OTHER)\n").sites  # noqa: B018


def test_the_hash_covers_source_and_arguments(tmp_path: Path) -> None:
    loaded = program(tmp_path, "print_ln('a')")
    hashes = {loaded.sha256(args) for args in [(), ("a",), ("a", "b"), ("ab",), ("b", "a")]}
    assert len(hashes) == 5
    source = b"print_ln('a')"
    assert loaded.sha256() == hashlib.sha256(len(source).to_bytes(8, "little") + source).hexdigest()


def test_files_that_are_no_program(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.mpc"):
        load_program(tmp_path / "missing.mpc")
    with pytest.raises(ProgramError, match="line 2"):
        program(tmp_path, "x = 1\nx ==\n")
    (tmp_path / "binary.mpc").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.mpc"):
        load_program(tmp_path / "binary.mpc")


def test_programs_in_threads_do_not_meet(tmp_path: Path) -> None:
    loaded = program(
        tmp_path,
        "sfix.set_precision(int(program.args[1]), 40)\nx = regint(0)\n"
        "@for_range(200)\ndef _(i):\n    x.update(x + int(program.args[1]))\n"
        "print_ln('%s %s', x, sfix.f)",
    )
    texts: dict[int, str] = {}

    def run(n: int) -> None:
        texts[n] = printed(loaded, str(n))

    threads = [threading.Thread(target=run, args=(n,)) for n in (3, 5, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {3: "600 3\n", 5: "1000 5\n", 8: "1600 8\n"}


def test_python_print_is_not_program_output(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert printed(program(tmp_path, "print('compiling', 3)\nprint_ln('running')")) == "running\n"
    assert "compiling 3" in caplog.text


def test_standard_modules_can_be_imported(tmp_path: Path) -> None:
    assert printed(program(tmp_path, "import math\nprint_ln('%s', math.gcd(12, 18))")) == "6\n"


def test_an_engine_fault_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    loaded = program(tmp_path, "start_timer(1)")
    machine = ClearMachine(loaded.sites, {})
    del machine.clock
    with pytest.raises(AttributeError, match="clock"):
        run_program(loaded, (), machine)
