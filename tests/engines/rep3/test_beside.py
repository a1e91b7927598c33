"""Batches that a second thread proves while the program goes on: the same messages, at other places, and the same
refusals."""

from __future__ import annotations

import contextlib
import gc
import threading
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError, PeerLost, ProofRejected
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.kernels import threads
from mpc_tamper.engines.kernels.threads import on_threads, ranges
from mpc_tamper.engines.rep3 import party as party_module
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.config import PartyConfig
from mpc_tamper.engines.rep3.party import RECORD_SHARE
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import RECORD_BYTES, Active
from mpc_tamper.engines.rep3.protocol.beside import Beside, in_turn
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof.batch import CLOSING, CONCLUDING, OF_LEVEL, Exchange, Exchanges
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.memory import memory_channels
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from tests.support.active_runs import End, Program, every_operation, every_operation_in_clear, run, shared
from tests.support.threads import in_threads

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
PRODUCTS = 40
SMALL = 2000  # bytes, of a record: of some six products of LANES
LANES = 5


class InTurn(Active):
    """record_bytes: of small records."""

    beside = False
    record_bytes = SMALL

    def __init__(self, channel: Channel, prss: Prss, session: bytes) -> None:
        super().__init__(channel, prss, session, record_bytes=self.record_bytes, beside=self.beside)


class AtTheSameTime(InTurn):
    beside = True


def many_products(party: Party, opened: list[np.ndarray]) -> None:
    """Each a step of its own."""
    x = shared(party, 0, np.arange(1, 1 + LANES, dtype=np.uint64))
    for _ in range(PRODUCTS):
        party.steps.start(4)
        x = passive.mul(party, x, x)
        party.steps.stop(4)
    opened.append(open_to_all(party, x))


def received(program: Program, kind: type[Active]) -> list[list[tuple[int, str, bytes]]]:
    """What each party received, with the same keys whenever this is called."""
    logs: list[list[tuple[int, str, bytes]]] = [[], [], []]

    def logged(party: Party, opened: list[np.ndarray]) -> None:
        logs[party.party_id] = party.channel.record_received()
        program(party, opened)

    for end in run(logged, every_class=kind, insecure_fixed_seed=5):
        assert end.error is None
    return logs


def of_proofs(log: list[tuple[int, str, bytes]], wanted: bool = True) -> list[tuple[int, str, bytes]]:
    return [each for each in log if each[1].startswith("proof/") == wanted]


@pytest.mark.parametrize("program", [many_products, every_operation])
@pytest.mark.parametrize("record_bytes", [1, SMALL, 200_000])
def test_the_messages_are_those_of_proofs_in_turn(program: Program, record_bytes: int) -> None:
    """Of gates, and of proofs: each kind in its order, byte by byte."""
    logs = [
        received(program, type("Kind", (kind,), {"record_bytes": record_bytes})) for kind in (InTurn, AtTheSameTime)
    ]
    for before, beside in zip(*logs, strict=True):
        assert of_proofs(beside) == of_proofs(before)
        assert of_proofs(beside, False) == of_proofs(before, False)


def test_gates_go_on_while_a_batch_is_proved_and_nothing_is_opened_meanwhile() -> None:
    for log in received(many_products, AtTheSameTime):
        closed = accepts = gates = 0
        meanwhile: list[int] = []
        for tag in (tag for _, tag, _ in log):
            if tag in ("proof/closed", "open"):
                assert accepts == 2 * closed  # of both others
                closed, gates = closed + (tag != "open"), 0
            elif tag == "proof/accept":
                accepts += 1
                meanwhile.append(gates)
            elif not tag.startswith("proof/"):
                gates += 1
        assert closed > 3
        assert min(meanwhile[:-2]) > 1
        assert meanwhile[-1] == 0  # of the batch that ends before the opening


@pytest.mark.parametrize("record_bytes", [1, SMALL])
def test_batches_are_closed_after_the_same_gates(record_bytes: int) -> None:
    """And challenge 0 of each is drawn before another gate."""
    found = []
    for kind in (InTurn, AtTheSameTime):
        places: list[list[int]] = []
        for log in received(many_products, type("Kind", (kind,), {"record_bytes": record_bytes})):
            tags = [tag for _, tag, _ in log]
            closed = [at for at, tag in enumerate(tags) if tag == "proof/closed"]
            assert all(tags[at + 1 : at + 3] == ["proof/challenge"] * 2 for at in closed)
            places.append([sum(not tag.startswith("proof/") for tag in tags[:at]) for at in closed])
        found.append(places)
    assert found[0] == found[1]


