"""One party: connect, agree, run the program, report. On this machine it is a process that the fork server makes."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import random
import resource
import select
import shutil
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import PartyError, TamperError, UsageError
from mpc_tamper.core.files import system_failure, write_atomically
from mpc_tamper.engines import share_files
from mpc_tamper.engines.certificates import certificate_file, key_file
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.kernels.threads import on_threads
from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.clients.budget import QueryBudget
from mpc_tamper.engines.rep3.clients.listener import ClientListener, pinned
from mpc_tamper.engines.rep3.clients.remarks import Remarks, Say
from mpc_tamper.engines.rep3.config import EXIT_SYSTEM, REMARK, PartyConfig, report_file
from mpc_tamper.engines.rep3.handshake import Terms, agree, agree_on_keys, compare_public_values
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.age import Age
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.tls import connect, listen
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import Cost

EXIT_FAILED = 1
PRINTING_PARTY = 0
RECORD_SHARE = 4  # of the memory of the party that has least, a record of gates may take one part in so many
CLIENT_SECONDS = 10.0  # for a client's message
_EXIT_ORPHANED = 70
_PROGRESS_SECONDS = 0.1


def run_party(
    config: PartyConfig,
    listener: socket.socket,
    on_step: Callable[[str, int], None] | None = None,
    say: Say | None = None,
    on_remark: Say | None = None,
) -> None:
    """Run the program as this party and write its report. Raises what ended the run, after telling the peers.

    say: told every so often for which parties this one still waits.  on_remark: told what clients did wrong.
    """
    channel = connect(
        config.identity,
        listener,
        config.addresses,
        timeout_seconds=config.timeout_seconds,
        connect_timeout_seconds=config.connect_timeout_seconds,
        say=say,
    )
    try:
        with on_threads(config.threads):
            report = _run(config, channel, listener.getsockname()[0], on_step, Remarks(on_remark))
        channel.finish()
    except BaseException as exc:
        channel.abort_because(exc)
        raise
    write_atomically(report_file(Path(config.run_dir), config.party_id), json.dumps(report))


def _run(
    config: PartyConfig,
    channel: Channel,
    host: str,
    on_step: Callable[[str, int], None] | None,
    remark: Remarks,
) -> dict[str, Any]:
    """host: where this party listens, for the other two and for clients."""
    run_dir = Path(config.run_dir)
    program = load_program(Path(config.program))
    terms = Terms.of(program, config.args, config.protocol)
    session, memory, threads = agree(channel, terms, config.budget, config.threads)
    age = Age.after(config.simulated_hours)
    prss = agree_on_keys(channel, insecure_fixed_seed=config.insecure_fixed_seed, first_block=age.blocks)
    channel.advance(age.messages, age.sent_bytes)
    taken = 0
    if config.shares_from is not None:
        taken = _take_over_shares(Path(config.shares_from), run_dir, config.party_id)
    injector = ErrorInjector(AdditiveErrorPlan.read(Path(config.plan))) if config.plan is not None else None

    begin = time.perf_counter()

    def spent() -> Cost:
        return Cost(time.perf_counter() - begin, channel.bytes_sent, channel.rounds)

    printed: list[str] = []
    storage = Storage(run_dir, config.budget)
    record_bytes = None if memory is None else memory // RECORD_SHARE
    protocol = ProtocolName(config.protocol)
    recorder = recorder_for(
        protocol, channel, prss, session, record_bytes=record_bytes, threads=threads, storage=storage, age=age
    )
    party = Party(channel, prss, StepClock(program.sites, spent), injector, recorder, storage)
    inputs = OwnerInput(config.party_id, config.inputs)
    open_to_clients = functools.partial(_listen_for_clients, config, host, remark)
    random.seed(session)
    np.random.seed(np.frombuffer(session, np.uint32))
    budget = _query_budget(config)
    try:
        together = config.clients_together
        machine = Rep3Machine(
            party, inputs, run_dir, printed.append, on_step, open_to_clients, budget, together, remark
        )
        with contextlib.closing(machine):
            run_program(program, config.args, machine)
            machine.answer_clients()
        recorder.prove()
        recorder.finish()
        compare_public_values(channel, machine.public_values.digest())
        if injector is not None:
            injector.finish()
    except TamperError as exc:
        if not (isinstance(exc, PartyError) and protocol.active):
            exc.lines = tuple("".join(printed).splitlines())
        raise
    if config.shares_from is not None:
        share_files.keep_after(share_files.share_file(run_dir, config.party_id), taken)
    return {
        "lines": "".join(printed).splitlines() if config.party_id == PRINTING_PARTY else [],
        "cost": asdict(spent()),
        "steps": [[s.site, s.occurrence, s.times, s.start, *asdict(s.cost).values()] for s in party.steps.records],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cpu_seconds": time.process_time(),
        "soundness_error": recorder.soundness_error,
        "batches": recorder.batches,
        "session": session.hex(),
        "insecure_fixed_seed": config.insecure_fixed_seed,
        "kernels": kernels.loaded(),
    }


def _listen_for_clients(config: PartyConfig, host: str, remark: Remarks, port: int) -> ClientListener:
    key, certificate = Path(config.key), Path(config.certificates[config.party_id])
    if config.client_identities is not None:
        folder = Path(config.client_identities)
        key, certificate = key_file(folder, config.party_id), certificate_file(folder, config.party_id)
    known = None if config.known_clients is None else pinned(Path(config.known_clients))
    seconds = min(CLIENT_SECONDS, config.timeout_seconds / 4)  # the other servers wait for this one meanwhile
    advice = "choose another port for clients"
    listener = listen(config.party_id, Address(host, port + config.party_id), advice)
    return ClientListener(listener, key, certificate, known, seconds, remark)


def _query_budget(config: PartyConfig) -> Callable[[], Callable[[bytes], bool]] | None:
    """What limits clients' queries about a model that an earlier run left; clients who bring rows have none."""
    limit = config.client_budget
    if limit is None or config.shares_from is None:
        return None
    shares = share_files.share_file(Path(config.shares_from), config.party_id)
    return lambda: QueryBudget(shares, limit).may_ask


