"""Loops and branches on public values.

Bodies run eagerly, in order, with the index as a regint, as if unrolled; what MP-SPDZ would compile to something
else is refused (python_state.py). Loops that MP-SPDZ runs in threads run here in one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mpc_tamper.core.errors import CompileTimeState, ProgramError
from mpc_tamper.engines.frontend.python_state import PythonState, check_assignments
from mpc_tamper.engines.frontend.runtime import machine, runtime
from mpc_tamper.engines.frontend.values.base import Integer, Number, read, unsupported
from mpc_tamper.engines.frontend.values.public import Public, public_int, regint

Body = Callable[..., Any]


class _Break(Exception):
    """break_loop()."""


def _run(body: Body, *args: Any, first: bool, returns: bool = False) -> Any:
    current = runtime()
    # what a body inside another changes, the outer one's first run shows too: look again only outside of loops
    code = getattr(body, "__code__", None)
    state = PythonState(body) if first and (current.depth == 0 or code not in current.watched_bodies) else None
    current.watched_bodies.add(code)
    current.depth += 1
    try:
        result = body(*args)
    finally:
        current.depth -= 1
    if state is not None:
        state.check()
    if result is not None and not returns:
        raise CompileTimeState(
            f"expected a body without a return value, got {type(result).__name__}: loops and branches return "
            "nothing; use update(), MemValue, Array or if_else"
        )
    return result


def _bounds(start: Any, stop: Any, step: Any) -> range:
    if stop is None:
        start, stop = 0, start
    stride = 1 if step is None else public_int(step)
    if stride == 0:
        raise ProgramError("expected a step other than 0")
    return range(public_int(start), public_int(stop), stride)


def _loop(body: Body, indices: Iterator[tuple[Any, ...]] | Any, *, breakable: bool = False) -> None:
    check_assignments(body)
    for number, index in enumerate(indices):
        try:
            _run(body, *index, first=number == 0)
        except _Break:
            if not breakable:
                raise unsupported("break_loop in an optimised loop") from None
            break


def for_range(start: Any, stop: Any = None, step: Any = None) -> Callable[[Body], Body]:
    indices = _bounds(start, stop, step)

    def decorator(body: Body) -> Body:
        _loop(body, ((regint(i),) for i in indices), breakable=True)
        return body

    return decorator


def for_range_opt(start: Any, stop: Any = None, step: Any = None, budget: int | None = None) -> Callable[[Body], Body]:
    """start alone may be a list of lengths, for several indices."""
    shape = start if isinstance(start, (list, tuple)) else None
    indices = _bounds(start, stop, step) if shape is None else None

    def decorator(body: Body) -> Body:
        _loop(body, _points(shape) if shape is not None else ((regint(i),) for i in indices or ()))
        return body

    return decorator


def _points(shape: Any) -> Iterator[tuple[regint, ...]]:
    lengths = [public_int(n) for n in shape]
    for number in range(math.prod(lengths)):
        index = []
        for length in reversed(lengths):
            number, remainder = divmod(number, length)
            index.append(regint(remainder))
        yield tuple(reversed(index))


def for_range_parallel(n_parallel: Any, n_loops: Any) -> Callable[[Body], Body]:
    return for_range_opt(n_loops)


@contextmanager
def _thread(n_threads: int | None) -> Iterator[None]:
    """Registers belong to a thread; with one thread the body stays in its own."""
    state = runtime()
    outer = state.tape
    if n_threads is not None and n_threads > 1:
        state.tape = state.tapes
        state.tapes += 1
    try:
        yield
    finally:
        state.tape = outer


def for_range_multithread(
    n_threads: int | None, n_parallel: Any, n_loops: Any, budget: int | None = None
) -> Callable[[Body], Body]:
    def decorator(body: Body) -> Body:
        with _thread(n_threads):
            for_range_opt(n_loops)(body)
        return body

    return decorator


def for_range_opt_multithread(n_threads: int | None, n_loops: Any, budget: int | None = None) -> Callable[[Body], Body]:
    return for_range_multithread(n_threads, None, n_loops)


def multithread(n_threads: int | None, n_items: Any = None, max_size: int | None = None) -> Callable[[Body], Body]:
    """body(base, size) for each thread's share of the items."""
    items = public_int(n_threads if n_items is None else n_items)
    threads = n_threads or 1
    limit = max_size or items

    def decorator(body: Body) -> Body:
        with _thread(n_threads):
            _loop(body, ((regint(base), size) for base, size in _shares(items, threads, limit)))
        return body

    return decorator


def _shares(items: int, threads: int, limit: int) -> Iterator[tuple[int, int]]:
    base = 0
    for thread in range(threads):
        end = base + items // threads + (thread >= threads - items % threads)
        while base < end:
            size = min(limit, end - base)
            yield base, size
            base += size


def while_do(condition: Callable[..., Any], *args: Any) -> Callable[[Body], Body]:
    """While condition() holds; with an argument, condition(arg) and arg = body(arg)."""
    if not callable(condition):
        raise ProgramError("expected a function as the condition of while_do")

    def decorator(body: Body) -> Body:
        check_assignments(body)
        state = tuple(regint(arg) for arg in args)
        first = True
        while public_int(_run(condition, *state, first=first, returns=True)):
            try:
                result = _run(body, *state, first=first, returns=bool(args))
            except _Break:
                break
            first = False
            if args:
                state = (regint(result),)
        return body

    return decorator


def do_while(body: Body) -> Body:
    """Until the body returns 0."""
    check_assignments(body)
    first = True
    while True:
        try:
            result = _run(body, first=first, returns=True)
        except _Break:
            break
        first = False
        result = result() if callable(result) else result
        if result is None:
            raise ProgramError("expected the body of do_while to return a public condition, got nothing")
        if not public_int(result):
            break
    return body


def break_loop() -> None:
    raise _Break


def _condition(condition: Any) -> bool:
    condition = read(condition() if callable(condition) else condition)
    if isinstance(condition, Number) and not isinstance(condition, Public):
        raise CompileTimeState(
            f"cannot branch on a secret value ({type(condition).__name__}): use if_else, or reveal() it first"
        )
    return bool(public_int(condition)) if isinstance(condition, Integer) else bool(condition)


def if_(condition: Any) -> Callable[[Body], None]:
    holds = _condition(condition)

    def decorator(body: Body) -> None:
        check_assignments(body)
        if holds:
            _run(body, first=True)

    return decorator


def if_e(condition: Any) -> Callable[[Body], None]:
    holds = _condition(condition)

    def decorator(body: Body) -> None:
        check_assignments(body)
        if holds:
            _run(body, first=True)
        runtime().open_branches.append(holds)

    return decorator


def else_(body: Body) -> None:
    check_assignments(body)
    branches = runtime().open_branches
    if not branches:
        raise ProgramError("expected @else_ after an @if_e")
    if not branches.pop():
        _run(body, first=True)


def start_timer(timer_id: Any = 0) -> None:
    machine().start_timer(_timer(timer_id))


def stop_timer(timer_id: Any = 0) -> None:
    machine().stop_timer(_timer(timer_id))


def _timer(timer_id: Any) -> int:
    if not isinstance(timer_id, int) or timer_id < 0:
        raise CompileTimeState(f"expected a compile-time number of a timer from 0, got {type(timer_id).__name__}")
    return timer_id