def test_a_proof_is_over_before_the_next_record_is_full() -> None:
    for log in received(many_products, AtTheSameTime):
        tags = [tag for _, tag, _ in log]
        accepted = [at for at, tag in enumerate(tags) if tag == "proof/accept"][1::2]
        closed = [at for at, tag in enumerate(tags) if tag == "proof/closed"]
        assert any(tags[one + 1 : other] for one, other in zip(accepted, closed[1:], strict=False))


def test_what_is_computed_beside_is_right() -> None:
    ends = run(every_operation, every_class=type("Kind", (AtTheSameTime,), {"record_bytes": 50_000}))
    for end in ends:
        assert end.error is None
        for got, want in zip(end.opened, every_operation_in_clear(), strict=True):
            assert np.array_equal(got, want)


def refused(ends: list[End], corrupt_party: int) -> str:
    """What the honest parties say, who have opened nothing."""
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert all(end.opened == [] for end in honest)
    errors = [end.error for end in honest if isinstance(end.error, ProofRejected)]
    assert errors
    return str(errors[0])


@corrupt
def test_an_error_in_any_batch_is_found_before_another_batch_is_closed(corrupt_party: int) -> None:
    batches = set()
    for step in range(0, PRODUCTS, 3):
        closed: list[list[bytes]] = [[], [], []]

        def watched(party: Party, opened: list[np.ndarray], closed: list[list[bytes]] = closed) -> None:
            exchange = party.channel.exchange

            def watching(tag, send, receive):  # type: ignore[no-untyped-def]
                if tag == "proof/closed":
                    closed[party.party_id] += [bytes(payload) for payload in send.values()]
                exchange(tag, send, receive)

            party.channel.exchange = watching  # type: ignore[method-assign]
            many_products(party, opened)

        plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", step, 2, 1 << 63)])
        kinds = {"active_class": AtTheSameTime, "every_class": AtTheSameTime}
        ends = run(watched, corrupt_party=corrupt_party, plan=plan, **kinds)
        told = refused(ends, corrupt_party)
        batch = max(map(len, closed)) - 1
        assert f"check 'inner product' of batch {batch} failed" in told
        batches.add(batch)
    assert len(batches) > 3


@corrupt
@pytest.mark.parametrize("record_bytes", [1, SMALL])
def test_a_program_that_catches_a_rejection_gets_nothing(corrupt_party: int, record_bytes: int) -> None:
    """Beside a corrupt party that goes on as if nothing had happened."""

    def stubborn(party: Party, opened: list[np.ndarray]) -> None:
        if party.party_id == corrupt_party:
            party.channel.final.check = lambda: None  # type: ignore[method-assign]
        x = first = shared(party, 0, np.arange(1, 1 + LANES, dtype=np.uint64))
        for _ in range(PRODUCTS):
            party.steps.start(4)
            with contextlib.suppress(PartyError):
                x = passive.mul(party, x, x)
            party.steps.stop(4)
        for each in (x, first):
            with contextlib.suppress(PartyError):
                opened.append(open_to_all(party, each))

    kind = type("Kind", (AtTheSameTime,), {"record_bytes": record_bytes})
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 9, 2, 1 << 63)])
    ends = run(stubborn, corrupt_party=corrupt_party, plan=plan, active_class=kind, every_class=kind)
    refused(ends, corrupt_party)


@corrupt
def test_a_prover_that_lies_beside_the_program_is_refused(corrupt_party: int) -> None:
    """In the second batch, at each level."""
    for number in range(2):

        class Lying(IntegerProver):
            made = 0

            def __init__(self, *arguments) -> None:  # type: ignore[no-untyped-def]
                super().__init__(*arguments)
                Lying.made += 1
                self._lies = Lying.made == 2

            def message(self, level: int, lying_at: int = number) -> bytes:
                found = super().message(level)
                return bytes([found[0] ^ 1]) + found[1:] if self._lies and level == lying_at else found

        kind = type("Kind", (AtTheSameTime,), {"integer_prover": Lying})
        ends = run(many_products, corrupt_party=corrupt_party, active_class=kind, every_class=AtTheSameTime)
        assert "of batch 1 failed" in refused(ends, corrupt_party)


