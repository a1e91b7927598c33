"""The active protocol: the same results as the passive one, and no error of a corrupt party survives."""

import math

import numpy as np
import pytest

from mpc_tamper.core.errors import OpeningError, PartyError, PlanError, ProofRejected, ProtocolAbort
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.primitives.variants import Variants
from mpc_tamper.engines.rep3.protocol import active as active_module
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import bits
from mpc_tamper.engines.rep3.protocol.proof.argument import FIRST_ROWS
from mpc_tamper.engines.rep3.protocol.proof.record import Gates
from mpc_tamper.engines.rep3.protocol.prss import Stream
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import LANES, every_operation, every_operation_in_clear, run, shared, small_program
from tests.support.shifts import shifted, shifted_in_clear

corrupt = pytest.mark.parametrize("corrupt_party", range(3))


def ends_of(program, **options):
    ends = run(program, **options)
    return [end.opened for end in ends], [end.error for end in ends]


def assert_rejected(opened, errors, corrupt_party, place=None):
    """A verifier rejects the corrupt party's proof; the others hear it, or lose the link; nobody opens anything."""
    assert opened == [[], [], []], place
    assert all(isinstance(error, PartyError) for error in errors), (place, errors)
    rejections = [str(error) for error in errors if isinstance(error, ProofRejected)]
    assert rejections, place
    assert all(f"rejects the proof of party {corrupt_party}" in text for text in rejections), (place, rejections)


@pytest.mark.slow
@pytest.mark.parametrize("record_bytes", [active_module.RECORD_BYTES, 50_000, 1])
def test_every_operation_gives_what_it_gives_in_clear(record_bytes):
    """Also when the record is proved after every few gates, or after each."""

    def program(party: Party) -> tuple[list[np.ndarray], int, float]:
        opened: list[np.ndarray] = []
        every_operation(party, opened)
        assert party.recorder is not None
        return opened, party.recorder.batches, party.recorder.soundness_error

    for opened, batches, error in run_in_threads(program, active=True, record_bytes=record_bytes):
        for got, want in zip(opened, every_operation_in_clear(), strict=True):
            assert np.array_equal(got, want)
        assert batches == 1 if record_bytes == active_module.RECORD_BYTES else batches > 10
        assert 0 < error <= 2.0**-40


@corrupt
@pytest.mark.parametrize("value", [1, -1, 2**62, 2**63])
@pytest.mark.parametrize("index", [0, LANES, EVERY])
def test_an_error_in_an_operation_aborts_before_anything_is_opened(corrupt_party, value, index):
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, index, value)])
    opened, errors = ends_of(small_program, corrupt_party=corrupt_party, plan=plan)
    assert_rejected(opened, errors, corrupt_party)


def gate_errors() -> list[tuple[str, int]]:
    """Every gate of the small program's comparison: 5 majorities, and the carry tree's; b2a by each role."""
    planes = {"csa": 5, "generate": 3, "prefix.0": 1, "prefix.1": 2}
    gates = [(f"STEP/{gate}", i) for gate, n in planes.items() for i in range(n * LANES)]
    return gates + [(f"STEP/{gate}", i) for gate in ("b2a.beta", "b2a.z") for i in range(LANES)]


@pytest.mark.slow
@corrupt
def test_an_error_at_any_gate_aborts_before_anything_is_opened(corrupt_party):
    met = 0
    for site, index in gate_errors():
        plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, index, 1)])
        opened, errors = ends_of(small_program, corrupt_party=corrupt_party, plan=plan)
        if isinstance(errors[corrupt_party], PlanError):
            continue  # this party sends nothing there
        met += 1
        assert_rejected(opened, errors, corrupt_party, (site, index))
    assert met == len(gate_errors()) - LANES  # a b2a message has one sender: a third of each kind's indices or two


WIDTH, OFFSETS, VALUES = 7, (0, 8), 64  # so many that their comparisons share gates


def shifts_compared(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(VALUES, dtype=np.uint64))
    party.steps.start(4)
    bits = alone(party, less_than_zero(party, shifted(party, x, OFFSETS), WIDTH))
    party.steps.stop(4)
    opened.append(open_to_all(party, bits))


def test_shifts_compared_actively():
    want = (shifted_in_clear(np.arange(VALUES, dtype=np.uint64), OFFSETS) >> np.uint64(WIDTH - 1)) & np.uint64(1)
    opened, errors = ends_of(shifts_compared)
    assert errors == [None] * 3
    assert all(np.array_equal(each, want) for (each,) in opened)


@corrupt
def test_an_error_at_any_gate_of_variants_aborts(corrupt_party):
    """A gate of each plane: those that all variants share, and each variant's own."""
    gates = Variants.of(WIDTH, OFFSETS).gates()
    assert gates["csa"] == 3 + 2 * 3
    for gate, planes in gates.items():
        for plane in range(planes):
            index = plane * VALUES + 7 * plane % VALUES
            plan = AdditiveErrorPlan.from_errors([AdditiveError(f"STEP/{gate}", 0, index, 1)])
            opened, errors = ends_of(shifts_compared, corrupt_party=corrupt_party, plan=plan)
            assert_rejected(opened, errors, corrupt_party, (gate, plane))


