"""The audit's own parts: programs mean the same everywhere, deviations are sound, verdicts say what happened."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mpc_tamper.cli.main import app
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.protocol.proof.batch import Batch
from mpc_tamper.engines.tampering import STALLED, AuditedProtocol, Domain, PartyEnd, Point, Site
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.audit.campaign import Tally, _Round, audit
from mpc_tamper.studies.audit.case import Case, Outcome, prepared
from mpc_tamper.studies.audit.deviations import Kind, draw
from mpc_tamper.studies.audit.findings import replay
from mpc_tamper.studies.audit.grammar import SmallProgram, Statement, random_program, valid
from mpc_tamper.studies.audit.verdicts import Verdict, of_honest, of_tampered, outputs, wrong_lines

RIGHT = PartyEnd(("x1 = 6", "x2 = [1, 2]"), None)
EXPECTED = RIGHT.lines


def rep3() -> AuditedProtocol:
    (protocol,) = get_engine(EngineName.REP3).audited_protocols()
    return protocol


@pytest.mark.parametrize("domain", list(Domain))
def test_programs_keep_what_the_grammar_promises(domain: Domain) -> None:
    programs = [random_program(random.Random(seed), domain) for seed in range(600)]
    assert all(valid(program) for program in programs)
    forms = {s.form for program in programs for s in program.statements.values()}
    assert "select" not in forms if domain is Domain.BITS else {"matmul", "file", "retry", "select"} <= forms
    wrapped = {s.bits > 61 for program in programs for s in program.statements.values()}
    assert wrapped == ({True, False} if domain is Domain.RING else {False})


def test_programs_mean_the_same_in_mp_spdz() -> None:
    """Its binary circuits forget the sign of what they shift, and 0 times a secret number is a public one there."""
    for domain in Domain:
        statements = [s for seed in range(600) for s in random_program(random.Random(seed), domain).statements.values()]
        assert all(s.numbers != (0,) for s in statements if s.form == "scale")
        assert domain is not Domain.BITS or "shift" not in {s.form for s in statements}


@pytest.mark.parametrize("parties", [2, 3, 4])
def test_only_parties_that_there_are_enter_inputs(parties: int) -> None:
    programs = [random_program(random.Random(seed), Domain.FIELD, parties) for seed in range(100)]
    assert {owner for program in programs for owner in program.inputs()} == set(range(min(parties, 3)))
    assert {random_program(random.Random(seed), Domain.RING, longest=4).size for seed in range(100)} == {1, 2, 3, 4}


def test_a_program_is_the_same_every_time() -> None:
    first, second = (random_program(random.Random("7"), Domain.RING) for _ in range(2))
    assert first.text() == second.text()


def test_smaller_programs_are_smaller() -> None:
    program = random_program(random.Random(3), Domain.RING)
    for candidate in program.smaller():
        if valid(candidate):
            assert len(candidate.statements) <= len(program.statements)
            assert candidate != program


def test_honest_runs_are_right() -> None:
    """Also as processes, and the surveys."""
    engine = get_engine(EngineName.REP3)
    program = random_program(random.Random(11), Domain.RING)
    with prepared(engine, rep3(), program.text(), program.inputs()) as case:
        assert case.expected
        assert [case.honest(processes=way).verdict for way in (False, True)] == [Verdict.HONEST] * 2
        for party in range(3):
            sites, outcome = case.survey(party)
            assert outcome.verdict is Verdict.HONEST
            assert {site.point for site in sites} >= {Point.MESSAGE}


def test_deviations_of_every_kind_stay_within_their_sites() -> None:
    sites = [
        Site("1", 0, 5, Point.OPERATION),
        Site("2/and", 0, 64, Point.GATE, flips=True),
        *(Site("message", n, 16, Point.MESSAGE) for n in range(4)),
    ]
    for seed in range(300):
        deviation = draw(random.Random(seed), 1, sites)
        errors = list(deviation.plan)
        assert len(errors) == (2 if deviation.kind in (Kind.OPPOSITE, Kind.EQUAL) else 1)
        for error in errors:
            (site,) = [s for s in sites if (s.name, s.occurrence) == (error.site, error.occurrence)]
            assert site.point is deviation.point
            assert 0 <= error.index < site.count
            assert error.value == 1 or not site.flips
        if deviation.kind is Kind.OPPOSITE and not site.flips:
            assert sum(error.value for error in errors) % 2**64 == 0


def test_verdicts() -> None:
    wrong, gave_up = PartyEnd(("x1 = 6", "x2 = [1, 3]"), None), PartyEnd(("x1 = 6",), "check failed")
    late = PartyEnd(("x1 = 7",), "check failed")
    stalled = [PartyEnd((), STALLED)] * 3
    assert of_tampered(EXPECTED, [wrong, RIGHT, RIGHT], 0) is Verdict.HARMLESS
    assert of_tampered(EXPECTED, [wrong, wrong, gave_up], 0) is Verdict.ACCEPTED
    assert of_tampered(EXPECTED, [RIGHT, RIGHT, gave_up], 0) is Verdict.NOTICED
    assert of_tampered(EXPECTED, [RIGHT, late, gave_up], 0) is Verdict.LATE
    assert of_tampered(EXPECTED, stalled, 0) is Verdict.STALLED
    assert of_tampered(EXPECTED, [stalled[0], RIGHT, stalled[2]], 0) is Verdict.STALLED
    assert of_tampered(EXPECTED, [stalled[0], wrong, stalled[2]], 0) is Verdict.ACCEPTED
    assert of_tampered(EXPECTED, [stalled[0], PartyEnd(("x1 = 7", "x2 = [1, 2]"), STALLED), RIGHT], 0) is Verdict.LATE
    assert of_tampered(EXPECTED, [RIGHT, wrong, wrong], 0, own_input=True) is Verdict.OWN_INPUT
    assert of_tampered(EXPECTED, [RIGHT, wrong, RIGHT], 0, own_input=True) is Verdict.ACCEPTED
    assert of_tampered(EXPECTED, [RIGHT, late, gave_up], 0, own_input=True) is Verdict.NOTICED
    assert of_honest(EXPECTED, [RIGHT] * 3) is Verdict.HONEST
    assert of_honest(EXPECTED, [RIGHT, RIGHT, gave_up]) is Verdict.FALSE_ABORT
    assert of_honest(EXPECTED, [RIGHT, RIGHT, wrong]) is Verdict.FALSE_ABORT


def test_a_line_cut_off_before_its_value_opened_nothing() -> None:
    assert wrong_lines(EXPECTED, PartyEnd(("x1 = 6", "x2 = ["), "check failed")) == []
    assert wrong_lines(EXPECTED, PartyEnd(("x1 = 6", "x2 = 170 != 0"), "check failed")) == []
    assert wrong_lines(EXPECTED, PartyEnd(("x1 = ", "x2 = ["), "check failed")) == ["x1 = "]
    assert wrong_lines(EXPECTED, PartyEnd(("x1 = 6", "x2 = [1,"), "check failed")) == ["x2 = [1,"]
    assert outputs(PartyEnd(("details of a check", "x1 = 6"), None)).lines == ("x1 = 6",)


@pytest.mark.usefixtures("repeatable_audit")
def test_a_finding_is_made_small_and_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "exchanges", lambda *args: iter(()))  # nothing is proved
    engine = get_engine(EngineName.REP3)
    tally = audit(engine, rep3(), seed=2, runs=200)
    (finding,) = tally.findings
    assert finding.verdict is Verdict.ACCEPTED
    assert len(finding.program.splitlines()) <= 5
    record = json.loads(json.dumps(finding.record()))
    assert replay(engine, rep3(), record).verdict is Verdict.ACCEPTED
    monkeypatch.undo()
    assert replay(engine, rep3(), record).verdict is Verdict.NOTICED


def test_an_audit_that_goes_on_counts_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "exchanges", lambda *args: iter(()))  # nothing is proved
    tally = audit(get_engine(EngineName.REP3), rep3(), seed=2, runs=48, shrinks=False, goes_on=True)
    assert tally.tampered == 48
    assert tally.of(Verdict.ACCEPTED) > 1
    kept = [finding.verdict for finding in tally.findings]
    assert Verdict.ACCEPTED in kept
    assert len(kept) == len(set(kept))


def test_an_honest_run_that_aborts_ends_an_audit_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Case, "honest", lambda self: Outcome(Verdict.FALSE_ABORT))
    tally = audit(get_engine(EngineName.REP3), rep3(), seed=2, runs=48, shrinks=False, goes_on=True)
    assert (tally.programs, tally.tampered) == (1, 0)
    assert [finding.verdict for finding in tally.findings] == [Verdict.FALSE_ABORT]


def test_time_that_is_over_ends_an_audit_within_a_program() -> None:
    """A program's runs may take minutes."""
    tally = Tally("rep3", "mal-rep-ring", "rep3", (), seed=2)
    _Round(get_engine(EngineName.REP3), rep3(), tally, 0, goes_on=False).play(24, deadline=0.0, shrinks=False)
    assert (tally.programs, tally.honest, tally.tampered) == (1, 4, 0)


