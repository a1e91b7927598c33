"""Which products make the carries of a sum of two numbers, round by round: a plan of public indices, no shares.

Leaf j adds bits a_j and b_j. It generates a carry, g_j = a_j b_j, or propagates one, p_j = a_j ^ b_j. Of leaves low ..
high, P is the product of all p, and for adjacent blocks

    G(low .. high) = G(upper) ^ P(upper) G(lower).

p takes no round and g takes one, so after r rounds a P can span 2^r leaves and a G

    G(upper) ^ P(upper) g(middle) ^ P(upper, middle) G(lower):   (2^(r-1) - 1) + 1 + (2^(r-1) - 1) = 2^r - 1.

This is what the degree allows, 2^r in a and b. Sklansky's tree (1960), which first makes all g and then doubles spans,
has 2^(r-1) leaves. Only where the number of leaves is a power of two does it take no more rounds, and it sends
less there.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# What stands for a plane: a or b of a leaf, and P or G of the leaves low .. high.
Node = tuple[str, int, int]
ZERO: Node = ("zero", 0, 0)


@dataclass(frozen=True)
class Product:
    """node = onto ^ the sum of left times right over factors."""

    node: Node
    onto: Node
    factors: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class Round:
    """Indices of planes. Products left * right: the first of them, each with its `onto`, make the planes from `new` on;
    what is left over is added to the planes `again`."""

    left: np.ndarray
    right: np.ndarray
    new: int
    onto: np.ndarray
    again: np.ndarray


@dataclass(frozen=True)
class Plan:
    """planes: how many. The first are a of all leaves, then b, p, a plane of zeros, and sums of two a each.

    carries: where G(0 .. q) of each output q stands at the end.  sums: the indices of what is added, (2, sums).
    """

    rounds: tuple[Round, ...]
    planes: int
    carries: np.ndarray
    sums: np.ndarray


@functools.lru_cache(maxsize=256)
def plan(leaves: int, outputs: tuple[int, ...]) -> Plan:
    """The carries out of leaf q for each q of outputs, all below `leaves`, of which there is at least one."""
    if leaves.bit_length() < 1 + (leaves - 1).bit_length():
        products = _least_depth(outputs)
    else:
        products = _sklansky(leaves, outputs)
    return indexed(products, leaves, [("G", 0, q) for q in outputs])


def indexed(products: list[list[Product]], leaves: int, outputs: list[Node], sums: Sequence[Node] = ()) -> Plan:
    """The plan of these products, round by round. sums: (_, j, l) is a_j ^ a_l."""
    indices = {(kind, j, j): i * leaves + j for i, kind in enumerate("abP") for j in range(leaves)}
    for node in (ZERO, *sums):
        indices[node] = len(indices)
    rounds = tuple(_indexed(each, indices) for each in products)
    carries = np.array([indices[node] for node in outputs], np.intp)
    return Plan(rounds, len(indices), carries, np.array([node[1:] for node in sums], np.intp).reshape(-1, 2).T.copy())


def _indexed(products: list[Product], indices: dict[Node, int]) -> Round:
    """Gives the new planes the next indices."""
    new = len(indices)
    for product in products:
        indices[product.node] = len(indices)
    more = [(product.node, factors) for product in products for factors in product.factors[1:]]
    factors = [product.factors[0] for product in products] + [each for _, each in more]

    def of(nodes: list[Node]) -> np.ndarray:
        return np.array([indices[node] for node in nodes], np.intp)

    return Round(
        left=of([left for left, _ in factors]),
        right=of([right for _, right in factors]),
        new=new,
        onto=of([product.onto for product in products]),
        again=of([node for node, _ in more]),
    )


def _generate(leaf: int) -> Product:
    return Product(("G", leaf, leaf), ZERO, ((("a", leaf, leaf), ("b", leaf, leaf)),))


def _least_depth(outputs: tuple[int, ...]) -> list[list[Product]]:
    made: dict[Node, tuple[int, Product]] = {}

    def carry(low: int, high: int) -> Node:
        node, size = ("G", low, high), high - low + 1
        if node in made:
            return node
        number = size.bit_length()
        most = (1 << (number - 1)) - 1  # that a carry spans a round earlier
        middle = low + most  # the first leaf above the lower block
        if size == 1:
            product = _generate(low)
        elif size <= 2 * most:
            factors = ((propagate(middle, high), carry(low, middle - 1)),)
            product = Product(node, carry(middle, high), factors)
        else:
            first = propagate(middle + 1, high), carry(middle, middle)
            second = propagate(middle, high), carry(low, middle - 1)
            product = Product(node, carry(middle + 1, high), (first, second))
        made[node] = number, product
        return node

    def propagate(low: int, high: int) -> Node:
        node, size = ("P", low, high), high - low + 1
        if size > 1 and node not in made:
            number = (size - 1).bit_length()
            cut = high + 1 - (1 << (number - 1))
            made[node] = number, Product(node, ZERO, ((propagate(cut, high), propagate(low, cut - 1)),))
        return node

    for q in outputs:
        carry(0, q)
    last = max(number for number, _ in made.values())
    in_order = sorted(made.values(), key=lambda each: each[1].node)
    return [[product for when, product in in_order if when == number] for number in range(1, last + 1)]


def _sklansky(leaves: int, outputs: tuple[int, ...]) -> list[list[Product]]:
    """After level l, leaf q spans the leaves from the start of its block of 2^(l + 1) up to q."""
    levels = _targets(leaves, outputs)
    rounds = [[_generate(j) for j in range(leaves)]] if leaves else []
    for level, targets in enumerate(levels):
        pairs = [(q, q >> level << level) for q in targets]
        carries = [_joined("G", level, q, start) for q, start in pairs]
        # Blocks that do not reach down to leaf 0 need their P.
        rounds.append(carries + [_joined("P", level, q, start) for q, start in pairs if q >> (level + 1)])
    return [each for each in rounds if each]


def _joined(kind: str, level: int, q: int, start: int) -> Product:
    low = start - (1 << level)
    upper = ("P", start, q)
    onto: Node = ("G", start, q) if kind == "G" else ZERO
    return Product((kind, low, q), onto, ((upper, (kind, low, start - 1)),))


def _targets(leaves: int, outputs: tuple[int, ...]) -> list[list[int]]:
    """The nodes of Sklansky's tree that the outputs need: per level, the leaves whose block is extended downward."""
    needed = set(outputs)
    levels: list[list[int]] = []
    for level in reversed(range(max(0, (leaves - 1).bit_length()))):
        levels.append(sorted(q for q in needed if q >> level & 1))
        needed |= {(q >> level << level) - 1 for q in levels[-1]}
    return levels[::-1]
