"""How an audit of MP-SPDZ reads the ends of parties, without an MP-SPDZ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc_tamper.core.errors import EngineUnavailable, PeerTimeout, PlanError
from mpc_tamper.engines.mp_spdz import parties
from mpc_tamper.engines.mp_spdz.audited import AuditSettings
from mpc_tamper.engines.mp_spdz.tampering import MpSpdzTampering
from mpc_tamper.engines.mp_spdz.transcript import Line, Transcript
from mpc_tamper.engines.tampering import STALLED, Domain, PartyEnd, Point, Site
from mpc_tamper.runs.plan import AdditiveErrorPlan

READ = "additive-error plan: party 1 adds errors"
Ends = tuple[list[parties.PartyEnd], PeerTimeout | None]


def end(party: int, returncode: int, printed: str = "", said: str = "", *, stopped: bool = False) -> parties.PartyEnd:
    output, errors = ([Line(0.0, line) for line in text.splitlines()] for text in (printed, said))
    return parties.PartyEnd(party, returncode, stopped, Transcript(tuple(output), tuple(errors)), 0)


@pytest.fixture
def tampering(tmp_path: Path) -> MpSpdzTampering:
    (tmp_path / "Player-Data").mkdir()
    return MpSpdzTampering(Path("party.x"), AuditSettings("party.x", (), Domain.FIELD, 2), {}, tmp_path, "audited")


def played(monkeypatch: pytest.MonkeyPatch, *runs: Ends) -> list[Ends]:
    """What the next runs come to; the list holds those that are left."""
    left = list(runs)

    def run(*args: object) -> Ends:
        return left.pop(0)

    monkeypatch.setattr(parties, "run_while_alive", run)
    return left


def test_what_was_printed_before_a_standstill_counts(
    tampering: MpSpdzTampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One party has accepted a wrong value and is gone, while the corrupt one lets itself be waited for."""
    ends = [end(0, 0, "x1 = 7"), end(1, -9, said=READ, stopped=True)]
    played(monkeypatch, (ends, PeerTimeout("nothing")))
    assert tampering.run(1, AdditiveErrorPlan()) == [PartyEnd(("x1 = 7",), None), PartyEnd((), STALLED)]


def test_a_survey_that_stands_still_is_told_like_a_run(
    tampering: MpSpdzTampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [end(0, -9, stopped=True), end(1, -9, said=f"{READ}\nadditive-error site: message 0 8", stopped=True)]
    played(monkeypatch, (ends, PeerTimeout("nothing")))
    assert tampering.survey(1) == ((Site("message", 0, 8, Point.MESSAGE),), (PartyEnd((), STALLED),) * 2)


@pytest.fixture(params=["a suspended party", "a port that somebody has"])
def trouble(request: pytest.FixtureRequest) -> Iterator[Ends]:
    if request.param == "a suspended party":
        yield [end(0, -9, stopped=True), end(1, -9, said=READ, stopped=True)], PeerTimeout("suspended", 0)
    else:
        yield [end(0, 1, said="unable to bind"), end(1, 1, said=READ)], None


def test_what_the_machine_does_is_no_verdict(
    tampering: MpSpdzTampering, monkeypatch: pytest.MonkeyPatch, trouble: Ends
) -> None:
    good = ([end(0, 0, "x1 = 6"), end(1, 0, "x1 = 6", READ)], None)
    assert played(monkeypatch, trouble, trouble, good) is not None
    assert tampering.run(1, AdditiveErrorPlan()) == [PartyEnd(("x1 = 6",), None)] * 2
    played(monkeypatch, *[trouble] * 3)
    with pytest.raises(EngineUnavailable, match="3 times"):
        tampering.run(1, AdditiveErrorPlan())


def test_a_plan_that_nobody_read_or_that_met_nothing_is_no_verdict(
    tampering: MpSpdzTampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch, ([end(0, 0), end(1, 0)], None))
    with pytest.raises(EngineUnavailable, match="rebuild"):
        tampering.run(1, AdditiveErrorPlan())
    said = f"{READ}\nadditive-error plan: the error at 2 0 9 (-1 for *) met no output"
    played(monkeypatch, ([end(0, 1, said="lost"), end(1, 1, said=said)], None))
    with pytest.raises(PlanError, match="met no output"):
        tampering.run(1, AdditiveErrorPlan())
