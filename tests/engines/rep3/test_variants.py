"""Comparisons of one secret with several public numbers: which vectors are known as such, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.primitives import comparison
from mpc_tamper.engines.rep3.primitives.variants import Variants
from mpc_tamper.engines.rep3.protocol import opening, passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare, plus_public, public
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import shared
from tests.support.shifts import shifted, shifted_in_clear

words = st.one_of(st.sampled_from([0, 1, 2**64 - 1, 2**63, 2**41, 2**40]), st.integers(0, 2**64 - 1))
few = settings(max_examples=40)


def signs(x: np.ndarray, offsets: tuple[int, ...], k: int) -> np.ndarray:
    """Opened; costs what is declared."""

    def program(party: Party) -> np.ndarray:
        both = shifted(party, shared(party, 0, x), offsets)
        before = party.channel.bytes_sent, party.channel.rounds
        found = alone(party, comparison.less_than_zero(party, both, k))
        spent = comparison.cost(party.party_id, k, both.shape[0], offsets)
        assert (before[0] + spent.bytes_sent, before[1] + spent.rounds) == (
            party.channel.bytes_sent,
            party.channel.rounds,
        )
        return opening.open_to_all(party, found)

    return run_in_threads(program)[0]


@few
@given(
    st.lists(words, min_size=1, max_size=130),
    st.integers(2, 64),
    st.integers(0, 64),
    st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=4),
)
def test_each_sign_is_that_of_its_sum(x, k, trailing, numbers):
    """Of any width, with any offsets whose differences end in so many zeros, in range or not."""
    offsets = tuple((numbers[0] + (number << trailing)) % 2**64 for number in numbers)
    base = np.array(x, np.uint64)
    want = [value >> (k - 1) & 1 for value in shifted_in_clear(base, offsets).tolist()]
    assert signs(base, offsets, k).tolist() == want


@pytest.mark.parametrize("k", range(2, 65))
def test_at_every_width(k):
    """64 values: enough for planes to be full words, so that sharing pays."""
    base = np.random.default_rng(k).integers(0, 2**64, 64, np.uint64)
    base[:6] = 0, 1, 2**64 - 1, (1 << (k - 1)) - 1, 1 << (k - 1), 2**63
    offsets = 0, -(1 << (2 * k // 3)) % 2**64
    want = [value >> (k - 1) & 1 for value in shifted_in_clear(base, offsets).tolist()]
    assert signs(base, offsets, k).tolist() == want


@pytest.mark.parametrize(
    ("bits", "offsets", "shared_bits"),
    [
        (57, (0, 2**64 - 2**41), 41),
        (57, (2**41 + 1, 1), 41),
        (57, (0, 3 << 20, 1 << 30), 20),
        (57, (5, 6), 0),
        (57, (0, 1 << 60), 56),  # beyond the width: the same sign
        (57, (7, 7), 56),
        (2, (0, 1), 0),
    ],
)
def test_shared_bits_are_those_below_the_lowest_that_differs(bits, offsets, shared_bits):
    assert Variants.of(bits, offsets).shared == shared_bits


def test_a_capped_relu_takes_two_thirds_of_the_gates():
    gates = Variants.of(57, (0, 2**41)).gates()
    assert gates["csa"] == 41 + 2 * 15
    assert list(gates) == list(comparison.gates(57))  # and the same rounds
    assert (sum(gates.values()), 2 * sum(comparison.gates(57).values())) == (236, 366)


def test_few_values_are_compared_as_before():
    """A plane is a word at least: two variants of 20 values would send more than 40 values in one."""
    assert comparison.cost(0, 57, 40, (0, 2**41)) == comparison.cost(0, 57, 40)
    assert comparison.cost(0, 57, 128, (0, 2**41)).bytes_sent < comparison.cost(0, 57, 128).bytes_sent


def flipped(x: np.ndarray, offsets: tuple[int, ...], k: int, indices: list[int], corrupt_party: int) -> np.ndarray:
    """The signs with these majorities flipped, on fresh shares: (variants, m)."""
    errors = AdditiveErrorPlan.from_errors(AdditiveError("STEP/csa", 0, index, 1) for index in indices)

    def program(party: Party) -> np.ndarray:
        mask = passive.reshare(party, party.prss.zero_share(x.shape), "mask")
        both = shifted(party, mask + public(x, party.party_id), offsets)
        party.steps.start(4)
        found = alone(party, comparison.less_than_zero(party, both, k))
        party.steps.stop(4)
        return opening.open_to_all(party, found)

    got = run_in_threads(program, sites={4: "STEP"}, corruption=Corruption(corrupt_party, errors))[0]
    return got.reshape(len(offsets), len(x))


@pytest.mark.parametrize("corrupt_party", range(3))
def test_a_flipped_gate_of_one_variant_changes_that_one(corrupt_party):
    """The majority below the highest bit enters nothing but the sign."""
    k, lanes, offsets = 12, 64, (0, 2**10)
    variants = Variants.of(k, offsets)
    indices = [variants.plane(k - 2, variant) * lanes + 3 + variant for variant in range(2)]
    got = flipped(np.full(lanes, 300, np.uint64), offsets, k, indices, corrupt_party)
    assert np.argwhere(got).tolist() == [[0, 3], [1, 4]]


@pytest.mark.parametrize("corrupt_party", range(3))
def test_a_flipped_gate_that_is_shared_changes_all_variants(corrupt_party):
    """It moves x and x + 2^11 by 2^9, up or down as the shares have it: down past 0 and 2^11, in half of the lanes."""
    k, lanes, offsets = 12, 256, (0, 2**11)
    variants = Variants.of(k, offsets)
    indices = [variants.plane(8, 0) * lanes + lane for lane in range(lanes)]
    got = flipped(np.full(lanes, 300, np.uint64), offsets, k, indices, corrupt_party)
    assert (got[0] ^ got[1]).tolist() == [1] * lanes
    assert 64 < got[0].sum() < 192


# Which vectors are known to be shifts


START = "x = sint([5, -3, 2**40 + 1, 2**41, 2**41 + 1, -2**41, 0, 7] * 16)\nSHIFT = 2 ** 41\n"
SHOW = "print_ln('%s', y.greater_than(0, 56).reveal())\n"


@pytest.fixture
def bytes_of(tmp_path: Path) -> Callable[[str], int]:
    """What a party sends for a comparison of y, which the text makes. The outcome has to be the clear engine's."""

    def compute(text: str) -> int:
        path = tmp_path / "program.mpc"
        path.write_text(START + text + SHOW)
        program = load_program(path)
        clear = ClearMachine(program.sites, {})
        run_program(program, (), clear)

        def party(party: Party) -> tuple[int, str]:
            printed: list[str] = []
            machine = Rep3Machine(party, OwnerInput(party.party_id, None), tmp_path, printed.append)
            before = party.channel.bytes_sent
            run_program(program, (), machine)
            return party.channel.bytes_sent - before, "".join(printed)

        sent = run_in_threads(party)
        assert sent[0][1] == "".join(clear.text)
        return sent[0][0]

    return compute


