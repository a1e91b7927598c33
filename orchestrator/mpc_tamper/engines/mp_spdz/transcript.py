"""Read what a party printed: program output, timers, costs.

Standard output has the program's own lines and, between them, one line when a timer starts and one when it stops, with
the totals of that timer so far. Standard error has the party's summary. MP-SPDZ prints six digits of each number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mpc_tamper.core.errors import PartyError
from mpc_tamper.runs.result import Cost, PartyReport, StepRecord

_NUMBER = r"([-+0-9.e]+)"
_COST = rf"\({_NUMBER} MB, (\d+) rounds\)"
_START = re.compile(rf"^Starting timer (\d+) at {_NUMBER} {_COST} after {_NUMBER}$")
_STOP = re.compile(rf"^Stopped timer (\d+) at {_NUMBER} {_COST}$")
_SECONDS = re.compile(rf"^Time = {_NUMBER} seconds")
_SENT = re.compile(rf"^Data sent = {_NUMBER} MB in ~(\d+) rounds")
_QUOTED_INPUT = re.compile(r"problem with '.*'")
_BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class Line:
    """One printed line. at: when it was read, in seconds on a clock that all lines share."""

    at: float
    text: str


@dataclass(frozen=True)
class Transcript:
    output: tuple[Line, ...]
    errors: tuple[Line, ...]

    def last_words(self, count: int = 5) -> str:
        """The end of standard error, or of standard output where that is empty."""
        lines = [line.text for line in self.errors if line.text.strip()]
        return "\n".join((lines or [line.text for line in self.output])[-count:])


def without_inputs(text: str) -> str:
    """A line without the private value that MP-SPDZ quotes where it cannot read an input."""
    return _QUOTED_INPUT.sub("problem with a value", text)


def program_lines(transcript: Transcript) -> tuple[str, ...]:
    """What the program printed, without the machine's lines about timers."""
    return tuple(line.text for line in transcript.output if not (_START.match(line.text) or _STOP.match(line.text)))


def started_timer(text: str) -> int | None:
    """The timer that this line says has started."""
    found = _START.match(text)
    return int(found[1]) if found else None


def report(party_id: int, transcript: Transcript, sites: Mapping[int, str], peak_rss_bytes: int) -> PartyReport:
    """Raises PartyError where the summary is missing, as after a run that did not end well."""
    seconds, ended_at = _summary(party_id, transcript.errors, _SECONDS)
    sent, _ = _summary(party_id, transcript.errors, _SENT)
    began_at = ended_at - float(seconds[1])
    return PartyReport(
        party_id,
        Cost(float(seconds[1]), _bytes(sent[1]), int(sent[2])),
        tuple(_steps(transcript.output, sites, began_at)),
        peak_rss_bytes,
    )


def _summary(party_id: int, lines: Sequence[Line], pattern: re.Pattern[str]) -> tuple[re.Match[str], float]:
    for line in reversed(lines):
        if found := pattern.match(line.text):
            return found, line.at
    raise PartyError(
        f"expected the line {pattern.pattern.split('=')[0].lstrip('^')}= ... in what party {party_id} printed, got "
        "none; check the version of MP-SPDZ with `mpc-tamper doctor`",
        party_id,
    )


def _steps(lines: Iterable[Line], sites: Mapping[int, str], began_at: float) -> Iterator[StepRecord]:
    """One record for each start and stop of a timer, from the difference of its totals."""
    running: dict[int, tuple[float, Cost]] = {}
    occurrences: dict[int, int] = {}
    for line in lines:
        if found := _START.match(line.text):
            running[int(found[1])] = max(0.0, line.at - began_at), _cost(found)
        elif found := _STOP.match(line.text):
            timer = int(found[1])
            start, before = running.pop(timer, (0.0, Cost()))
            after = _cost(found)
            occurrence = occurrences.setdefault(timer, 0)
            occurrences[timer] += 1
            cost = Cost(
                after.seconds - before.seconds, after.bytes_sent - before.bytes_sent, after.rounds - before.rounds
            )
            yield StepRecord(sites.get(timer, str(timer)), occurrence, start, cost)


def _cost(found: re.Match[str]) -> Cost:
    """Of groups 2 to 4: seconds, MB, rounds."""
    return Cost(float(found[2]), _bytes(found[3]), int(found[4]))


def _bytes(megabytes: str) -> int:
    return round(float(megabytes) * _BYTES_PER_MB)
