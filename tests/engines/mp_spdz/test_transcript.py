"""Reading what MP-SPDZ's parties print, on output recorded from v0.4.2 (recorded/)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mpc_tamper.core.errors import (
    DataError,
    HandshakeError,
    PartyError,
    PeerLost,
    PlanError,
    ProgramCrash,
    ProtocolAbort,
    ShareFileError,
    TamperError,
)
from mpc_tamper.engines.mp_spdz import transcript
from mpc_tamper.engines.mp_spdz.failures import first_cause
from mpc_tamper.engines.mp_spdz.parties import PartyEnd
from mpc_tamper.engines.mp_spdz.transcript import Line, Transcript
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.result import Cost

RECORDED = Path(__file__).parent / "recorded"
SITES = {5: "PRODUCT", 6: "CUBE"}


def recorded(name: str, party_id: int) -> Transcript:
    """Lines a millisecond apart; standard error after standard output, as at the end of a run."""
    output, errors = (
        (RECORDED / name / f"party{party_id}-{stream}.txt").read_text().splitlines() for stream in ("output", "errors")
    )
    return Transcript(
        tuple(Line(10 + 1e-3 * i, text) for i, text in enumerate(output)),
        tuple(Line(11 + 1e-3 * i, text) for i, text in enumerate(errors)),
    )


def end(name: str, party_id: int, returncode: int = 1, *, stopped_by_us: bool = False) -> PartyEnd:
    return PartyEnd(party_id, returncode, stopped_by_us, recorded(name, party_id), peak_rss_bytes=1)


def test_the_programs_own_lines() -> None:
    assert transcript.program_lines(recorded("steps", 0)) == ("before 3", "[9, 16, 25, 36]")
    assert transcript.program_lines(recorded("steps", 1)) == ()


def test_starts_are_told_from_other_lines() -> None:
    lines = [line.text for line in recorded("steps", 0).output]
    assert [transcript.started_timer(text) for text in lines] == [None, 5, None, None, 6, None, 6, None]


def test_cost_of_a_party() -> None:
    report = transcript.report(0, recorded("steps", 0), SITES, peak_rss_bytes=77)
    assert report.cost == Cost(0.0039726, 152, 7)
    assert (report.party_id, report.peak_rss_bytes) == (0, 77)


def test_steps_are_differences_of_totals() -> None:
    first, second, third = transcript.report(0, recorded("steps", 0), SITES, 0).steps
    assert (first.site, first.occurrence, first.cost) == ("PRODUCT", 0, Cost(0.000115935, 32, 1))
    assert (second.site, second.occurrence, second.cost) == ("CUBE", 0, Cost(3.7678e-05, 8, 1))
    assert (third.site, third.occurrence) == ("CUBE", 1)
    assert (third.cost.bytes_sent, third.cost.rounds) == (8, 1)
    assert third.cost.seconds == pytest.approx(6.0644e-05 - 3.7678e-05)


def test_timers_without_name_keep_their_number() -> None:
    assert [step.site for step in transcript.report(0, recorded("steps", 0), {}, 0).steps] == ["5", "6", "6"]


def test_starts_count_from_the_programs_begin() -> None:
    """The summary's line came at 11.002 and says that 2 s have passed; the first timer's at 10.001."""
    lines = recorded("steps", 0)
    errors = tuple(Line(e.at, "Time = 2 seconds ") if e.text.startswith("Time =") else e for e in lines.errors)
    report = transcript.report(0, Transcript(lines.output, errors), SITES, 0)
    assert report.steps[0].start == pytest.approx(10.001 - (11.002 - 2))


@pytest.mark.parametrize("missing", ["Time =", "Data sent ="])
def test_a_run_without_summary_is_refused(missing: str) -> None:
    lines = recorded("steps", 0)
    cut = Transcript(lines.output, tuple(line for line in lines.errors if not line.text.startswith(missing)))
    with pytest.raises(PartyError, match=missing):
        transcript.report(0, cut, SITES, 0)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("crash", ProgramCrash, "Crash requested by program"),
        ("short_input", DataError, "party 0.*not enough inputs"),
        ("no_shares", ShareFileError, "share files"),
        ("unmet_error", PlanError, "party 1.*6 2 0"),
        ("abort", ProtocolAbort, "check hash mismatch"),
    ],
)
def test_the_first_cause(name: str, kind: type[TamperError], words: str) -> None:
    cause = first_cause([end(name, i) for i in range(PARTIES)])
    assert type(cause) is kind
    assert words.split(".*")[-1] in str(cause)
    assert words.split(".*")[0] in str(cause)


def test_a_killed_party_comes_before_what_the_others_say() -> None:
    ends = [end("short_input", 1), end("short_input", 2), end("steps", 0, -signal.SIGKILL)]
    cause = first_cause(ends)
    assert type(cause) is PeerLost
    assert (cause.party, str(cause)) == (0, "party 0 was killed by SIGKILL; no result was written")


def test_a_party_that_crashed_when_the_corrupt_one_ended_is_no_cause() -> None:
    ends = [end("steps", 0, -signal.SIGSEGV), end("unmet_error", 1), end("steps", 2, 0)]
    assert type(first_cause(ends)) is PlanError


def test_parties_that_we_stopped_are_no_cause() -> None:
    ends = [end("steps", 0, -signal.SIGKILL, stopped_by_us=True), end("unmet_error", 1), end("steps", 2, 0)]
    assert type(first_cause(ends)) is PlanError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Client-side handshake with P1 failed. Make sure both sides ...", HandshakeError),
        ("Fatal error: use_private_key_file: key values mismatch", HandshakeError),
        ("Fatal error in communication: read_some: stream truncated", PeerLost),
        ("terminate called after throwing an instance of 'mac_fail'", ProtocolAbort),
        ("Fatal error at x-0:3 (OPEN): something new", PartyError),
        ("", PartyError),
    ],
)
def test_last_words_become_typed_errors(text: str, kind: type[TamperError]) -> None:
    words = Transcript((), (Line(0.0, text),))
    assert type(first_cause([PartyEnd(2, -signal.SIGABRT, False, words, 0)])) is kind


def test_last_words_are_of_standard_error_or_else_of_standard_output() -> None:
    assert Transcript((Line(0, "out"),), (Line(0, " "),)).last_words() == "out"
    assert Transcript((Line(0, "out"),), tuple(Line(0, str(i)) for i in range(9))).last_words(2) == "7\n8"
