"""Kernels whose work helpers share, without Python in between: to hand it over takes a microsecond.

A kernel cuts its work into parts and leaves a note of it in memory, which all helpers watch. Whoever is free takes the
next part, the caller among them, until none is left. Then the note is withdrawn, and the caller waits for those who are
still at a part, or at the step before one. So a helper that sleeps, or that the system does not run, holds nobody up.
Helpers that have had nothing to do for a while sleep until there is another note.

Only one thread at a time has its work shared. If another one comes meanwhile, it does its own by itself.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, part_of_kernels

# The note's words, each in a line of the cache that others do not write to meanwhile.
_LINE = 8
_BUSY, _JOB, _ENTRY, _FRAME, _INSIDE, _COUNT, _STOP = (_LINE * i for i in (0, 1, 2, 2, 3, 4, 5))
_FRAME += 1
_HELPERS = _LINE * 6  # of each helper, whether it sleeps and what wakes it
_ASLEEP, _PIPE = 0, 1
_PARTS = 8  # to a thread: some are slower than others
# Pauses until others get this core, and how often that until a helper sleeps. Together one to three milliseconds where
# a pause takes some dozens of cycles, and less elsewhere: in a training there is Python for that long between two
# kernels, and a core that sleeps takes long to wake.
_PAUSES, _TURNS = 64, 1000
_WITH_PAUSE = ("x86_64", "AMD64")
_FAILED = "expected memory for the work of a kernel, got none; free some"
_WORD, _INT, _BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
_ENTRY_KIND = ir.FunctionType(ir.VoidType(), [_BYTES, _WORD])
_A, _I = types.uintp, types.int64
NOTE = _I  # the type of a kernel's first argument


def new_note(count: int) -> np.ndarray:
    """For so many threads, the caller among them. Its memory is never freed: helpers look at it until the process ends,
    and callers know no more of it than its address."""
    words = np.zeros(_HELPERS + _LINE * (count + 1), np.uint64)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(words))
    return words[-(words.ctypes.data >> 3) % _LINE :]


def begin(note: np.ndarray, count: int) -> None:
    """count: how many threads there are, the caller among them."""
    note[_COUNT] = count


def enrol(note: np.ndarray, who: int, pipe: int) -> None:
    """who: from 1.  pipe: what to write to, while this helper sleeps at the other end."""
    note[_HELPERS + _LINE * (who - 1) + _PIPE] = pipe


def _atomic(operation: Callable[[Any, Any, list[Any]], Any], result: Any, *arguments: Any) -> Any:
    """An intrinsic of a word's address and others."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = builder.inttoptr(values[0], _WORD.as_pointer())
        found = operation(builder, word, values[1:])
        return context.get_dummy_value() if result is types.void else found

    return result(_A, *arguments), codegen


@in_llvm
def _load(typing_context: Any, word: Any) -> Any:
    return _atomic(lambda builder, word, _: builder.load_atomic(word, "seq_cst", 8), _I)


@in_llvm
def _exchange(typing_context: Any, word: Any, value: Any) -> Any:
    return _atomic(lambda builder, word, values: builder.atomic_rmw("xchg", word, values[0], "seq_cst"), _I, _I)


@in_llvm
def _add(typing_context: Any, word: Any, value: Any) -> Any:
    return _atomic(lambda builder, word, values: builder.atomic_rmw("add", word, values[0], "seq_cst"), _I, _I)


@in_llvm
def _pause(typing_context: Any) -> Any:
    """For a moment, in which another thread of this core goes on, where the processor has an instruction for that."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine() in _WITH_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@in_llvm
def _let_others(typing_context: Any) -> Any:
    """Whom the system has waiting for this core."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_INT, [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


