"""One party's work by itself: three parties run once in memory, and what one of them received is played to it again.

So its seconds are those of its own computation, without the other two on the same cores and without a network, and a
run can be repeated on more threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from mpc_tamper.engines.base import LocalWork
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.kernels.threads import on_threads
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.prss import KEY_BYTES, Prss
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport.replay import ReplayChannel
from mpc_tamper.engines.validation import validate
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import RunSpec

_SESSION = b"in memory"  # what run_in_threads binds proofs to


class _Timed:
    """Proves, and adds up the seconds."""

    def __init__(self, prove: Callable[[], None]) -> None:
        self._prove = prove
        self.seconds = 0.0

    def __call__(self) -> None:
        begin = time.perf_counter()
        self._prove()
        self.seconds += time.perf_counter() - begin


class Rep3Alone:
    """Implements engines.base.PartyAlone."""

    def __init__(self, spec: RunSpec, party_id: int) -> None:
        self._spec, self._party_id = spec, party_id
        self._program = load_program(spec.program)
        validate(spec, self._program)
        self._keys = [os.urandom(KEY_BYTES) for _ in range(PARTIES)]
        self._received: dict[int, list[tuple[int, str, bytes]]] = {}

    def run(self, threads: int) -> LocalWork:
        """With more threads than one, a proof's messages come at other places."""
        proved_as = min(2, threads) if self._spec.protocol.active else 1
        if proved_as not in self._received:
            self._received[proved_as] = self._run_of_all_three(proved_as)
        channel = ReplayChannel(self._party_id, self._received[proved_as])
        prss = Prss(self._keys[self._party_id], self._keys[self._party_id - 1])
        recorder = recorder_for(self._spec.protocol, channel, prss, _SESSION, threads=proved_as)
        timed = _Timed(recorder.prove)
        recorder.prove = timed  # type: ignore[method-assign]  # a recorder that is full calls it, too
        party = Party(channel, prss, StepClock(self._program.sites), None, recorder)
        with on_threads(threads), TemporaryDirectory() as folder:
            begin = time.perf_counter()
            self._compute(party, Path(folder))
            recorder.prove()
            seconds = time.perf_counter() - begin
        party.recorder.finish()
        return LocalWork(seconds, timed.seconds, tuple(party.steps.records))

    def _run_of_all_three(self, threads: int) -> list[tuple[int, str, bytes]]:
        with TemporaryDirectory() as folder:
            return run_in_threads(
                lambda party: self._record(party, Path(folder)),
                sites=dict(self._program.sites),
                insecure_keys=self._keys,
                active=self._spec.protocol.active,
                threads=threads,
            )[self._party_id]

    def _record(self, party: Party, folder: Path) -> list[tuple[int, str, bytes]]:
        """The program, and what this party received in it."""
        mine = party.party_id == self._party_id
        received = party.channel.record_received() if mine else []
        self._compute(party, folder)
        party.recorder.prove()
        return list(received)

    def _compute(self, party: Party, folder: Path) -> None:
        inputs = OwnerInput(party.party_id, self._spec.inputs.get(party.party_id))
        run_program(self._program, self._spec.args, Rep3Machine(party, inputs, folder, lambda text: None))
