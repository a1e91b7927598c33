"""Audits of rep3: three parties in threads, of which one deviates in its multiplications, its gates or its messages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mpc_tamper.core.errors import PlanError, TamperError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.handshake import compare_public_values
from mpc_tamper.engines.rep3.in_process import ends_in_threads
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.recorder import Pads
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.tampering import MESSAGE, PartyEnd, Point, Site
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.runs.spec import InputFiles, RunSpec

UNBOUND = "message/unbound"  # the same, of which the sender's own transcript knows nothing
TOP = 1 << 63
_TIMEOUT_SECONDS = 60.0  # only a machine that stands still makes a party wait: an honest run may not fail by it
_SESSION = b"audit"


class _Survey(ErrorInjector):
    """Adds nothing, and notes where it could."""

    def __init__(self) -> None:
        super().__init__(AdditiveErrorPlan())
        self.sites: dict[tuple[str, int], Site] = {}
        self.last: tuple[str, int, int] = ("", 0, 0)

    def errors(self, site: str, occurrence: int, start: int, length: int) -> None:
        self._note(site, occurrence, start, length, flips=False)

    def flips(self, site: str, occurrence: int, start: int, length: int) -> None:
        self._note(site, occurrence, start, length, flips=True)

    def _note(self, site: str, occurrence: int, start: int, length: int, *, flips: bool) -> None:
        gate = "/" in site and not site.startswith(MESSAGE)
        point = Point.MESSAGE if site.startswith(MESSAGE) else Point.GATE if gate else Point.OPERATION
        if length:
            self.sites[site, occurrence] = Site(site, occurrence, start + length, point, flips)
        if point is Point.OPERATION:
            self.last = (site, occurrence, start)


class CorruptChannel(Channel):
    """Changes what the corrupt party sends: bound, so that its proofs say the changed message was sent, or unbound."""

    injector: ErrorInjector | None = None
    _bound = _unbound = 0

    def _exchange(self, tag: str, send: Mapping[int, memoryview], receive: Mapping[int, memoryview]) -> None:
        changed = {}
        for peer, payload in send.items():
            changed[peer] = self._changed(MESSAGE, self._bound, payload)
            self._bound += 1
        super()._exchange(tag, changed, receive)

    def _outgoing(self, peer: int, tag: str, payload: memoryview):  # type: ignore[no-untyped-def]
        changed = self._changed(UNBOUND, self._unbound, payload)
        self._unbound += 1
        return super()._outgoing(peer, tag, changed)

    def _changed(self, site: str, number: int, payload: memoryview) -> memoryview:
        errors = None if self.injector is None else self.injector.errors(site, number, 0, len(payload))
        if errors is None:
            return payload
        content = bytearray(payload)
        for position, value in zip(*(each.tolist() for each in errors), strict=True):
            part = content[position : position + 8]
            word = int.from_bytes(part, "little") + value
            content[position : position + 8] = (word % (1 << 8 * len(part))).to_bytes(len(part), "little")
        return memoryview(content)


class Rep3Tampering:
    """See engines/tampering.py. engine: runs the sample in processes of its own."""

    samples = True

    def __init__(self, engine: Engine, program: Path, inputs: Mapping[int, Path], folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self._program = load_program(program)
        self._inputs = {owner: InputFiles(text=path) for owner, path in inputs.items()}

    def survey(self, party: int) -> tuple[tuple[Site, ...], tuple[PartyEnd, ...]]:
        survey = _Survey()
        ends = self._run(party, survey)
        return tuple(survey.sites.values()), tuple(ends)

    def cancelling(self, party: int) -> AdditiveErrorPlan | None:
        """Errors of 2^63 at elementwise products, an even number of them in each subset that the last run drew."""
        survey = _Survey()
        seen = _Observed(survey)
        self._run(party, survey, seen)
        chosen = next(_dependent(seen.members), None)
        if chosen is None:
            return None
        places = [seen.places[i] for i in chosen]
        return AdditiveErrorPlan.from_errors(AdditiveError(*place, TOP) for place in places)

    def run(self, party: int | None, plan: AdditiveErrorPlan | None, *, processes: bool = False) -> list[PartyEnd]:
        if processes:
            return self._run_in_processes(party, plan)
        injector = None if plan is None else ErrorInjector(plan)
        ends = self._run(party, injector)
        if injector is not None and all(end.failure is None for end in ends):
            injector.finish()
        return ends

    def _run(
        self, corrupt: int | None, injector: ErrorInjector | None, seen: _Observed | None = None
    ) -> list[PartyEnd]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        printed: tuple[list[str], ...] = ([], [], [])

        def make_channel(party_id: int, links, timeout_seconds: float) -> Channel:  # type: ignore[no-untyped-def]
            if party_id != corrupt:
                return Channel(party_id, links, timeout_seconds)
            channel = CorruptChannel(party_id, links, timeout_seconds)
            channel.injector = injector
            return channel

        def recorder(channel: Channel, prss: Prss) -> Active:
            if seen is None or channel.party_id != corrupt:
                return Active(channel, prss, _SESSION)
            return seen.recorder(channel, prss)

        def play(party: Party) -> None:
            if party.party_id == corrupt:
                party.injector = injector
            inputs = OwnerInput(party.party_id, self._inputs.get(party.party_id))
            machine = Rep3Machine(party, inputs, folder, printed[party.party_id].append)
            run_program(self._program, (), machine)
            machine.answer_clients()
            party.recorder.prove()
            party.recorder.finish()
            compare_public_values(party.channel, machine.public_values.digest())

        try:
            ends = ends_in_threads(
                play,
                recorder=recorder,
                sites=dict(self._program.sites),
                timeout_seconds=_TIMEOUT_SECONDS,
                make_channel=make_channel,
            )
        finally:
            shutil.rmtree(folder)
        return [
            PartyEnd(tuple("".join(lines).splitlines()), None if end.error is None else _words(end.error))
            for lines, end in zip(printed, ends, strict=True)
        ]

    def _run_in_processes(self, party: int | None, plan: AdditiveErrorPlan | None) -> list[PartyEnd]:
        """All print the same, and what one of them reports fails the run for all."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        spec = RunSpec(
            self._program.path,
            protocol=ProtocolName.MAL_REP_RING,
            inputs=self._inputs,
            run_dir=folder,
            corruption=Corruption.of(party, plan),
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        try:
            return [PartyEnd(self._engine.run(spec).lines, None)] * PARTIES
        except PlanError:
            raise
        except TamperError as exc:
            return [PartyEnd(exc.lines, _words(exc))] * PARTIES
        finally:
            shutil.rmtree(folder)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