def _transfer(name: str) -> Any:
    """read or write a byte."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_INT, _BYTES, _WORD])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        byte = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(8), 0))
        handle = builder.trunc(arguments[0], _INT)
        return builder.call(function, [handle, byte, ir.Constant(_WORD, 1)])

    return _I(_I), codegen


@in_llvm
def _read(typing_context: Any, pipe: Any) -> Any:
    return _transfer("read")


@in_llvm
def _write(typing_context: Any, pipe: Any) -> Any:
    return _transfer("write")


@in_llvm
def _call(typing_context: Any, entry: Any, frame: Any, who: Any) -> Any:
    """Take parts until none is left."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entry, frame, who = arguments
        function = builder.inttoptr(entry, _ENTRY_KIND.as_pointer())
        builder.call(function, [builder.inttoptr(frame, _BYTES), who])
        return context.get_dummy_value()

    return types.void(_A, _A, _I), codegen


@part_of_kernels
def _word(note: int, index: int) -> Any:
    return _A(note) + _A(8 * index)


def _share(note: int, entry: int, frame: int) -> None:
    """What a kernel's caller does; in_parts has it compiled into the kernel."""
    if note == 0 or _exchange(_word(note, _BUSY), _I(1)) != 0:
        _call(entry, frame, _I(0))
        return
    _exchange(_word(note, _ENTRY), _I(entry))
    _exchange(_word(note, _FRAME), _I(frame))
    job = _add(_word(note, _JOB), _I(1)) + 1  # odd: there is something to do
    for helper in range(_load(_word(note, _COUNT)) - 1):
        _wake(note, _HELPERS + _LINE * helper)
    _call(entry, frame, _I(0))
    _exchange(_word(note, _JOB), job + 1)
    turns = 0
    while _load(_word(note, _INSIDE)) != 0:
        _pause()
        turns += 1
        if turns % _PAUSES == 0:
            _let_others()
    _exchange(_word(note, _BUSY), _I(0))


@part_of_kernels
def _wake(note: int, helper: int) -> None:
    if _load(_word(note, helper + _ASLEEP)) != 0 and _exchange(_word(note, helper + _ASLEEP), _I(0)) != 0:
        _write(_load(_word(note, helper + _PIPE)))


@part_of_kernels
def _sleep(note: int, helper: int, pipe: int, seen: int) -> bool:
    """Until there is another note; False if the pipe is closed. Whoever takes back that the helper sleeps writes a
    byte, unless it is the helper."""
    _exchange(_word(note, helper + _ASLEEP), _I(1))
    job = _load(_word(note, _JOB))
    news = (job % 2 == 1 and job != seen) or _load(_word(note, _STOP)) != 0
    if news and _exchange(_word(note, helper + _ASLEEP), _I(0)) != 0:
        return True
    return bool(_read(pipe) == 1)


@kernel(types.void(_I, _I, _I))
def help_others(note: int, who: int, pipe: int) -> None:
    """What a helper does until it is to stop. pipe: to read from."""
    seen = turns = 0
    helper = _HELPERS + _LINE * (who - 1)
    while _load(_word(note, _STOP)) == 0:
        job = _load(_word(note, _JOB))
        if job % 2 == 1 and job != seen:
            _add(_word(note, _INSIDE), _I(1))
            if _load(_word(note, _JOB)) == job:
                seen = job
                _call(_A(_load(_word(note, _ENTRY))), _A(_load(_word(note, _FRAME))), who)
            _add(_word(note, _INSIDE), _I(-1))
            turns = 0
        _pause()
        turns += 1
        if turns % _PAUSES == 0:
            _let_others()
        if turns == _PAUSES * _TURNS:
            if not _sleep(note, helper, pipe, seen):
                return
            turns = 0


@kernel(types.void(_I))
def stop(note: int) -> None:
    _exchange(_word(note, _STOP), _I(1))
    for helper in range(_load(_word(note, _COUNT)) - 1):
        _wake(note, _HELPERS + _LINE * helper)


@part_of_kernels
def threads_of(note: int) -> int:
    """How many share work that is noted there."""
    return _load(_word(note, _COUNT)) if note else 1


