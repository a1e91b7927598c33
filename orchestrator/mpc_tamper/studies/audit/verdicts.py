"""What became of a deviation, by what the honest parties did."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from mpc_tamper.engines.tampering import STALLED, PartyEnd


class Verdict(StrEnum):
    """Of a tampered run, but for the last two, which are of honest runs."""

    NOTICED = "noticed"  # before an honest party opened anything wrong
    LATE = "noticed late"  # an honest party had opened a wrong value before the run failed or stood still
    HARMLESS = "right output"  # although tampered with
    ACCEPTED = "WRONG OUTPUT ACCEPTED"
    OWN_INPUT = "another own input"  # the honest parties agree on an output that another input of the corrupt one has
    STALLED = "no end"  # nobody accepted anything and nobody gave up: denial of service, which a party always can
    UNREACHED = "not reached"  # the deviation met nothing: no statement about the protocol
    FALSE_ABORT = "false abort"
    HONEST = "honest"


_OUTPUT = re.compile(r"x\d+ = ")  # how programs of the grammar print
_CUT_OFF = re.compile(r"x\d+ = \[?(-?\d+ != -?\d+)?")  # by a party that gives up, maybe with what a check compared
FINDINGS = (Verdict.ACCEPTED, Verdict.LATE, Verdict.FALSE_ABORT)


def outputs(end: PartyEnd) -> PartyEnd:
    """Without what the implementation itself prints, such as details of a check that failed."""
    return replace(end, lines=tuple(line for line in end.lines if _OUTPUT.match(line)))


def of_tampered(expected: Sequence[str], ends: Sequence[PartyEnd], corrupt: int, *, own_input: bool = False) -> Verdict:
    """expected: the lines of the oracle.

    own_input: the corrupt party changed messages, by some of which it may enter another input, as it is free to do.
    Then the oracle does not bind, and the honest parties have to agree with each other alone.
    """
    honest = [end for party, end in enumerate(ends) if party != corrupt]
    accepted = [end for end in honest if end.failure is None]
    if any(end.lines != tuple(expected) for end in accepted):
        agree = len({end.lines for end in accepted}) == 1 and len(accepted[0].lines) == len(expected)
        return Verdict.OWN_INPUT if own_input and agree else Verdict.ACCEPTED
    if len(accepted) == len(honest):
        return Verdict.HARMLESS
    if any(wrong_lines(expected, end) for end in honest) and not own_input:
        return Verdict.LATE
    unfinished = {end.failure for end in ends if end.failure is not None}
    return Verdict.STALLED if unfinished == {STALLED} else Verdict.NOTICED


def of_honest(expected: Sequence[str], ends: Sequence[PartyEnd]) -> Verdict:
    right = all(end.failure is None and end.lines == tuple(expected) for end in ends)
    return Verdict.HONEST if right else Verdict.FALSE_ABORT


def wrong_lines(expected: Sequence[str], end: PartyEnd) -> list[str]:
    """What a party printed that the oracle did not, line by line. The last may be cut off before its value."""
    extended = [*expected, *[""] * len(end.lines)]
    wrong = [line for line, right in zip(end.lines, extended, strict=False) if line != right]
    cut_off = wrong[-1:] == list(end.lines[-1:]) and _CUT_OFF.fullmatch("".join(wrong[-1:]))
    return wrong[:-1] if cut_off else wrong
