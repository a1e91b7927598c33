"""Loops, branches, output, timers. Every expectation was printed by MP-SPDZ v0.4.2 (replicated-ring, -R 64)."""

from __future__ import annotations

from collections.abc import Callable

from mpc_tamper.runs.result import RunResult

PROGRAM = """
a = sint.Array(4)
a.assign_all(0)
x = regint(0)
total = sint(0)
@for_range(4)
def _(i):
    a[i] = a[i] + i * i
    x.update(x + i)
    total.update(total + a[i])
print_ln('%s %s %s', a.reveal(), x, total.reveal())

@for_range(10, 0, -3)
def _(j):
    print_str('%s ', j)
print_ln()

@for_range(2, regint(5))
def _(j):
    print_str('%s,', j)
print_ln()

@for_range_opt([2, 3])
def _(j, k):
    print_str('%s%s ', j, k)
print_ln()

count = MemValue(0)
@for_range_opt(7)
def _(i):
    count.iadd(i)
@for_range_parallel(2, 5)
def _(i):
    count.iadd(10)
print_ln('%s', count)

@for_range_opt_multithread(2, 3)
def _(j):
    a[j] = 100 * j
@for_range_multithread(2, 1, 2)
def _(j):
    a[j] = a[j] + 1
@multithread(2, 4)
def _(base, size):
    a.assign_vector(a.get_vector(base, size) + 1, base)
print_ln('%s', a.reveal())

M = sint.Matrix(3, 3)
@for_range(3)
def _(i):
    @for_range_opt(3)
    def _(j):
        M[i][j] = i * 10 + j
print_ln('%s', M.reveal())

@for_range(5)
def _(i):
    @if_(i > 2)
    def _():
        break_loop()
    print_str('%s;', i)
print_ln()

i = regint(0)
@while_do(lambda: i < 3)
def _():
    i.update(i + 1)
print_ln('%s', i)
@while_do(lambda k: k < 40, regint(5))
def _(k):
    print_str('%s ', k)
    return k * 2
@do_while
def _():
    i.update(i + 1)
    return i < 6
print_ln('%s', i)

@if_(cint(4) == 4)
def _():
    print_ln('yes')
@if_(cint(4) < 4)
def _():
    print_ln('no')
y = MemValue(0)
@if_e(regint(3) > 4)
def _():
    y.write(1)
@else_
def _():
    y.write(2)
@if_e(True)
def _():
    y.write(y + 10)
@else_
def _():
    y.write(0)
print_ln('%s', y)

for n in range(2):
    @if_(x == 6)
    def _():
        print_str('n%s ', n)
print_ln()

print_ln_if(cint(1), 'shown %s and %s', cint(-3), a.reveal())
print_ln_if(regint(0), 'hidden')
print_ln_if(cint(5) > 4, 'shown %s %s %s', cfix(1.5), 'text', [1, cint(2)])
cfix.set_precision(16, 40)
print_ln_if(cint(1), '%s %s', regint.inc(3, 4), cfix(2**14) * cfix(2**16))
print_str('no newline %s;', cint(4))
print_ln()
print_ln('100%')
print_ln('%s %s %s %s', True, None, 'text', 2)
runtime_error_if(cint(0), 'no %s', 4)
crash(regint(0))
start_timer(1)
stop_timer(1)
start_timer(2)
start_timer(1)
stop_timer(2)
stop_timer(1)
"""

PRINTED = """[0, 1, 4, 9] 6 14
10 7 4 1 
2,3,4,
00 01 02 10 11 12 
71
[2, 102, 201, 10]
[[0, 1, 2], [10, 11, 12], [20, 21, 22]]
0;1;2;
3
5 10 20 6
yes
12
n0 n1 
shown -3 and [2, 102, 201, 10]
shown 1.5 text [1, 2]
[4, 5, 6] 1.07374e+09
no newline 4;
100%
True None text 2
"""  # noqa: W291, as printed


def test_prints_what_mp_spdz_prints(run_source: Callable[..., RunResult]) -> None:
    assert list(run_source(PROGRAM).lines) == PRINTED.splitlines()


def test_arguments(run_source: Callable[..., RunResult]) -> None:
    source = "print_ln('%s', program.args[1:])\nprint_ln('%s', len(get_program().args))\n"
    assert run_source(source, "rows=3", "loss=hinge").lines == ("[rows=3, loss=hinge]", "3")