def products_and_comparisons(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(8192, dtype=np.uint64))
    party.steps.start(4)
    y = passive.mul(party, x, x)
    alone(party, less_than_zero(party, y, 2))
    party.steps.stop(4)
    opened.append(open_to_all(party, y))


@corrupt
@pytest.mark.parametrize("distance", [1, 2, 58, 64, 4064, 4096])
@pytest.mark.parametrize(("site", "value"), [("STEP", 2**63), ("STEP/csa", 1)])
def test_equal_errors_in_two_gates_do_not_cancel(corrupt_party, site, value, distance):
    """Flips of two AND gates, and errors 2^63 in two products. Lanes of one word stand in one column of the proof, in
    different rows; the same lanes of two words in one row. A distance of 64 words: only their sigma differ."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, i, value) for i in (5, 5 + distance)])
    opened, errors = ends_of(products_and_comparisons, corrupt_party=corrupt_party, plan=plan)
    assert_rejected(opened, errors, corrupt_party)


@corrupt
def test_equal_errors_in_two_rows_would_cancel_without_weights_of_rows(corrupt_party, monkeypatch):
    draw = Stream.draw

    def ones_for_rows(stream: Stream, count: int) -> np.ndarray:
        return np.ones(count, np.uint64) if count == FIRST_ROWS - 1 else draw(stream, count)

    monkeypatch.setattr(Stream, "draw", ones_for_rows)
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP/csa", 0, i, 1) for i in (5, 6)])
    _, errors = ends_of(products_and_comparisons, corrupt_party=corrupt_party, plan=plan)
    assert errors == [None] * 3


@corrupt
def test_equal_errors_64_words_apart_would_cancel_without_weights_of_blocks(corrupt_party, monkeypatch):
    draw_weights = bits._Weights.__init__

    def ones_for_blocks(weights: bits._Weights, challenge: bytes, groups: list[Gates]) -> None:
        draw_weights(weights, challenge, groups)
        weights.of_groups = [np.ones_like(sigma) for sigma in weights.of_groups]

    monkeypatch.setattr(bits._Weights, "__init__", ones_for_blocks)
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP/csa", 0, i, 1) for i in (5, 5 + 4096)])
    _, errors = ends_of(products_and_comparisons, corrupt_party=corrupt_party, plan=plan)
    assert errors == [None] * 3


@pytest.mark.slow
@corrupt
def test_an_error_in_a_long_computation_aborts(corrupt_party):
    """With several levels over both rings, and in the later of two products by the same matrix."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        party.steps.start(4)
        every_operation(party, opened)
        party.steps.stop(4)

    sizes = [3000, 3000, 50, 60, 150, 150, 50]  # outputs of the products in order; comparisons are no operations
    for index in (2999, 6000, 6110 + 149, 6110 + 299, sum(sizes[:6]) + 7):
        plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, index, 2**63)])
        opened, errors = ends_of(program, corrupt_party=corrupt_party, plan=plan)
        assert_rejected(opened, errors, corrupt_party)


ROWS, COLUMNS = (100, 20, 200), 128


def large_products(party: Party, opened: list[np.ndarray]) -> None:
    """Whose pads are more than half of what is drawn ahead, a part of the rest, and more than all of it."""
    y = shared(party, 1, np.arange(COLUMNS, dtype=np.uint64)).reshape(1, COLUMNS)
    x = [shared(party, 0, np.arange(rows, dtype=np.uint64)).reshape(rows, 1) for rows in ROWS]
    party.steps.start(4)
    found = [passive.matmul(party, each, y) for each in x]
    party.steps.stop(4)
    opened.extend(open_to_all(party, z) for z in found)


def test_messages_are_recorded_in_the_place_of_large_pads():
    opened, errors = ends_of(large_products)
    assert errors == [None, None, None]
    for rows, *found in zip(ROWS, *opened, strict=True):
        assert all(np.array_equal(z, np.outer(np.arange(rows), np.arange(COLUMNS))) for z in found)


@corrupt
@pytest.mark.parametrize("products", [1, 2, 3])
def test_an_error_in_the_last_entry_of_a_large_product_aborts(corrupt_party, products):
    last = sum(ROWS[:products]) * COLUMNS - 1
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, last, 1)])
    opened, errors = ends_of(large_products, corrupt_party=corrupt_party, plan=plan)
    assert_rejected(opened, errors, corrupt_party)


@pytest.mark.slow
def test_no_false_abort():
    for _ in range(1000):
        _, errors = ends_of(small_program)
        assert errors == [None, None, None]


