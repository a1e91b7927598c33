"""Carries of one sum, or of several whose low leaves are the same, with few products in as few rounds as they can have.

Each variant, one of the sums, has leaves of its own above the shared ones. A block of leaves that are all shared stands
once, any other block once for each variant. In the terms of gate_plan.py, a block is cut in two,

    G(low .. high) = G(upper) ^ P(upper) G(lower),        P(low .. high) = P(upper) P(lower),

or, as leaf q is its top and p_q = a_q ^ b_q, without the product g_q:

    G(low .. q) = a_q ^ p_q (a_q ^ G(low .. q - 1)).

Where to cut is found by dynamic programming: the fewest products so that the carry is there in ceil(log2(leaves + 1))
rounds. This is what its degree, leaves + 1 in a and b, allows. Sklansky's tree (1960) first makes all g and then
doubles spans: it takes a fifth to a third more products, and a round more unless the number of leaves is a power of
two.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

from mpc_tamper.engines.rep3.primitives.gate_plan import ZERO, Node, Plan, Product, indexed


@dataclass(frozen=True)
class Leaves:
    """count: of each variant, from 0.  shared: so many of them, the lowest, are the same for all variants."""

    count: int
    shared: int
    variants: int

    def standing(self) -> list[tuple[int, int]]:
        """(leaf, variant) in the order in which they stand in a plan; a shared one stands once."""
        own = range(self.shared, self.count)
        return [(j, 0) for j in range(self.shared)] + [(j, v) for v in range(self.variants) for j in own]

    def index(self, leaf: int, variant: int) -> int:
        """Where it stands."""
        return leaf if leaf < self.shared else leaf + variant * (self.count - self.shared)

    def times(self, high: int) -> int:
        """How often a block stands whose highest leaf this is."""
        return 1 if high < self.shared else self.variants


class _Block(NamedTuple):
    """Leaves low .. high. carry: the last round in which G may be made.  product: the same of P, None if not wanted."""

    low: int
    high: int
    carry: int
    product: int | None

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    def upper(self, middle: int) -> _Block:
        """The leaves from `middle` on. Their G is added to the rest, their P multiplied by what the rest gives."""
        product = self.carry - 1 if self.product is None else min(self.carry, self.product) - 1
        return _Block(middle, self.high, self.carry, product)

    def lower(self, middle: int) -> _Block:
        return _Block(self.low, middle - 1, self.carry - 1, None if self.product is None else self.product - 1)

    def middles(self) -> range:
        """Where a block of two leaves or more that has the rounds it needs may be cut so that both parts do."""
        upper, lower = self.upper(self.high).product, self.lower(self.high)
        assert upper is not None
        most = (1 << lower.carry) - 1 if lower.product is None else min((1 << lower.carry) - 1, 1 << lower.product)
        return range(max(self.low + 1, self.high + 1 - (1 << upper)), min(self.high, self.low + most) + 1)


_ALIKE = Leaves(64, 64, 1)  # blocks of leaves that stand equally often are cut alike, and as these


@functools.lru_cache(maxsize=1 << 16)
def _best(leaves: Leaves, block: _Block) -> tuple[float, int]:
    """How many products a block takes, all variants together, and where its upper block begins.

    Infinitely many where the rounds do not suffice.
    """
    late = block.product is not None and (block.product < 0 or block.size > 1 << block.product)
    if late or block.carry < 1 or block.size >= 1 << block.carry:
        return math.inf, block.low
    if block.size == 1:
        return leaves.times(block.high), block.low
    alike = leaves == _ALIKE or not block.low < leaves.shared <= block.high
    if alike and (leaves != _ALIKE or block.low > 0):
        products, middle = _best(_ALIKE, _Block(0, block.size - 1, block.carry, block.product))
        return leaves.times(block.high) * products, block.low + middle
    return min(_cut(leaves, block, middle) for middle in block.middles())


def _cut(leaves: Leaves, block: _Block, middle: int) -> tuple[float, int]:
    joined = leaves.times(block.high) * (1 + (block.product is not None))
    saved = leaves.times(middle) if _takes_no_g(leaves, block, middle) else 0
    upper = _best(leaves, block.upper(middle))[0]
    lower = _best(leaves, block.lower(middle))[0] if upper < math.inf else math.inf
    return upper + lower + joined - saved, middle


def _takes_no_g(leaves: Leaves, block: _Block, middle: int) -> bool:
    """Whether a_q is added to the carry below leaf q; not to one that other variants need without it."""
    return middle == block.high and leaves.times(middle - 1) == leaves.times(middle)


@functools.lru_cache(maxsize=256)
def plan(leaves: Leaves, *outputs: int) -> Plan:
    """The carries out of these leaves, or out of the highest one, of each variant; there is at least one leaf."""
    found, rounds = _Products(leaves), leaves.count.bit_length()
    outputs, variants = outputs or (leaves.count - 1,), range(leaves.variants)
    # The longest first: it may need a shorter one early, and that one would be made twice.
    nodes = {
        (q, variant): found.carry(_Block(0, q, rounds, None), variant)
        for q in sorted(outputs, reverse=True)
        for variant in variants
    }
    carries = [nodes[q, variant] for variant in variants for q in outputs]
    return indexed(found.by_rounds(), len(leaves.standing()), carries, list(found.sums))


class _Products:
    """The products of the blocks that are cut in this way. Nodes name leaves by where they stand."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._made: dict[Node, tuple[int, Product]] = {}
        self.sums: dict[Node, None] = {}  # in order

    def by_rounds(self) -> list[list[Product]]:
        last = max(number for number, _ in self._made.values())
        in_order = sorted(self._made.values(), key=lambda each: each[1].node)
        return [[product for when, product in in_order if when == number] for number in range(1, last + 1)]

    def carry(self, block: _Block, variant: int, above: bool = False) -> Node:
        """G of the block. above: with the a of the leaf above it added to it."""
        node = self._node("H" if above else "G", block, variant)
        if self._in_time(node, block.carry):
            return node
        added = [self._leaf("a", block.high + 1, variant)] if above else []
        factors: list[tuple[Node, Node]] = []
        rest = block
        while rest.size > 1:
            middle = _best(self._leaves, rest)[1]
            if _takes_no_g(self._leaves, rest, middle):
                top = rest.high
                added.insert(0, self._leaf("a", top, variant))
                factors.append((self._leaf("P", top, variant), self.carry(rest.lower(middle), variant, above=True)))
                break
            factors.append((self._product(rest.upper(middle), variant), self.carry(rest.lower(middle), variant)))
            rest = rest.upper(middle)
        else:
            factors.append((self._leaf("a", rest.high, variant), self._leaf("b", rest.high, variant)))
        return self._add(Product(node, self._sum(added), tuple(factors)))

    def _product(self, block: _Block, variant: int) -> Node:
        if block.size == 1:
            return self._leaf("P", block.high, variant)
        assert block.product is not None
        node = self._node("P", block, variant)
        if self._in_time(node, block.product):
            return node
        middle = _best(self._leaves, block)[1]
        factors = self._product(block.upper(middle), variant), self._product(block.lower(middle), variant)
        return self._add(Product(node, ZERO, (factors,)))

    def _in_time(self, node: Node, last: int) -> bool:
        """Whether it is made already, in that round or before."""
        return node in self._made and self._made[node][0] <= last

    def _add(self, product: Product) -> Node:
        """In the first round in which it can be made."""
        before = [self._made[node][0] for factors in product.factors for node in factors if node in self._made]
        self._made[product.node] = 1 + max(before, default=0), product
        return product.node

    def _node(self, kind: str, block: _Block, variant: int) -> Node:
        return kind, self._leaves.index(block.low, variant), self._leaves.index(block.high, variant)

    def _leaf(self, kind: str, leaf: int, variant: int) -> Node:
        index = self._leaves.index(leaf, variant)
        return kind, index, index

    def _sum(self, planes: list[Node]) -> Node:
        """Of no plane, of one, or of two."""
        if len(planes) < 2:
            return planes[0] if planes else ZERO
        node = ("sum", planes[0][1], planes[1][1])
        self.sums[node] = None
        return node
