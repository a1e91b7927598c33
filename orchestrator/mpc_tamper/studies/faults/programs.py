"""Random .mpc programs from a small grammar, whose results the clear engine knows.

A program reads numbers of one to three owners into arrays, changes them step by step in a loop, opens some of what it
has, and may leave shares in a file. Every value stays within +-2^20: after a product comes a shift that brings it back.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

_LARGEST_INPUT = 1000
_PRODUCT_BITS = 12  # that a shift takes off a product of two values, which stay below 2^20 so
_VALUES = 16  # of an array: 4 x 4 where it is taken for a matrix
_SIDE = 4
_STEPS = (
    "x.assign_vector((x[:] * y[:]).right_shift({product}, 63))",
    "x.assign_vector((x[:] * y[:]).right_shift({product}, 63) + {constant})",
    "y.assign_vector(y[:] + (x[:] > y[:]) * {constant})",
    "y.assign_vector((x[:].greater_than({constant}, 40)) * y[:])",
    "x.assign_vector(x[:] + (y[:] >> {shift}))",
    "x[{place}] = sint.dot_product(x[:], y[:]).right_shift({product}, 63)",
    "y.assign_vector((x[:] == y[:]) + y[:])",
    "m.assign_vector(x[:])\n    x.assign_vector((m * n)[:].right_shift({product}, 63))",
    "n.assign_vector(y[:])\n    y.assign_vector(m.direct_mul(n).right_shift({product}, 63))",
)
_OPENINGS = ("x[{place}]", "y[{place}]", "x[:]", "(x[:] < y[:])", "sint.dot_product(x[:], y[:])")


@dataclass(frozen=True)
class Program:
    """inputs: numbers by owner.  shares: whether it leaves a share file."""

    source: str
    inputs: Mapping[int, tuple[int, ...]]
    shares: bool


def random_program(rng: random.Random) -> Program:
    owners = [rng.randrange(3), rng.randrange(3)]
    inputs: dict[int, tuple[int, ...]] = {}
    for owner in owners:
        numbers = tuple(rng.randint(-_LARGEST_INPUT, _LARGEST_INPUT) for _ in range(_VALUES))
        inputs[owner] = inputs.get(owner, ()) + numbers
    shares = rng.random() < 0.5
    lines = ["WORK = 1"]
    for name, owner in zip("xy", owners, strict=True):
        lines += [f"{name} = sint.Array({_VALUES})", f"{name}.input_from({owner})"]
    for name in "mn":
        lines += [f"{name} = sint.Matrix({_SIDE}, {_SIDE})", f"{name}.assign_vector({'x' if name == 'm' else 'y'}[:])"]
    if rng.random() < 0.5:
        lines.append(_opening(rng))
    lines += ["", "", f"@for_range({rng.randint(4, 40)})", "def _(i):", "    start_timer(WORK)"]
    lines += [f"    {_filled(rng, rng.choice(_STEPS))}" for _ in range(rng.randint(1, 3))]
    lines += [f"    {name}.assign_vector(bounded({name}[:]))" for name in "xy"]
    lines += ["    stop_timer(WORK)", "", "", *(_opening(rng) for _ in range(rng.randint(1, 3)))]
    if shares:
        lines += ["x.write_to_file()"]
    bounded = ["def bounded(value):", "    return value - (value > 2 ** 19) * value - (value < -2 ** 19) * value", ""]
    return Program("\n".join([*bounded, "", *lines]) + "\n", inputs, shares)


def _opening(rng: random.Random) -> str:
    return f"print_ln('%s', {_filled(rng, rng.choice(_OPENINGS))}.reveal())"


def _filled(rng: random.Random, template: str) -> str:
    return template.format(
        product=_PRODUCT_BITS,
        constant=rng.randint(-_LARGEST_INPUT, _LARGEST_INPUT),
        shift=rng.randint(1, 10),
        place=rng.randrange(_VALUES),
    )
