"""Importing is quick where little is needed, and works where the system offers less than Linux."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "matplotlib", "rich", "cryptography", "numba", "PIL"}
REP3 = "mpc_tamper.engines.rep3"


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        *("mpc_tamper", "mpc_tamper.cli.main", "mpc_tamper.core.files", "mpc_tamper.core.bundle"),
        *("mpc_tamper.core.progress", "mpc_tamper.runs.spec", "mpc_tamper.runs.result", "mpc_tamper.runs.plan"),
        f"{REP3}.launcher",
    ],
)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    assert not imported_by(module) & HEAVY


@pytest.mark.parametrize("module", [f"{REP3}.engine", f"{REP3}.party", f"{REP3}.in_process", f"{REP3}.single_party"])
def test_an_engine_imports_no_numba_and_nothing_of_reports(module: str) -> None:
    assert not imported_by(module) & {"pandas", "matplotlib", "rich", "numba", "PIL"}


@pytest.mark.parametrize(("protocol", "loads"), [("ring", False), ("mal-rep-ring", True)])
def test_only_the_active_protocol_loads_the_proofs(protocol: str, loads: bool) -> None:
    code = (
        f"import sys; from {REP3}.protocol import selection; import {REP3}.party; selection.load('{protocol}'); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert (f"{REP3}.protocol.proof.bits" in done.stdout.split()) is loads


@pytest.mark.parametrize("module", ["mpc_tamper.engines.clear.engine", "mpc_tamper.engines.registry"])
def test_the_oracle_imports_no_other_engine(module: str) -> None:
    assert not {name for name in imported_by(module) if name.startswith((REP3, "mpc_tamper.engines.mp_spdz"))}


@pytest.mark.slow
def test_every_module_imports_without_what_only_linux_has() -> None:
    code = """
import select, pkgutil, importlib
del select.POLLRDHUP
import mpc_tamper
names = [m.name for m in pkgutil.walk_packages(mpc_tamper.__path__, "mpc_tamper.") if "_bundle" not in m.name]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
