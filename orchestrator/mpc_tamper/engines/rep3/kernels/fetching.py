"""Lines of the cache that are fetched from memory before they are needed.

The processor foresees what is read one after the other all the time, but not what is read in turns with arithmetic, or
of rows that stand far apart. To fetch what is not there does no harm.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm

LINE = 8  # words
_AHEAD = 256  # bytes
_WORD = ir.IntType(64)
_FLAG, _POINTER = ir.IntType(32), ir.IntType(8).as_pointer()
_TO_READ, _AGAIN, _DATA = (ir.Constant(_FLAG, each) for each in (0, 2, 1))


def fetch_line(builder: Any, address: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_POINTER, _FLAG, _FLAG, _FLAG])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [builder.inttoptr(address, _POINTER), _TO_READ, _AGAIN, _DATA])


def fetch_ahead(builder: Any, address: Any, index: Any, size: int) -> None:
    """A line that is soon needed: some way behind vector `index` of those from this address on, of `size` bytes each.
    Of many rows that are read in turns, the processor foresees none."""
    place = builder.mul(builder.add(index, ir.Constant(_WORD, _AHEAD // size)), ir.Constant(_WORD, size))
    fetch_line(builder, builder.add(address, place))


@in_llvm
def fetch(typing_context: Any, address: Any) -> Any:
    """The line at this address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        fetch_line(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.uintp), codegen