def test_whatever_the_second_thread_raises_ends_the_run() -> None:
    class Failing(IntegerProver):
        def fold(self, number: int, challenge: bytes) -> None:
            raise MemoryError("no room")

    kind = type("Kind", (AtTheSameTime,), {"integer_prover": Failing})
    ends = run(many_products, corrupt_party=1, active_class=kind, every_class=AtTheSameTime)
    assert isinstance(ends[1].error, MemoryError)
    assert all(end.error is not None and end.opened == [] for end in ends)


def test_a_run_does_not_end_with_a_batch_under_way() -> None:
    channel = memory_channels()[0]
    recorder = AtTheSameTime(channel, Prss(bytes(32), bytes(32)), b"session")
    recorder._under_way = object.__new__(Beside)
    with pytest.raises(Exception, match="expected every gate to be proved before the end"):
        recorder.finish()


def test_the_page_says_how_much_memory_it_takes() -> None:
    page = Path(__file__).parents[3] / "docs" / "commands.md"
    needed = 2 * RECORD_BYTES * RECORD_SHARE
    assert f"may fill {-(-needed // 1_000_000)} MB of memory or more" in page.read_text()


@pytest.mark.parametrize(
    ("threads", "room", "beside"),
    [
        (0, None, False),
        (1, None, False),
        (2, None, True),
        (2, 2 * RECORD_BYTES, True),
        (2, 2 * RECORD_BYTES - 1, False),
    ],
)
def test_it_takes_a_second_thread_and_room_for_two_records(threads: int, room: int | None, beside: bool) -> None:
    recorder = recorder_for(
        ProtocolName.MAL_REP_RING,
        memory_channels()[0],
        Prss(bytes(32), bytes(32)),
        b"session",
        record_bytes=room,
        threads=threads,
    )
    assert isinstance(recorder, Active)
    assert recorder._beside == beside
    assert recorder._record_bytes == RECORD_BYTES


@corrupt
def test_no_thread_stays_aside_after_a_run_that_failed(corrupt_party: int) -> None:
    gc.collect()
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 9, 2, 1)])
    ends = run(
        many_products, corrupt_party=corrupt_party, plan=plan, active_class=AtTheSameTime, every_class=AtTheSameTime
    )
    refused(ends, corrupt_party)
    with on_threads(2):
        assert len(ranges(100, 100)) == 2


def test_no_thread_stays_aside_where_none_could_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though somebody keeps the error, and with it the proof."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    gc.collect()  # of runs that ended with a batch under way
    monkeypatch.setattr(threads, "_started", interrupted)
    with on_threads(2):
        with pytest.raises(KeyboardInterrupt) as kept:
            Beside(memory_channels()[0], iter(()), 1)
        assert len(ranges(100, 100)) == 2
        assert kept.value


def test_no_thread_stays_aside_after_a_run() -> None:
    gc.collect()
    ends = run(many_products, every_class=AtTheSameTime)
    assert [end.error for end in ends] == [None] * 3
    with on_threads(2):
        assert len(ranges(100, 100)) == 2


def test_no_thread_is_left_by_a_run() -> None:
    run(many_products, every_class=AtTheSameTime)
    found = [thread for thread in threading.enumerate() if thread.name == "aside"]
    for thread in found:
        thread.join()
    assert not any(thread.is_alive() for thread in found)


class Fine:
    """A channel on which everything goes well."""

    def exchange(self, tag: str, send: object, receive: object) -> None: ...


class Lost:
    def exchange(self, tag: str, send: object, receive: object) -> None:
        raise PeerLost("gone", 1)


SOMETHING = Exchange("proof", {1: memoryview(b"")}, {})
COUNT = CLOSING + OF_LEVEL + CONCLUDING  # of the exchanges of a proof of one level


