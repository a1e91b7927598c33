"""The signs of x + c for several public c at once, or for one.

A public number is added to component 0, so all variants have the same components 1 and 2, and the same low t bits of
component 0, where 2^t divides all differences of the c. Of these bits s and the majorities c_j (adder.py) are computed
once, and so are the blocks of the carry tree that lie wholly among them (carry_tree.py). The planes are

    bits 0 .. t - 1, once;   for each variant, bits t .. k - 2;   for each variant, bit k - 1.

What a corrupt party can do. Each gate is one product of shared bits, with one message that is masked by a pad which its
receiver lacks, and which its sender may flip: the additive errors of any gate. Compare this with the same adder and
tree for each variant alone. A gate of one variant is there too, and a flip of it does the same. A shared gate is there
once for each variant, on the same bits, and a flip of it does what flips of all of these do. So whatever a corrupt
party does here it could do there; what it can no longer do is to flip a shared gate for one variant only. The proofs of
the active protocol are of products, and do not ask where a result is used.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.primitives import carry_tree
from mpc_tamper.engines.rep3.primitives.adder import planned_carries, planned_gates
from mpc_tamper.engines.rep3.primitives.carry_tree import Leaves
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.passive import majority_planes
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare, concatenate


@dataclass(frozen=True)
class Variants:
    """bits: k.  count: of variants.  shared: how many of the bits below the highest one are the same for all."""

    bits: int
    count: int
    shared: int

    @classmethod
    def of(cls, bits: int, offsets: tuple[int, ...] = (0,)) -> Variants:
        differences = 1 << (bits - 1)
        for offset in offsets:
            differences |= offset - offsets[0]
        return cls(bits, len(offsets), (differences & -differences).bit_length() - 1)

    @property
    def majorities(self) -> int:
        return self.shared + self.count * (self.bits - 1 - self.shared)

    @property
    def leaves(self) -> Leaves:
        """Leaf j adds bit j + 1 of s and majority j."""
        return Leaves(self.bits - 2, max(0, self.shared - 1), self.count)

    def plane(self, bit: int, variant: int) -> int:
        """Where a bit below the highest one stands."""
        return bit if bit < self.shared else bit + variant * (self.bits - 1 - self.shared)

    def gates(self) -> dict[str, int]:
        """AND gates by name, and how many planes each has; index = plane * m + value, for m values of x."""
        return planned_gates(self.majorities, carry_tree.plan(self.leaves) if self.leaves.count else None)


def signs_of_variants(party: Party, x: RepShare, variants: Variants) -> Rounds[RepShare]:
    """Bit k - 1 of each variant, planes (count, words of m). x: (count * m,), one variant after the other."""
    lanes = x.shape[0] // variants.count
    s = RepShare(_planes(x.own, variants), _planes(x.previous, variants))
    c = yield from majority_planes(party, s[: variants.majorities], lanes, "csa")
    places = _places(variants)
    signs = s[variants.majorities :] ^ c[places.highest]
    if variants.leaves.count:
        tree = carry_tree.plan(variants.leaves)
        signs = signs ^ concatenate((yield from planned_carries(party, s, c, places.a, places.b, tree, lanes)))
    return signs


@dataclass(frozen=True)
class _Places:
    """Indices of planes. rows: where a variant's bits go, -1 for those that stand there already.  highest: the
    majorities that enter the signs.  a, b: the planes of s and of the majorities that the tree's leaves add."""

    rows: tuple[np.ndarray, ...]
    highest: np.ndarray
    a: np.ndarray
    b: np.ndarray


@functools.lru_cache(maxsize=64)
def _places(variants: Variants) -> _Places:
    count, below = range(variants.count), range(variants.bits - 1)
    rows = [[variants.plane(bit, v) if not v or bit >= variants.shared else -1 for bit in below] for v in count]
    standing = variants.leaves.standing()
    return _Places(
        tuple(np.array([*rows[v], variants.majorities + v], np.intp) for v in count),
        np.array([variants.plane(variants.bits - 2, v) for v in count], np.intp),
        np.array([variants.plane(j + 1, v) for j, v in standing], np.intp),
        np.array([variants.plane(j, v) for j, v in standing], np.intp),
    )


def _planes(values: np.ndarray, variants: Variants) -> np.ndarray:
    """Of one component; in the order above."""
    m = values.size // variants.count
    planes = np.empty((variants.majorities + variants.count, bit_ops.words_for(m)), np.uint64)
    for variant, rows in enumerate(_places(variants).rows):
        bit_ops.planes_at(np.ascontiguousarray(values[variant * m : (variant + 1) * m]), rows, planes)
    return planes