@corrupt
def test_opening_a_wrong_component_is_noticed(corrupt_party):
    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(5, dtype=np.uint64))
        y = passive.mul(party, x, x)
        if party.party_id == corrupt_party:
            y.own += np.uint64(1)
        opened.append(open_to_all(party, y))

    opened, errors = ends_of(program)
    assert isinstance(errors[(corrupt_party - 1) % 3], OpeningError)
    assert opened[(corrupt_party - 1) % 3] == []


def test_leaving_with_unproved_gates_raises():
    def program(party: Party) -> None:
        x = shared(party, 0, np.arange(5, dtype=np.uint64))
        passive.mul(party, x, x)
        assert party.recorder is not None
        with pytest.raises(ProtocolAbort, match="unproved"):
            party.recorder.finish()

    run_in_threads(program, active=True)


def test_above_the_limit_of_soundness_nothing_is_opened(monkeypatch):
    monkeypatch.setattr(active_module, "LIMIT", 2.0**-60)
    opened, errors = ends_of(small_program)
    assert opened == [[], [], []]
    assert all(isinstance(error, PartyError) for error in errors)
    assert any("expected a soundness error of at most" in str(error) for error in errors)


def test_the_soundness_error_is_what_the_formula_gives():
    """One product: 48 subsets, then three factors: rho, and alpha and beta of the masked level."""

    def program(party: Party) -> float:
        x = shared(party, 0, np.arange(1, dtype=np.uint64))
        open_to_all(party, passive.mul(party, x[:, None].reshape(1), x))
        assert party.recorder is not None
        return party.recorder.soundness_error

    want = 2.0**-48 + sum(math.comb(67, i) for i in range(3)) / 2.0**67
    assert run_in_threads(program, active=True)[0] == pytest.approx(want, rel=1e-12)


def test_the_soundness_error_of_a_run_is_that_of_its_worst_batch():
    """A wrong batch that is rejected has no successor (docs/security.md, Soundness)."""

    def program(party: Party) -> list[float]:
        x = shared(party, 0, np.arange(4096, dtype=np.uint64))
        errors = []
        for size in (1, 4096, 1, 64):
            open_to_all(party, passive.mul(party, x[:size], x[:size]))
            assert party.recorder.soundness_error is not None
            errors.append(party.recorder.soundness_error)
        return errors

    first, second, third, fourth = run_in_threads(program, active=True)[0]
    assert first < second == third == fourth < 2.0**-47


def test_inputs_may_change_after_a_product_was_recorded():
    """What is recorded is frozen or copied: memory that the program overwrites does not change a statement."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(6, dtype=np.uint64)).copy()
        y = x.reshape(2, 3).copy()
        z = passive.mul(party, x, x)
        m = passive.matmul(party, y, x[:3].reshape(3, 1))
        for share in (x, y):
            share.own[:], share.previous[:] = 1, 2
        z.own[:], z.previous[:] = 3, 4
        opened.append(open_to_all(party, m))

    opened, errors = ends_of(program)
    assert errors == [None, None, None]
    assert opened[0][0].reshape(-1).tolist() == [5, 14]


def test_records_have_the_same_size_at_all_parties():
    """Batches end where the record has grown, so that parties that count differently would lose each other.

    A part of a private input may be a view or a copy; that of the zero component, which two parties hold, stays a view.
    """

    def program(party: Party) -> list[int]:
        x = shared(party, 0, np.arange(12, dtype=np.uint64)).reshape(3, 4)
        assert party.recorder is not None
        sizes = []
        for part in (x[:, :2].reshape(2, 3), x[:2, :3], x[[0, 2]][:, :3], x.copy()[:2, :3]):
            before = party.recorder._record.kept_bytes
            passive.matmul(party, part, x[:, 0].reshape(3, 1))
            sizes.append(party.recorder._record.kept_bytes - before)
        party.recorder.prove()
        return sizes

    vectors = 8 * 2 * (3 + 2)  # y and t
    matrix = 8 * 2 * 6
    want = [vectors + matrix, vectors, vectors + matrix, vectors + matrix]
    assert list(run_in_threads(program, active=True)) == [want] * 3


def test_batches_end_alike_at_all_parties():
    """With records so small that the copy of a part of an input fills one."""

    def program(party: Party) -> tuple[int, list[int]]:
        x = shared(party, 0, np.arange(12, dtype=np.uint64)).reshape(3, 4)
        for _ in range(4):
            z = passive.matmul(party, x[:, :2].reshape(2, 3), x[:, 0].reshape(3, 1))
        opened = open_to_all(party, z)
        assert party.recorder is not None
        return party.recorder.batches, opened.reshape(-1).tolist()

    want = 2, [0 * 0 + 1 * 4 + 4 * 8, 5 * 0 + 8 * 4 + 9 * 8]
    assert list(run_in_threads(program, active=True, record_bytes=200)) == [want] * 3