def test_a_proof_that_was_refused_is_refused_whenever_it_is_asked_for() -> None:
    def rejecting() -> Exchanges:
        for _ in range(COUNT):
            yield SOMETHING
        raise ProofRejected("no")

    proof = Beside(Fine(), rejecting(), 1)  # type: ignore[arg-type]
    with pytest.raises(ProofRejected):
        proof.finish()
    with pytest.raises(AssertionError):
        proof.finish()


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_a_proof_that_has_failed_at_any_place_has_failed_for_good(levels: int) -> None:
    """And its thread helps kernels again, though somebody holds it still."""
    count = CLOSING + OF_LEVEL * levels + CONCLUDING

    class LostOnce:
        def __init__(self, place: int) -> None:
            self.left = place

        def exchange(self, tag: str, send: object, receive: object) -> None:
            self.left -= 1
            if self.left == -1:
                raise PeerLost("gone", 1)

    gc.collect()
    for place in range(CLOSING, count):
        proof = Beside(LostOnce(place), (SOMETHING for _ in range(count)), levels)  # type: ignore[arg-type]
        with pytest.raises(PeerLost):
            proof.advance(1.0)
        with on_threads(2):
            assert len(ranges(100, 100)) == 2
        for again in (proof.finish, lambda proof=proof: proof.advance(1.0), proof.finish):
            with pytest.raises(AssertionError, match="has failed"):
                again()


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1])
def test_a_proof_has_as_many_messages_as_its_levels_say(count: int) -> None:
    with pytest.raises(AssertionError, match="messages than its levels say"):
        Beside(Fine(), (SOMETHING for _ in range(count)), 1).finish()  # type: ignore[arg-type]


def test_a_verdict_of_one_s_own_comes_before_a_lost_link() -> None:
    def failing() -> Exchanges:
        try:
            yield SOMETHING
        except PeerLost as exc:
            raise ProofRejected("one's own") from exc

    with pytest.raises(ProofRejected, match="one's own"):
        in_turn(Lost(), failing())  # type: ignore[arg-type]
    with pytest.raises(ProofRejected, match="one's own"):
        Beside(Lost(), failing(), 1)  # type: ignore[arg-type]


def test_all_threads_help_while_a_proof_is_finished_and_after_it_has_ended() -> None:
    parts: list[int] = []

    def proof() -> Exchanges:
        for _ in range(COUNT):
            parts.append(len(ranges(100, 100)))
            yield SOMETHING
        parts.append(len(ranges(100, 100)))

    gc.collect()
    with on_threads(2):
        finished = Beside(Fine(), proof(), 1)  # type: ignore[arg-type]
        assert set(parts) == {1}
        finished.finish()
        assert parts[-1] == 2
        advanced = Beside(Fine(), proof(), 1)  # type: ignore[arg-type]
        advanced.advance(1.0)
        assert len(ranges(100, 100)) == 2


def test_each_party_takes_what_all_have(tmp_path, monkeypatch):
    """Its own threads or memory would place a proof's messages where the other two have theirs not."""
    program, taken = tmp_path / "nothing.mpc", []
    program.write_text("print_ln('nothing')\n")

    def spied(*args: object, record_bytes: int | None, threads: int, **options: object) -> object:
        taken.append((record_bytes, threads))
        return recorder_for(*args, record_bytes=record_bytes, threads=threads, **options)

    monkeypatch.setattr(party_module, "recorder_for", spied)
    channels = memory_channels()
    budgets, threads = (None, 1 << 30, 1 << 31), (3, 4, 2)

    def start(i: int) -> None:
        folder = tmp_path / str(i)
        folder.mkdir()
        config = PartyConfig(
            party_id=i,
            program=str(program),
            args=(),
            protocol=ProtocolName.MAL_REP_RING,
            run_dir=str(folder),
            key="",
            certificates=("", "", ""),
            addresses=(Address("", 0),) * 3,
            timeout_seconds=30,
            connect_timeout_seconds=30,
            budget=budgets[i],
            threads=threads[i],
        )
        party_module._run(config, channels[i], "", None, Remarks(None))

    assert in_threads(*(lambda i=i: start(i) for i in range(3))) == [None] * 3
    assert taken == [((1 << 30) // RECORD_SHARE, 2)] * 3
