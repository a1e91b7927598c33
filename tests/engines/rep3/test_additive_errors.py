"""Each corrupt party, each message of the passive protocol: the result shifts as the additive-attack model predicts."""

from collections.abc import Callable

import numpy as np
import pytest

from mpc_tamper.core.errors import PlanError
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives import comparison
from mpc_tamper.engines.rep3.primitives import shift as shift_primitive
from mpc_tamper.engines.rep3.protocol import opening, passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare, public
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan

STEP = {4: "STEP"}
MODULUS = 2**64
corrupt = pytest.mark.parametrize("corrupt_party", range(3))


def masked(party: Party, values: np.ndarray) -> RepShare:
    """A fresh sharing of public values: the trivial one plus a sharing of zero."""
    z = party.prss.zero_share(values.shape)
    return public(values, party.party_id) + passive.reshare(party, z, "mask")


def run(
    function: Callable[..., RepShare],
    values: list[np.ndarray],
    errors: list[AdditiveError],
    corrupt_party: int,
    times: int = 1,
) -> list[np.ndarray]:
    """The function's opened results, one for each time that its step runs."""

    def program(party: Party) -> list[np.ndarray]:
        results = []
        for _ in range(times):
            shares = [masked(party, v) for v in values]
            party.steps.start(4)
            result = function(party, *shares)
            party.steps.stop(4)
            results.append(opening.open_to_all(party, result))
        return results

    plan = AdditiveErrorPlan.from_errors(errors)
    parties = run_in_threads(program, sites=STEP, corruption=Corruption(corrupt_party, plan))
    for other in parties[1:]:  # the honest parties hold consistent shares of the wrong value
        assert all(np.array_equal(a, b) for a, b in zip(parties[0], other, strict=True))
    return parties[0]


@corrupt
@pytest.mark.parametrize("value", [1, -1, 2**62, 2**63, 12345])
@pytest.mark.parametrize("site", ["STEP", "4"])
def test_an_operations_result_shifts_by_the_error(corrupt_party, value, site):
    x, y = np.arange(10, dtype=np.uint64), np.full(10, 7, np.uint64)
    (got,) = run(passive.mul, [x, y], [AdditiveError(site, 0, 3, value)], corrupt_party)
    assert got.tolist() == [(7 * i + (value if i == 3 else 0)) % MODULUS for i in range(10)]


@corrupt
@pytest.mark.parametrize("product", [passive.matmul, passive.trans_matmul])
def test_matrix_products_shift_at_the_row_major_index(corrupt_party, product):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2**64, (4, 4), np.uint64), rng.integers(0, 2**64, (4, 3), np.uint64)
    want = (x if product is passive.matmul else x.T) @ y
    (got,) = run(product, [x, y], [AdditiveError("STEP", EVERY, 7, 99)], corrupt_party)
    want[2, 1] += np.uint64(99)
    assert np.array_equal(got, want)


@corrupt
@pytest.mark.parametrize("owner", range(3))
@pytest.mark.parametrize("small", [True, False])
def test_products_by_a_private_input_shift_too(corrupt_party, owner, small):
    """Its owner multiplies in another way (passive.py), and may be the corrupt party."""
    x = np.arange(12, dtype=np.uint64).reshape(4, 3) + np.uint64(0 if small else 2**60)
    y = np.arange(3, dtype=np.uint64).reshape(3, 1) + np.uint64(5)

    def product(party: Party, right: RepShare) -> RepShare:
        left = share_input(party, owner, x.shape, lambda count: x.reshape(-1)[:count])
        return passive.matmul(party, left, right)

    (got,) = run(product, [y], [AdditiveError("STEP", 0, 2, -9)], corrupt_party)
    want = x @ y
    want[2, 0] -= np.uint64(9)
    assert np.array_equal(got, want)


@corrupt
def test_occurrences_indices_and_sums_of_errors(corrupt_party):
    x = np.ones(3, np.uint64)
    errors = [
        AdditiveError("STEP", 1, EVERY, 10),
        AdditiveError("STEP", EVERY, 0, 5),
        AdditiveError("STEP", 1, 0, 100),
        AdditiveError("STEP", 1, 0, 100),
    ]
    got = run(passive.mul, [x, x], errors, corrupt_party, times=3)
    assert [g.tolist() for g in got] == [[6, 1, 1], [216, 11, 11], [6, 1, 1]]


