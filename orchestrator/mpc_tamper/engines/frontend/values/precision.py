"""The precision of sfix and cfix, and how products are rounded to it.

MP-SPDZ rounds products of secrets at random unless sfix.round_nearest is True. Only the deterministic form runs here:
(x y + 2^(f-1)) >> f.
"""

from __future__ import annotations

from typing import Any

from mpc_tamper.core.errors import ProgramError
from mpc_tamper.engines.frontend.runtime import Precision, runtime
from mpc_tamper.engines.frontend.values.base import Named, unsupported
from mpc_tamper.engines.frontend.values.secret import sint


class PerRun(Named):
    """f, k and round_nearest belong to the run, not to the class."""

    def _precision(self) -> Precision:
        return runtime().fixed[self.__name__]

    @property
    def f(self) -> int:
        return self._precision().f

    @property
    def k(self) -> int:
        return self._precision().k

    @property
    def round_nearest(self) -> bool:
        return runtime().round_nearest

    @round_nearest.setter
    def round_nearest(self, value: bool) -> None:
        runtime().round_nearest = bool(value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name == "round_nearest":
            super().__setattr__(name, value)
        else:
            raise unsupported(f"setting {self.__name__}.{name}")


def to_fixed(number: float, f: int, k: int) -> int:
    """round(number 2^f), within k bits."""
    v = round(number * 2**f)
    if not -(1 << (k - 1)) <= v < 1 << (k - 1):
        raise ProgramError(f"expected a number within 2^{k - f - 1}, got {number}: set_precision(f, k) with a larger k")
    return v


def round_shift(v: sint, k: int, m: int) -> sint:
    """(v + 2^(m-1)) >> m for v of k bits."""
    if not runtime().round_nearest:
        raise ProgramError(
            "a product of sfix rounds at random by default, so that no two runs agree: set sfix.round_nearest = True"
        )
    if k > 64:
        raise ProgramError(f"expected k + f of at most 64 bits in a product of sfix, got {k}: lower set_precision")
    return v if m == 0 else (v + (1 << (m - 1))).right_shift(m, 64)