@pytest.mark.usefixtures("repeatable_audit")
def test_the_command_keeps_records_and_plays_findings_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MP_SPDZ_HOME", raising=False)
    options = ["--out", str(tmp_path), "--quiet"]
    clean = CliRunner().invoke(app, ["audit", "--runs", "24", *options])
    assert clean.exit_code == 0, clean.output
    assert "0 WRONG OUTPUT ACCEPTED" in clean.output
    assert "MP_SPDZ_HOME" in clean.output  # what else it could do
    with monkeypatch.context() as broken:
        broken.setattr(Batch, "exchanges", lambda *args: iter(()))
        found = CliRunner().invoke(app, ["audit", "--runs", "24", "--seed", "2", *options])
        assert found.exit_code == 1, found.output
        name = found.output.split("--rerun ")[1].split()[0]
        assert CliRunner().invoke(app, ["audit", "--rerun", name, *options]).exit_code == 1
    again = CliRunner().invoke(app, ["audit", "--rerun", name, *options])
    assert again.exit_code == 0, again.output
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["schema"] for line in lines] == ["mpc-tamper/audit/1"] * 2
    assert json.loads(lines[1])["configuration"] == {"audit": {"engine": "rep3", "runs": 24, "seed": 2, "go-on": False}}
    many = CliRunner().invoke(app, ["audit", "--config", str(tmp_path / "audit.jsonl"), "--show-config"])
    assert f"got 2; choose one, as {tmp_path / 'audit.jsonl'}#1" in many.output.replace("\n", "")
    second = CliRunner().invoke(app, ["audit", "--config", f"{tmp_path / 'audit.jsonl'}#2", "--show-config"])
    assert "seed = 2" in second.output
    copied = tmp_path / "finding.json"
    copied.write_text(json.dumps(json.loads(lines[1])["findings"][0]))
    assert CliRunner().invoke(app, ["audit", "--rerun", str(copied), *options]).exit_code == 0
    assert "## Findings" in (tmp_path / "audit.md").read_text()
    assert (tmp_path / "audit.png").stat().st_size > 0


