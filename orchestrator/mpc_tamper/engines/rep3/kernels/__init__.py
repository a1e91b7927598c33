"""Arrays in, arrays out: no I/O, no randomness, no party. Integers are uint64 modulo 2^64.

Numba and the kernels take most of a second to load, so each module is imported when a kernel of it is first called.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.rep3.kernels.compilation import compiled_once
from mpc_tamper.runs.protocols import ProtocolName

_PASSIVE = ("matmul", "bit_ops")
_ACTIVE = ("clmul", "lanes", "binary_field", "subsets", "ring_128")

SUBSETS = 48  # of gates, for the proof of products: here, as kernels load late
# The words of a program that make it likely to multiply matrices, and to look at bits: to compare, shift or round.
_MATRIX_WORDS = {"Matrix", "MultiArray", "direct_mul", "direct_trans_mul", "dot", "trans_mul"}
_BIT_WORDS = {
    *("sfix", "cfix", "greater_than", "greater_equal", "less_than", "less_equal", "equal", "not_equal", "right_shift"),
    *("max", "min", "abs", "bit_decompose", "round", "sort", "if_else"),
}


class _WhenUsed:
    """Stands for a module of kernels; imports it when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_import(self._name), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(_import(self._name), attribute, value)


_WHEN_USED = {name: _WhenUsed(name) for name in (*_PASSIVE, *_ACTIVE)}


def __getattr__(name: str) -> Any:
    """What `from kernels import matmul` finds until the module itself is there."""
    try:
        return _WHEN_USED[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def load(names: Iterable[str]) -> None:
    """Import these modules now; what Numba's cache on disk does not hold yet is compiled."""
    for name in names:
        _import(name)


def loaded() -> list[str]:
    """The modules of kernels that this process has imported."""
    return [name for name in _WHEN_USED if f"{__name__}.{name}" in sys.modules]


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
        names += ["lanes", "binary_field"] * bits + ["subsets", "ring_128"] * products
    return names


def _looks_at_bits(node: ast.AST) -> bool:
    """x >> n, x < y and the like, but for membership and identity, which are Python's own affair."""
    if isinstance(node, ast.Compare):
        return not all(isinstance(op, (ast.In, ast.NotIn, ast.Is, ast.IsNot)) for op in node.ops)
    return isinstance(node, ast.RShift)


@cache
def _import(name: str) -> Any:
    """The module. Kept, as Python takes longer to find a loaded module than a small kernel takes."""
    module = f"{__name__}.{name}"
    if module in sys.modules:
        return importlib.import_module(module)
    try:
        with compiled_once(name):
            return importlib.import_module(module)
    except (OSError, ImportError, MemoryError) as exc:  # where memory is short, llvmlite says that a library is missing
        raise EngineUnavailable(
            f"expected to load the compiled kernels {name}, got: {exc or 'not enough memory'}; free some memory, or "
            "where there is enough, install numba again"
        ) from exc
