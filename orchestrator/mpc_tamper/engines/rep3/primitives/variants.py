"""The signs of x + c for several public c at once.

A public number is added to component 0, so all variants have the same components 1 and 2, and the same low t bits of
component 0, where 2^t divides all differences of the c. Of these bits s and the majorities c_j (adder.py) are computed
once, and so are the blocks of the carry tree that lie wholly among them (variant_tree.py). The planes are

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
from mpc_tamper.engines.rep3.primitives import variant_tree
from mpc_tamper.engines.rep3.primitives.adder import planned_carries, planned_gates
from mpc_tamper.engines.rep3.primitives.carry_tree import Plan
from mpc_tamper.engines.rep3.primitives.variant_tree import Leaves
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
    def of(cls, bits: int, offsets: tuple[int, ...]) -> Variants:
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

    @property
    def tree(self) -> Plan | None:
        """None where no carry can reach the highest bit."""
        return variant_tree.plan(self.leaves) if self.leaves.count else None

    def plane(self, bit: int, variant: int) -> int:
        """Where a bit below the highest one stands."""
        return bit if bit < self.shared else bit + variant * (self.bits - 1 - self.shared)

    def gates(self) -> dict[str, int]:
        """AND gates by name, and how many planes each has; index = plane * m + value, for m values of x."""
        return planned_gates(self.majorities, self.tree)


def signs_of_variants(party: Party, x: RepShare, variants: Variants) -> Rounds[RepShare]:
    """Bit k - 1 of each variant, planes (count, words of m). x: (count * m,), one variant after the other."""
    lanes = x.shape[0] // variants.count
    s = RepShare(_planes(x.own, variants), _planes(x.previous, variants))
    c = yield from majority_planes(party, s[: variants.majorities], lanes, "csa")
    highest, a, b, tree = _entering(variants)
    signs = s[variants.majorities :] ^ c[highest]
    if tree is not None:
        signs = signs ^ concatenate((yield from planned_carries(party, s[a], c[b], tree, lanes)))
    return signs


@functools.lru_cache(maxsize=64)
def _entering(variants: Variants) -> tuple[np.ndarray, np.ndarray, np.ndarray, Plan | None]:
    """Which majorities enter the signs, and which planes of s and of the majorities the leaves of the tree."""
    highest = np.array([variants.plane(variants.bits - 2, variant) for variant in range(variants.count)], np.intp)
    standing = variants.leaves.standing()
    a, b = (np.array([variants.plane(j + above, v) for j, v in standing], np.intp) for above in (1, 0))
    return highest, a, b, variants.tree


def _planes(values: np.ndarray, variants: Variants) -> np.ndarray:
    """Of one component; in the order above."""
    m, shared, own = values.size // variants.count, variants.shared, variants.bits - 1 - variants.shared
    planes = np.empty((variants.majorities + variants.count, bit_ops.words_for(m)), np.uint64)
    for variant in range(variants.count):
        part = np.ascontiguousarray(values[variant * m : (variant + 1) * m])
        skipped = shared if variant else 0
        found = bit_ops.to_planes(part >> np.uint64(skipped), variants.bits - skipped)
        if not variant:
            planes[:shared] = found[:shared]
        first = shared + variant * own
        planes[first : first + own] = found[shared - skipped : -1]
        planes[variants.majorities + variant] = found[-1]
    return planes
