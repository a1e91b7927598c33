"""Additive errors at single training rows, for all models that are trained by a hinge: h = [1 - margin > 0].

The hinges of a batch are one vector, row by row, an element for each output. An error at MARGIN moves the margin of an
element, exactly, on every engine. Inside the comparison of rep3, HINGE/csa flips a carry, and HINGE/b2a.z, a message of
the conversion from bits to integers, shifts the bit h by an even number.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import Errors
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES

MARGIN = "MARGIN"
CARRIES = "HINGE/csa"  # rep3's
CONVERSION = "HINGE/b2a.z"  # rep3's


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The hinges of one training.

    width: bits that hold |1 - margin|.  one: margins have scale 2^one.  batches: rows of each step of a pass.  passes:
    over the data.  places: (m,), at which position of the training each row of the data stands.  outputs: of a row.
    margin: the site that leaves the margin that is compared.  lanes: comparisons of each, all hinges' first ones first.
    """

    width: int
    one: int
    batches: tuple[int, ...]
    passes: int
    places: np.ndarray
    outputs: int = 1
    margin: str = MARGIN
    lanes: int = 1

    def errors(
        self, site: str, rows: np.ndarray, value: int, *, plane: int = 0, output: int | None = None
    ) -> AdditiveErrorPlan:
        """The value at these training rows, in every pass.

        rows: (r,) distinct indices.  plane: of the gate, whose index is plane * (elements of the batch) + element.
        output: the only one that is meant; all where None.
        """
        starts = np.cumsum([0, *self.batches])
        places = np.sort(self.places[rows])
        columns = np.arange(self.outputs) if output is None else np.array([output])
        errors = []
        for k, size in enumerate(self.batches):
            here = places[(places >= starts[k]) & (places < starts[k + 1])] - starts[k]
            elements = (here[:, None] * self.outputs + columns).reshape(-1) + plane * size * self.outputs * self.lanes
            occurrences = [EVERY] if len(self.batches) == 1 else [p * len(self.batches) + k for p in range(self.passes)]
            errors += [
                AdditiveError(site, occurrence, i, value) for occurrence in occurrences for i in elements.tolist()
            ]
        return AdditiveErrorPlan.from_errors(errors)

    def sent_by(self, rows: np.ndarray, party: int) -> np.ndarray:
        """Those whose message z the party sends at all outputs: elements outside the third in which it plays role 1."""
        number, place = np.divmod(self.places[rows], self.batches[0])
        size = np.array(self.batches)[number] * self.outputs
        first, last = place * self.outputs, (place + 1) * self.outputs - 1
        part = (party - 1) % PARTIES
        silent = (last >= size * part // PARTIES) & (first < size * (part + 1) // PARTIES)
        return rows[~silent]


class ComparisonErrors(Errors):
    """ROW_ERRORS and GATE_ERRORS, for a model that says where its hinges are. See models.base.Errors."""

    @property
    @abstractmethod
    def comparisons(self) -> Comparisons: ...

    def silence_rows(self, rows: np.ndarray) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """An error of 2^(width-1) on a row's margin, half the public range of the comparison that follows, puts the row
        on the far side of the hinge as long as |1 - margin| is below that half: then h = 0, and the row adds nothing to
        the gradient. In a run without errors it is below twice that for the worst data, and far below for real ones.
        """
        c = self.comparisons
        return c.errors(c.margin, rows, 1 << (c.width - 1)), {"error": f"2^{c.width - 1}"}

    def only_row(self, row: int) -> AdditiveErrorPlan:
        """An error of -2^(width-1) keeps a row on the near side of the hinge; the opposite one silences the others."""
        c = self.comparisons
        count = len(c.places)
        if not 0 <= row < count:
            raise ParameterError(f"row: expected one of the {count} training rows from 0, got {row}")
        others, far = np.delete(np.arange(count), row), 1 << (c.width - 1)
        return c.errors(c.margin, others, far) + c.errors(c.margin, np.array([row]), -far)

    def invert_rows(self, rows: np.ndarray, label: int | None = None) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """rep3 takes the sign of z = x_0 + x_1 + x_2 from its highest bit, k - 1, as s_{k-1} ^ c_{k-2} ^ carry, where
        s + 2 c is the carry-save form of z and the carry comes from the bits below. The majority c_{k-2} enters nothing
        else, so flipping it flips h. With width w of the comparison k = w + 1, so the gate is HINGE/csa, plane w - 1.
        """
        c = self.comparisons
        plane = c.width - 1
        output = None if c.outputs == 1 else label
        plan = c.errors(CARRIES, rows, 1, plane=plane, output=output)
        return plan, {"gate": CARRIES, "plane": plane} | ({} if output is None else {"output": output})

    def multiply_rows(
        self, rows: np.ndarray, factor: int, corrupt_party: int
    ) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """An error e on the message z shifts the bit by -2 e. With e = -factor / 2 the row's h is h + factor."""
        if factor % 2:
            raise ParameterError(f"gradient scaling: expected an even factor, got {factor}")
        plan = self.comparisons.errors(CONVERSION, rows, -factor // 2)
        return plan, {"factor": factor, "corrupt_party": corrupt_party}

    def multipliable(self, rows: np.ndarray, corrupt_party: int) -> np.ndarray:
        return self.comparisons.sent_by(rows, corrupt_party)

    def flip_carries(self, lane: int | None = None) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """Plane j moves 1 - margin by +-2^(j+1); by 1 where it is the one below the scale's."""
        c = self.comparisons
        plane = c.one - 1 if lane is None else lane
        plan = c.errors(CARRIES, np.arange(len(c.places)), 1, plane=plane)
        return plan, {"gate": CARRIES, "plane": plane}