def test_a_damaged_record_ends_the_command_before_its_work(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"engine": "rep3"}\n')
    result = CliRunner().invoke(app, ["audit", "--runs", "24", "--out", str(tmp_path)])
    assert result.exit_code == 2
    said = "line 1: expected a field protocol, got none; restore or remove this line"
    assert said in " ".join(result.output.split())
    assert path.read_text() == '{"engine": "rep3"}\n'


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--protocol", "nonsense"], "expected protocols of mal-rep-ring, got nonsense"),
        (["--engine", "clear"], "expected an engine with active protocols to audit"),
        (["--rerun", "no-such-finding"], "audit.jsonl"),
        (["--engine", "mp-spdz"], "MP_SPDZ_HOME"),
    ],
)
def test_what_cannot_be_audited_is_refused(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MP_SPDZ_HOME", raising=False)
    result = CliRunner().invoke(app, ["audit", *words, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert expected in result.output


def test_an_error_at_a_timer_without_a_name_is_added_once() -> None:
    """It had two names, both its number, and was added twice; a flip of an AND gate undid itself."""
    statements = {0: Statement("constant", (), (3,), 2), 1: Statement("mul", (0, 0), (), 4), 2: Statement("open", (1,))}
    program = SmallProgram(1, statements, frozenset({1}))
    engine = get_engine(EngineName.REP3)
    with prepared(engine, rep3(), program.text(), {}) as case:
        (site,) = [site for site in case.survey(0)[0] if site.point is Point.OPERATION]
    assert (site.name, site.count) == ("2", 1)