def _take_over_shares(earlier_run: Path, run_dir: Path, party_id: int) -> int:
    """A copy to which the program appends; returns how many shares it holds."""
    source, target = share_files.share_file(earlier_run, party_id), share_files.share_file(run_dir, party_id)
    shares = share_files.count(source)
    share_files.create(target)
    try:
        shutil.copyfile(source, target)
    except BaseException:
        target.unlink()
        raise
    return shares


def _die_with_parent(alive_fd: int) -> None:
    """The parent holds the other end of this pipe: when it closes, by whatever cause, this party is an orphan."""

    def watch() -> None:
        os.read(alive_fd, 1)
        os._exit(_EXIT_ORPHANED)

    try:
        threading.Thread(target=watch, daemon=True).start()
    except RuntimeError as exc:  # what Python makes of the system's refusal
        raise OSError(errno.EAGAIN, "no thread can be started") from exc


def _remark_writer(progress_fd: int) -> Say:
    def write(remark: str) -> None:
        _write_line(progress_fd, f"{REMARK}{remark}")

    return write


def _write_line(progress_fd: int, text: str) -> None:
    line = f"{text}\n".encode()
    # An engine that is stopped reads nothing: the pipe is full. A longer line might be written in part.
    with contextlib.suppress(OSError):
        if len(line) <= select.PIPE_BUF:
            os.write(progress_fd, line)


def _progress_writer(progress_fd: int) -> Callable[[str, int], None]:
    last = 0.0

    def write(site: str, occurrence: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            _write_line(progress_fd, f"{site} {occurrence}")

    return write


def run_as_process(config_file: Path, listen_fd: int, alive_fd: int, progress_fd: int) -> int:
    """This process is the party that the file describes, and ends with the exit code that this returns.

    listen_fd: a socket that listens.  alive_fd: a pipe that closes when the engine has gone.  progress_fd: a pipe on
    which party 0 says how far it is, and what clients did wrong.
    """
    os.umask(0o077)  # what it writes is for its owner alone
    config = PartyConfig.read(config_file)
    speaks = config.party_id == 0  # for all three: clients come to each of them
    on_step = _progress_writer(progress_fd) if speaks else None
    on_remark = _remark_writer(progress_fd) if speaks else None
    try:
        _die_with_parent(alive_fd)
        run_party(config, socket.socket(fileno=listen_fd), on_step, on_remark=on_remark)
    except TamperError as exc:
        return _report_failure(config, exc)
    except (OSError, MemoryError) as exc:
        refused = exc if isinstance(exc, OSError) else OSError(errno.ENOMEM, "not enough memory")
        failure = PartyError(f"party {config.party_id}: {system_failure(refused)}", config.party_id)
        return _report_failure(config, failure)
    except (ArithmeticError, LookupError, TypeError, ValueError) as exc:  # a fault of ours
        print(_without_values(exc), file=sys.stderr)
        return EXIT_FAILED
    return 0


def _report_failure(config: PartyConfig, exc: TamperError) -> int:
    """The exit code. Where there is no room for a report, the code says what the system refused."""
    error = {
        "error": type(exc).__name__,
        "message": str(exc),
        "party": getattr(exc, "party", None),
        "lines": exc.lines,
    }
    with contextlib.suppress(OSError):
        print(f"party {config.party_id}: {exc}", file=sys.stderr)
    try:
        write_atomically(report_file(Path(config.run_dir), config.party_id), json.dumps(error))
    except UsageError as refused:
        cause = refused.__cause__
        if isinstance(cause, OSError) and cause.errno is not None and 0 < cause.errno < 256 - EXIT_SYSTEM:
            return EXIT_SYSTEM + cause.errno
    return EXIT_FAILED


def _without_values(fault: Exception) -> str:
    """Where it happened. The texts of Python's and NumPy's errors may quote a value, which may be private."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
    last = f"{type(fault).__name__} in {place}; its text is left out, as it may quote a private value"
    return "".join(traceback.format_list(frames)) + last
