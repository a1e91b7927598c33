"""Audits of MP-SPDZ: a program is compiled once, and its folder serves all runs. See engines/tampering.py."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mpc_tamper.core.errors import EngineUnavailable, PeerTimeout, PlanError
from mpc_tamper.engines.mp_spdz import additive_plan, parties, run_folder, transcript
from mpc_tamper.engines.mp_spdz.audited import AUDITED, AuditSettings
from mpc_tamper.engines.mp_spdz.certificates import make_certificate
from mpc_tamper.engines.mp_spdz.compiler import compile_program
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.tampering import (
    BACKGROUND,
    MESSAGE,
    STALLED,
    AuditedProtocol,
    Domain,
    PartyEnd,
    Point,
    Site,
    Tampering,
)
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.spec import InputFiles

_SITE = re.compile(r"^additive-error site: (\S+) (\d+) (\d+)$")
_READ = re.compile(r"^additive-error plan: party \d+ adds errors$")
_MET_NOTHING = "met no output"
_PLAN_FAILED = "additive-error plan: the error"
_NO_FAULT = re.compile(r"Address already in use|[Cc]annot connect|unable to bind")  # of the protocol
_ATTEMPTS = 3
_IDLE_SECONDS = 10.0
_STOPPED = "stopped after another party had given up"


@contextmanager
def tampering(
    installation: Installation,
    environment: Mapping[str, str],
    protocol: AuditedProtocol,
    program: Path,
    inputs: Mapping[int, Path],
    folder: Path,
) -> Iterator[Tampering]:
    settings = AUDITED[protocol.name]
    run_dir = folder / "mp-spdz"
    run_dir.mkdir()
    name = compile_program(installation, program, (), settings.options, run_dir)
    run_folder.write_inputs(run_dir, {owner: InputFiles(text=path) for owner, path in inputs.items()})
    for party in range(settings.parties):
        make_certificate(party, run_folder.player_data(run_dir))
    yield MpSpdzTampering(installation.home / settings.binary, settings, environment, run_dir, name)


class MpSpdzTampering:
    """name: the program's, for the parties."""

    samples = False

    def __init__(
        self, binary: Path, settings: AuditSettings, environment: Mapping[str, str], run_dir: Path, name: str
    ) -> None:
        self._binary, self._settings, self._environment = binary, settings, environment
        self._run_dir, self._name = run_dir, name

    def survey(self, party: int) -> tuple[tuple[Site, ...], tuple[PartyEnd, ...]]:
        """A plan without entries adds nothing; the patch tells where it could have."""
        said, ends = self._run(party, AdditiveErrorPlan())
        found = [match.groups() for line in said if (match := _SITE.match(line))]
        sites = tuple(self._site(name, int(occurrence), int(count)) for name, occurrence, count in found)
        return tuple(each for each in sites if each.point not in self._settings.lacking), tuple(ends)

    def cancelling(self, party: int) -> AdditiveErrorPlan | None:
        return None  # what weights a party has seen, the patch does not tell

    def run(self, party: int | None, plan: AdditiveErrorPlan | None, *, processes: bool = False) -> list[PartyEnd]:
        said, ends = self._run(party, plan)
        for line in said:
            if line.startswith(_PLAN_FAILED) and _MET_NOTHING in line:
                raise PlanError(line)
        return ends

    def _run(self, party: int | None, plan: AdditiveErrorPlan | None) -> tuple[list[str], list[PartyEnd]]:
        """What the corrupt party said on standard error, and how all ended."""
        plan_file = None
        if plan is not None:
            plan_file = self._run_dir / "additive_errors.txt"
            plan_file.write_text(plan.text(), encoding="utf-8")
        environment = additive_plan.environment(self._environment, plan_file, party)
        for _ in range(_ATTEMPTS):
            ends, timeout = self._started(environment)
            trouble = _trouble(ends, timeout)
            if trouble is None:
                break
        else:
            raise EngineUnavailable(f"expected parties that run and reach each other, got {trouble} {_ATTEMPTS} times")
        said = [] if party is None else [line.text for line in ends[party].transcript.errors]
        if party is not None and not any(_READ.match(line) for line in said):
            raise EngineUnavailable(
                f"expected party {party} to read the plan of additive errors, got a run without them: rebuild MP-SPDZ "
                "with the patch and check with `mpc-tamper doctor`"
            )
        return said, [_end(end, STALLED if timeout is not None else _STOPPED) for end in ends]

    def _started(self, environment: Mapping[str, str]) -> tuple[list[parties.PartyEnd], PeerTimeout | None]:
        self._forget()
        addresses = run_folder.local_addresses(None, self._settings.parties)
        commands = []
        for number in range(self._settings.parties):
            run_folder.write_hosts(self._run_dir, number, addresses)
            commands.append(parties.PartyCommand(number, self._words(number), environment))
        return parties.run_while_alive(commands, self._run_dir, _IDLE_SECONDS)

    def _words(self, number: int) -> list[str]:
        """Every party prints, not only party 0."""
        options = ["-p", str(number), "-ip", run_folder.hosts_file(number), "-o", "no_memory_output", "-OF", "."]
        return [str(self._binary), *options, self._name]

    def _forget(self) -> None:
        """Shares and keys of earlier runs: one that was tampered with may have left wrong ones."""
        shutil.rmtree(self._run_dir / "Persistence", ignore_errors=True)
        (self._run_dir / "Persistence").mkdir(mode=0o700)
        for path in run_folder.player_data(self._run_dir).iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    def _site(self, name: str, occurrence: int, count: int) -> Site:
        if name == MESSAGE:
            return Site(name, occurrence, count, Point.MESSAGE)
        bits = self._settings.domain is Domain.BITS
        if name == BACKGROUND:
            return Site(name, occurrence, count, Point.BACKGROUND, flips=bits)
        gate = name.endswith(f"/{additive_plan.AND_GATE}")
        return Site(name, occurrence, count, Point.GATE if gate else Point.OPERATION, flips=gate or bits)


def _trouble(ends: Sequence[parties.PartyEnd], timeout: PeerTimeout | None) -> str | None:
    """What the machine did, and not the protocol."""
    if timeout is not None and timeout.party is not None:
        return f"party {timeout.party} suspended"
    return next((words for end in ends if _NO_FAULT.search(words := end.transcript.last_words())), None)


def _end(end: parties.PartyEnd, stopped: str) -> PartyEnd:
    """stopped: why we stopped the parties that were still there."""
    lines = transcript.program_lines(end.transcript)
    if end.returncode == 0:
        return PartyEnd(lines, None)
    return PartyEnd(lines, stopped if end.stopped_by_us else end.transcript.last_words())
