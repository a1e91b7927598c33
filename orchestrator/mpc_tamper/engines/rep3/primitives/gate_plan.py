"""Which products make the carries of a sum of two numbers, round by round: a plan of public indices, no shares.

Leaf j adds bits a_j and b_j. It generates a carry, g_j = a_j b_j, or propagates one, p_j = a_j ^ b_j. Of leaves low ..
high, P is the product of all p and G the carry out of them if none comes in. carry_tree.py finds the products.
"""

from __future__ import annotations

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