def _parts_for(note: int, units: int) -> int:
    return min(units, _PARTS * threads_of(note)) if note else 1


@in_llvm
def in_parts(typing_context: Any, body: Any, note: Any, size: Any, unit: Any, arguments: Any) -> Any:
    """body(who, first, last, *arguments) for the parts first .. last - 1 of 0 .. size - 1.

    body: a part_of_kernels that returns nothing.  note: the address of one, or 0 where nobody helps, and all is one
    part.  unit: where parts begin, multiples of this.  who: 0 for the caller, or which helper it is: no two write to
    what a body keeps by it. Raises MemoryError, the one thing that bodies may raise.
    """
    if not isinstance(body, types.Dispatcher):
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _, note, size, unit, tuple_ = values
        compiled = body.dispatcher.get_compile_result(types.void(_I, _I, _I, *arguments.types))
        context.add_linking_libs((compiled.library,))
        entry = _entry(context, builder, compiled, tuple_.type)
        units = builder.sdiv(builder.sub(builder.add(size, unit), ir.Constant(_WORD, 1)), unit)
        parts = context.compile_internal(builder, _parts_for, _I(_I, _I), [note, units])
        frame = cgutils.alloca_once(builder, _frame_kind(tuple_.type))
        nothing = ir.Constant(_WORD, 0)
        for place, value in enumerate((nothing, nothing, size, unit, units, parts, tuple_)):
            builder.store(value, cgutils.gep_inbounds(builder, frame, 0, place))
        places = [builder.ptrtoint(entry, _WORD), builder.ptrtoint(frame, _WORD)]
        context.compile_internal(builder, _share, types.void(_I, _A, _A), [note, *places])
        failed = builder.load(cgutils.gep_inbounds(builder, frame, 0, 1))
        with cgutils.if_unlikely(builder, builder.icmp_signed("!=", failed, nothing)):
            context.call_conv.return_user_exc(builder, MemoryError, (_FAILED,))
        return context.get_dummy_value()

    return types.void(body, _I, _I, _I, arguments), codegen


def _frame_kind(of_arguments: Any) -> Any:
    """What has been taken, whether a part failed, the size, the unit, how many units and parts there are, and what
    else the body gets."""
    return ir.LiteralStructType([_WORD] * 6 + [of_arguments])


def _entry(context: Any, outer: Any, compiled: Any, of_arguments: Any) -> Any:
    """A function of a frame and of who takes parts of it."""
    module = outer.module
    function = ir.Function(module, _ENTRY_KIND, module.get_unique_name("parts_of_" + compiled.fndesc.llvm_func_name))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    frame = builder.bitcast(function.args[0], _frame_kind(of_arguments).as_pointer())
    taken, failed, *others = (cgutils.gep_inbounds(builder, frame, 0, place) for place in range(7))
    size, unit, units, parts, arguments = map(builder.load, others)
    begin, work, end = (builder.append_basic_block() for _ in range(3))
    builder.branch(begin)
    builder.position_at_end(begin)
    part = builder.atomic_rmw("add", taken, ir.Constant(_WORD, 1), "seq_cst")
    builder.cbranch(builder.icmp_signed("<", part, parts), work, end)
    builder.position_at_end(work)

    def bound(part: Any) -> Any:
        place = builder.mul(builder.sdiv(builder.mul(units, part), parts), unit)
        return builder.select(builder.icmp_signed("<", place, size), place, size)

    first, last = bound(part), bound(builder.add(part, ir.Constant(_WORD, 1)))
    values = [function.args[1], first, last, *cgutils.unpack_tuple(builder, arguments)]
    status, _ = context.call_internal_no_propagate(builder, compiled.fndesc, compiled.signature, values)
    with cgutils.if_unlikely(builder, status.is_error):
        builder.store(ir.Constant(_WORD, 1), failed)
    builder.branch(begin)
    builder.position_at_end(end)
    builder.ret_void()
    return function
