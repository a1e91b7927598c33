"""Arrays in, arrays out: no I/O, no randomness, no party. Integers are uint64 modulo 2^64.

Numba and the kernels take most of a second to load, so each module is imported when a kernel of it is first called.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from mpc_tamper.engines.kernels import MATMUL, Modules
from mpc_tamper.engines.kernels.elsewhere import Say, notify
from mpc_tamper.runs.protocols import ProtocolName

_OF_BITS, _OF_GATES, _OF_MATRICES = (
    ("lanes", "binary_field"),
    ("ring_128", "gate_sums", "gate_rows"),
    ("subsets", "matrices"),
)
_OWN = ("bit_ops", "clmul", "recording", *_OF_BITS, *_OF_GATES, *_OF_MATRICES)
ALL = ("matmul", *_OWN)
_MODULES = Modules({"matmul": MATMUL, **{name: f"{__name__}.{name}" for name in _OWN}})

SUBSETS = 48  # of gates, for the proof of products: here, as kernels load late
# The words of a program that make it likely to multiply matrices, and to look at bits: to compare, shift or round.
_MATRIX_WORDS = {"Matrix", "MultiArray", "direct_mul", "direct_trans_mul", "dot", "trans_mul"}
_BIT_WORDS = {
    *("sfix", "cfix", "greater_than", "greater_equal", "less_than", "less_equal", "equal", "not_equal", "right_shift"),
    *("max", "min", "abs", "bit_decompose", "round", "sort", "if_else"),
}


def __getattr__(name: str) -> Any:
    """What `from kernels import subsets` finds until the module itself is there."""
    return _MODULES.when_used(__name__, name)


def compile_missing(names: Iterable[str], say: Say = notify) -> None:
    """Have a process of its own compile what Numba's cache on disk does not hold yet. say: told what it has come to."""
    _MODULES.compile_missing(names, say)


def load(names: Iterable[str]) -> None:
    """Import these modules now; what is not on disk yet is compiled first."""
    _MODULES.load(names)


def loaded() -> list[str]:
    """The modules of kernels that this process has imported."""
    return _MODULES.loaded()


def foreseen(source: str, protocol: ProtocolName) -> list[str]:
    """The modules that a program is going to use, by its words: a guess, which being wrong costs time alone."""
    nodes = list(ast.walk(ast.parse(source)))
    words = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    words |= {node.id for node in nodes if isinstance(node, ast.Name)}
    matrices = not words.isdisjoint(_MATRIX_WORDS) or any(isinstance(node, ast.MatMult) for node in nodes)
    bits = not words.isdisjoint(_BIT_WORDS) or any(map(_looks_at_bits, nodes))
    names = ["matmul"] * matrices + ["bit_ops"] * bits
    if protocol == ProtocolName.MAL_REP_RING:
        products = matrices or bits or any(isinstance(node, ast.Mult) for node in nodes)
        names += ["recording"] * products + [*_OF_BITS] * bits
        names += [*_OF_GATES] * products + [*_OF_MATRICES] * matrices
    return names


def _looks_at_bits(node: ast.AST) -> bool:
    """x >> n, x < y and the like, but for membership and identity, which are Python's own affair."""
    if isinstance(node, ast.Compare):
        return not all(isinstance(op, (ast.In, ast.NotIn, ast.Is, ast.IsNot)) for op in node.ops)
    return isinstance(node, ast.RShift)
