"""The errors of a plan, handed to the multiplications of a run."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.errors import PlanError
from mpc_tamper.runs.plan import EVERY, AdditiveErrorPlan, star


class ErrorInjector:
    """Hands the errors of a plan to the multiplications of a run, in the process of the corrupt party.

    One injector serves one run. finish() raises PlanError when an entry of the plan met no output: a plan that names
    a place where the corrupt party sends nothing is a mistake, not an attack.
    """

    def __init__(self, plan: AdditiveErrorPlan) -> None:
        self._columns = plan.columns
        self._met: dict[tuple[str, int], np.ndarray] = {
            key: np.zeros(len(column.indices), dtype=bool) for key, column in plan.columns.items()
        }

    def errors(self, site: str, occurrence: int, start: int, length: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Errors for outputs start .. start + length - 1 of this occurrence of the site.

        Returns (positions int64 within the length outputs, values uint64), positions possibly repeated, or None.
        """
        keys = [(site, key) for key in (occurrence, EVERY) if (site, key) in self._columns]
        if not keys:
            return None
        found = [self._select(key, start, length) for key in keys]
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def flips(self, site: str, occurrence: int, start: int, length: int) -> np.ndarray | None:
        """For AND gates: the positions to flip, int64, each once; or None. Raises PlanError for values but 0 and 1."""
        for key in (occurrence, EVERY):
            column = self._columns.get((site, key))
            if column is not None and (column.values > 1).any():
                raise PlanError(
                    f"expected the value 1 for errors at {site}, an AND gate, got {int(column.values.max())}"
                )
        errors = self.errors(site, occurrence, start, length)
        if errors is None:
            return None
        times = np.zeros(length, np.uint64)
        np.add.at(times, *errors)
        return np.flatnonzero(times & np.uint64(1))

    def add_to(self, outputs: np.ndarray, site: str, occurrence: int, start: int) -> None:
        """Add the errors to a uint64 array of outputs, in place, modulo 2^64."""
        flat = outputs.reshape(-1)
        errors = self.errors(site, occurrence, start, flat.size)
        if errors is not None:
            np.add.at(flat, errors[0], errors[1])

    def finish(self) -> None:
        for (site, occurrence), met in self._met.items():
            if not met.all():
                index = int(self._columns[site, occurrence].indices[int(np.argmin(met))])
                raise PlanError(
                    f"the plan's error at {site} {star(occurrence)} {star(index)} met no output: expected a "
                    "multiplication there by which the corrupt party sends something. Check the site's name, how "
                    "often it occurs, the length of its result, and for gates the party."
                )

    def _select(self, key: tuple[str, int], start: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        column, met = self._columns[key], self._met[key]
        at_one = (column.indices >= start) & (column.indices < start + length)
        at_all = column.indices == EVERY
        if length:
            met |= at_one | at_all
        everywhere = column.values[at_all].sum(dtype=np.uint64)
        positions, values = column.indices[at_one] - start, column.values[at_one]
        if everywhere:
            positions = np.concatenate([positions, np.arange(length)])
            values = np.concatenate([values, np.full(length, everywhere, dtype=np.uint64)])
        return positions, values