@pytest.mark.parametrize(
    "text",
    [
        "y = sint.concat([x, x - SHIFT])",
        "y = sint.concat([x - SHIFT, x])",
        "y = sint.concat([x + SHIFT, x]) - SHIFT",
        "y = -3 * sint.concat([x, x - SHIFT])",
        "z = x - 3\ny = sint.concat([z, z + cint(SHIFT)])",
        "a = sint.Array(128)\na.assign_vector(x)\nz = a[:]\ny = sint.concat([z, z - SHIFT])\na.assign_all(1)",
        "a = sint.Array(128)\na.assign_vector(x)\nz = a[:]\nw = z - SHIFT\na[0] = 9\ny = sint.concat([z, w])",
        "y = sint.concat([sint.concat([x]), x - SHIFT])",
    ],
)
def test_shifts_of_one_secret_cost_less(bytes_of, text):
    assert bytes_of(text + "\n") < bytes_of("y = sint.concat([x, -x])\n")


@pytest.mark.parametrize(
    "text",
    [
        "y = sint.concat([x, sint(x) * 2 - SHIFT])",  # another secret
        "w = x - SHIFT\ny = sint.concat([x, 2 * x])",
        "y = sint.concat([x, x - sint(SHIFT)])",  # a secret number, as far as the program tells
        "y = sint.concat([x, x + cint(list(range(128)))])",  # another number for each
        "y = sint.concat([x.get_vector(0, 128), x.get_vector(0, 128) - SHIFT])",  # copies
        "a = sint.Array(128)\na.assign_vector(x)\nw = a[:] - SHIFT\na[0] = 9\ny = sint.concat([a[:], w])",  # written
        "a = sint.Array(256)\na.assign_vector(sint.concat([x, x - SHIFT]))\na[0] = 9\ny = a[:]",
        "y = sint.concat([x, x - SHIFT]) + sint.concat([x, x])",
        "y = sint.concat([x, x - SHIFT]).get_vector(0, 256)",
        "y = sint.concat([x, x - SHIFT]).get_reverse_vector()",
        "y = sint.concat([x, x - SHIFT]) * cint([1, 2] * 128)",
    ],
)
def test_what_is_no_shift_or_may_have_changed_is_compared_value_by_value(bytes_of, text):
    plain = bytes_of("y = sint.concat([x, -x])\n")
    assert bytes_of(text + "\n") == plain


def test_writing_to_shifts_drops_what_is_known_of_them():
    x = RepShare(np.zeros(3, np.uint64), np.zeros(3, np.uint64))
    moved = plus_public(x, np.broadcast_to(np.uint64(5), (3,)), 0)
    assert moved.shifts is not None
    moved[1:2] = x[1:2]
    assert moved.shifts is None


@pytest.mark.parametrize("count", [64, 65])
def test_a_plan_is_made_for_so_many_variants(count):
    """Of as many values each as would make it pay."""
    offsets = tuple(c << 41 for c in range(count))
    shared, alone = comparison.cost(0, 57, count * 4096, offsets), comparison.cost(0, 57, count * 4096)
    assert (shared.bytes_sent < alone.bytes_sent) == (count == 64)
