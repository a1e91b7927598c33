"""The clear engine: a program on plain values, in this process. The oracle, with no secrecy at all."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ShareFolderError, TamperError
from mpc_tamper.core.files import held_if_used, make_folder, read_file, same_place, write_atomically
from mpc_tamper.engines.base import Capabilities, Engine, OnRemark, OnStep
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import Program, load_program, run_program
from mpc_tamper.engines.kernels.threads import all_cores, on_threads
from mpc_tamper.engines.mapped import Storage, memory_budget
from mpc_tamper.engines.run_log import logged
from mpc_tamper.engines.validation import PERSISTENCE, validate
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult
from mpc_tamper.runs.spec import RunSpec

HEADER = b"clear values, no shares, of Z_2^64\n"
SHARE_FILE = "Clear-P0.data"


class ClearEngine(Engine):
    name = EngineName.CLEAR
    capabilities = Capabilities(protocols=frozenset({ProtocolName.RING}), parties=False, threads=True, memory=True)

    @logged
    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        if spec.protocol not in self.protocols:
            raise EngineUnavailable(f"expected protocol ring on the clear engine, got {spec.protocol}")
        program = load_program(spec.program)
        spec = self.with_threads(spec, otherwise=all_cores())
        validate(spec, program)
        with held_if_used(spec.run_dir), on_threads(spec.threads or 1):
            return self._run(spec, program, on_step)

    def _run(self, spec: RunSpec, program: Program, on_step: OnStep | None) -> RunResult:
        shares = read_values(spec.shares_from) if spec.shares_from is not None else None
        append = spec.shares_from is not None and same_place(spec.shares_from, spec.run_dir)
        storage = Storage(spec.run_dir, memory_budget(1, self.memory))
        plan = None if spec.corruption is None else spec.corruption.plan
        machine = ClearMachine(
            program.sites, spec.inputs, plan, shares, append=append, on_step=on_step, storage=storage
        )
        began = time.perf_counter()
        try:
            run_program(program, spec.args, machine)
            machine.finish()
        except TamperError as exc:
            exc.lines = tuple("".join(machine.text).splitlines())
            raise
        seconds = time.perf_counter() - began
        if machine.written is not None:
            make_folder(spec.run_dir)
            write_values(spec.run_dir, machine.written)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        report = PartyReport(0, Cost(seconds=seconds), tuple(machine.clock.records), rss)
        return RunResult(spec, tuple("".join(machine.text).splitlines()), tuple(machine.binary_output), (report,))


def write_values(run_dir: Path, values: np.ndarray) -> None:
    write_atomically(run_dir / PERSISTENCE / SHARE_FILE, HEADER + values.astype("<u8").tobytes())


def read_values(run_dir: Path) -> np.ndarray:
    """What an earlier run of this engine left, uint64. Raises ShareFolderError."""
    path = run_dir / PERSISTENCE / SHARE_FILE
    content = read_file(
        path,
        "the values that a run of the clear engine left (shares belong to the engine that wrote them)",
        error=ShareFolderError,
    )
    if not content.startswith(HEADER) or (len(content) - len(HEADER)) % 8:
        raise ShareFolderError(
            f"{path}: expected {HEADER!r} and 64-bit words: the file is foreign, truncated or edited"
        )
    return np.frombuffer(content[len(HEADER) :], dtype="<u8").astype(np.uint64)