@corrupt
def test_an_error_at_b2a_z_shifts_the_bit_by_minus_twice_itself(corrupt_party):
    x = np.array([1, MODULUS - 1] * 6, np.uint64)
    sent = [i for i in range(12) if i // 4 != (corrupt_party - 1) % 3]  # as role 1 a party sends beta, not z
    errors = [AdditiveError("STEP/b2a.z", 0, i, 1000 + i) for i in sent]
    (got,) = run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 64)), [x], errors, corrupt_party)
    assert got.tolist() == [(i % 2 - (2 * (1000 + i) if i in sent else 0)) % MODULUS for i in range(12)]


@corrupt
def test_an_error_at_b2a_beta_depends_on_a_component_of_the_bit(corrupt_party):
    """The bit is beta + b_2 - 2 beta b_2: with beta + e it shifts by e or by -e, as b_2, uniform, has it."""
    x = np.zeros(300, np.uint64)
    part = (corrupt_party - 1) % 3
    errors = [AdditiveError("STEP/b2a.beta", 0, i, 7) for i in range(100 * part, 100 * part + 100)]
    (got,) = run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 64)), [x], errors, corrupt_party)
    touched, rest = got[100 * part : 100 * part + 100], np.delete(got, range(100 * part, 100 * part + 100))
    assert set(touched.tolist()) == {7, MODULUS - 7}
    assert not rest.any()


@corrupt
def test_an_error_at_the_carry_save_adder_moves_the_sum_by_a_power_of_two(corrupt_party):
    """Flipping the majority at bit j changes s + 2 c by +-2^(j+1): far from the boundary of the sign, nothing;
    at the top, the sign itself."""
    lanes = 70
    x = np.full(lanes, 5, np.uint64)
    sign_bit = 62 * lanes + 3  # majority 62 enters the sum at bit 63
    low_bit = 10 * lanes + 4
    errors = [AdditiveError("STEP/csa", 0, sign_bit, 1), AdditiveError("STEP/csa", 0, low_bit, 1)]
    (got,) = run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 64)), [x], errors, corrupt_party)
    moved = {(5 + d) % MODULUS >> 63 for d in (2**11, -(2**11))}
    assert got[4] in moved
    assert np.delete(got, 4).tolist() == [1 if i == 3 else 0 for i in range(lanes) if i != 4]


@corrupt
@pytest.mark.parametrize("gate", ["csa", "generate", "prefix.0", "prefix.4"])
def test_gates_of_the_shift_take_errors_too(corrupt_party, gate):
    x = np.arange(66, dtype=np.uint64) << np.uint64(20)
    (got,) = run(
        lambda p, s: alone(p, shift_primitive.right_shift(p, s, 8)),
        [x],
        [AdditiveError(f"STEP/{gate}", 0, 65, 1)],
        corrupt_party,
    )
    assert np.array_equal(got[:65], x[:65] >> np.uint64(8))  # only the lane of the error can change


@pytest.mark.parametrize(
    "error",
    [
        AdditiveError("STEP", 0, 10, 1),  # index past the result
        AdditiveError("STEP", 1, 0, 1),  # the step runs once
        AdditiveError("ELSEWHERE", 0, 0, 1),
        AdditiveError("STEP/csa", 0, 0, 1),  # a product has no such gate
    ],
)
def test_an_error_that_meets_no_output_is_refused(error):
    x = np.ones(10, np.uint64)
    with pytest.raises(PlanError, match="met no output"):
        run(passive.mul, [x, x], [error], 1)


def test_padding_lanes_are_no_sites():
    x = np.ones(3, np.uint64)
    with pytest.raises(PlanError, match="met no output"):
        run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 2)), [x], [AdditiveError("STEP/csa", 0, 3, 1)], 0)


@pytest.mark.parametrize("index", [0, EVERY])
def test_flipping_a_gate_twice_is_not_flipping_it(index):
    x = np.full(5, 2**63, np.uint64)
    twice = [AdditiveError("STEP/csa", 0, index, 1), AdditiveError("STEP/csa", EVERY, index, 1)]
    (got,) = run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 64)), [x], twice, 0)
    assert got.tolist() == [1] * 5


def test_a_gates_error_is_one_bit():
    x = np.ones(3, np.uint64)
    with pytest.raises(PlanError, match="expected the value 1"):
        run(lambda p, s: alone(p, comparison.less_than_zero(p, s, 9)), [x], [AdditiveError("STEP/csa", 0, 0, 2)], 0)