class _Observed:
    """What a corrupt prover sees of the subsets of a run's first batch, and which products they are about."""

    def __init__(self, survey: _Survey) -> None:
        self.places: list[tuple[str, int, int]] = []  # of the elementwise products, in the order of the record
        self.members: list[int] = []  # bit k: the product is in subset k
        self._survey = survey

    def recorder(self, channel: Channel, prss: Prss) -> Active:
        observed = self

        class Prover(IntegerProver):
            def message(self, number: int) -> bytes:
                if number == 0 and not observed.members:
                    observed.members = [int(m) for index in self._of_products() for m in self._drawn(index)]
                return super().message(number)

            def _of_products(self) -> list[int]:
                return [
                    i for i, gates in enumerate(self._entries.groups) if gates.inner == 1 and len(gates.products) == 2
                ]

            def _drawn(self, index: int) -> list[int]:
                return [int(m) for block in self._entries.members[index] for m in block.tolist()]

        class Observing(Active):
            integer_prover = Prover

            def products(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads) -> None:
                if not observed.members and z.own.ndim == x.own.ndim:
                    site, occurrence, start = observed._survey.last
                    observed.places += [(site, occurrence, start + i) for i in range(z.own.size)]
                super().products(x, y, z, pads)

        return Observing(channel, prss, _SESSION)


def _dependent(members: list[int]) -> Iterator[list[int]]:
    """Sets of positions whose words add up to 0 by xor; each has to have more than one."""
    pivots: dict[int, int] = {}
    for i, word in enumerate(members):
        row = (word & ((1 << SUBSETS) - 1)) | 1 << (SUBSETS + i)
        while lowest := row & ((1 << SUBSETS) - 1) & -row:
            if lowest not in pivots:
                pivots[lowest] = row
                break
            row ^= pivots[lowest]
        else:
            yield [j for j in range(i + 1) if row >> (SUBSETS + j) & 1]
