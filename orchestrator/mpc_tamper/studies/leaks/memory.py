"""Neurons that remember training rows: additive errors in a network's training, and how rows are read off its weights.

A step adds g X'D to W1, and D = (E W2') * between is the output of a multiplication. So one error e at BACK_ACTIVE, at
row i of the batch and neuron h, adds g e x_i to the weights of that neuron, whatever they are. Where that is much more
than training moves a weight, dividing by g e and rounding gives every pixel exactly; nobody has to know the start. How
much it may be is public too: x W1 has to stay within what the comparison holds.

The same error fixes the neuron for the rest of the training. Pixels are not negative, so with e < 0 its x W1 is below 0
for every image: it is off. With e > 0 it is above the cap for every image. Either way no gradient passes.

    OFF      one error for each row, and one for its label. The neuron is lost to the network.
    CAPPED   one error for each row; the neuron is never off, so pruning by activation keeps it.

Both leave large weights behind. Where the start is public the attacker can do without them: it keeps the neuron off for
all rows of step 0 by errors at HIDDEN, and from then on by its bias. All changes of its weights are then known but for
the row, whose levels may be as small as a unit of W1, and rows are packed into one neuron as digits to the base 256.
Equal output weights make it the same for all classes, so that a certificate does not see it.

    QUIET_OFF, QUIET_CAPPED
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.parameters import Start, outputs
from mpc_tamper.models.mlp.scoring import split
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

LEVEL = 1.0  # the most that a level of a pixel adds to a weight, in real units; training moves them by less than half
LABEL = 2.0  # what a label moves an output weight by; these stay well within 1
PACKED = 3  # rows in a quiet neuron: the largest digit is then still small beside the weights of an honest neuron
BIAS = 200.0  # of a quiet neuron, in real units: more than x W1 is without it
_BASE = 256
_LARGEST_OUTPUT = 0.5  # of |W2| in the first epoch, as far as the range of MARGIN is concerned


class Memory(StrEnum):
    OFF = "off"
    CAPPED = "capped"
    QUIET_OFF = "quiet_off"
    QUIET_CAPPED = "quiet_capped"

    @property
    def quiet(self) -> bool:
        return self in (Memory.QUIET_OFF, Memory.QUIET_CAPPED)

    @property
    def sign(self) -> int:
        """Of what is added to the weights."""
        return 1 if self in (Memory.CAPPED, Memory.QUIET_CAPPED) else -1

    def neurons(self, rows: int) -> int:
        """How many are needed for so many rows."""
        return -(-rows // PACKED) if self.quiet else rows


@dataclass(frozen=True, eq=False)
class MemoryNeurons:
    """rows: of the training data.  neurons: kind.neurons(len(rows)) of them; not 0, the constant one.

    longest: the largest squared norm of an image, the constant attribute included, as in the attacker's own data.
    """

    errors: MlpErrors
    kind: Memory
    rows: Sequence[int]
    neurons: Sequence[int]
    longest: int

    def __post_init__(self) -> None:
        hidden, needed = self.errors.parameters.hidden, self.kind.neurons(len(self.rows))
        distinct = set(self.neurons)
        if len(distinct) != len(self.neurons) or len(distinct) != needed or not distinct <= set(range(1, hidden)):
            raise ParameterError(
                f"expected {needed} of the neurons 1 to {hidden - 1} for {len(self.rows)} rows, got "
                f"{len(self.neurons)}; raise hidden, or read fewer rows"
            )

    def plan(self) -> AdditiveErrorPlan:
        """All of it in the first epoch."""
        hidden, found = self.errors.parameters.hidden, list[AdditiveError]()
        for number, row in enumerate(self.rows):
            step, place = self.errors.steps_of(row)[0]
            neuron, size = self._place(number)
            found.append(AdditiveError("BACK_ACTIVE", step, place * hidden + neuron, self.kind.sign * size))
            if self.kind is Memory.OFF:
                found.append(AdditiveError("ACTIVATION", step, place * hidden + neuron, self._label_error))
        plan = AdditiveErrorPlan.from_errors(found)
        return plan + self._kept_still() if self.kind.quiet else plan

    def images(self, weights: np.ndarray) -> np.ndarray:
        """(rows, n) int64: what an opened network, in the order of its shares, holds."""
        w1 = self._layers(weights)[0][1:]
        if self.errors.parameters.start is Start.PUBLIC:
            w1 = w1 - np.rint(self.errors.start()[0][1:] * 2.0**self.errors.constants.f1).astype(np.int64)
        found = []
        for number in range(len(self.rows)):
            neuron, size = self._place(number)
            column = self.kind.sign * w1[:, neuron]
            if self.kind.quiet:
                found.append(column // (size * self._gain) % _BASE)
            else:
                found.append(np.rint(column / (size * self._gain)).astype(np.int64))
        return np.stack(found)

    def labels(self, weights: np.ndarray) -> list[int] | None:
        """Of the rows. None where the kind does not remember any.

        The error at ACTIVATION makes the row's score at each output large, with the sign of the neuron's output weight.
        So the hinge counts just the outputs at which that is wrong, and moves their weights: up at the row's own class,
        down at others. Where nothing went up, the row's class is the one that rightly had a positive weight.
        """
        if self.kind is not Memory.OFF:
            return None
        c = self.errors.constants
        half = self._gain * self._label_error / 2.0**c.shift / 2
        found = []
        for neuron in self.neurons:
            w = self._layers(weights)[1][neuron]
            moved_up, unmoved = w > half, np.abs(w) <= half
            if len(w) == 1:
                found.append(int(moved_up[0] or (unmoved[0] and w[0] > 0)))
            elif moved_up.any():
                found.append(int(w.argmax()))
            else:
                found.append(int(np.where(unmoved, w, np.iinfo(np.int64).min).argmax()))
        return found

    def _kept_still(self) -> AdditiveErrorPlan:
        """Off for the rows of step 0, then by the bias; output weights 0."""
        errors = self.errors
        w1, w2 = errors.start()
        change1, change2 = np.zeros_like(w1), np.zeros_like(w2)
        change1[0, self.neurons] = self.kind.sign * BIAS
        change2[self.neurons] = -w2[self.neurons]
        return off_in_first_step(errors, self.neurons) + errors.change_neurons(change1, change2)

    def _place(self, number: int) -> tuple[int, int]:
        """Which neuron remembers a row, and the size of its error."""
        if self.kind.quiet:
            neuron, digit = divmod(number, PACKED)
            return self.neurons[neuron], _BASE**digit
        c = self.errors.constants
        return self.neurons[number], int(min(LEVEL * 2.0**c.f1, 2.0 ** (c.width1 - 1) / self.longest) / self._gain)

    @property
    def _gain(self) -> int:
        """g of the first epoch."""
        return int(self.errors.constants.gains[0])

    @property
    def _label_error(self) -> int:
        """At scale 2^(8 + f1); no more than the comparison of margins holds."""
        c = self.errors.constants
        wanted = LABEL * 2.0 ** (c.f2 + c.shift) / self._gain
        room = 2.0 ** (c.width2 - 1) / (_LARGEST_OUTPUT * 2.0**c.f2)
        return round(min(wanted, room))

    def _layers(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes = {"hidden": self.errors.parameters.hidden, "outputs": outputs(self.errors.size.classes)}
        return split(weights, sizes)


def off_in_first_step(errors: MlpErrors, neurons: Sequence[int]) -> AdditiveErrorPlan:
    """These neurons are off for all rows of step 0, so that what is planted in it is what is there afterwards."""
    hidden, batch = errors.parameters.hidden, errors.parameters.batches(errors.size.rows)[0]
    away = -(1 << (errors.constants.width1 - 1))
    places = [row * hidden + neuron for row in range(batch) for neuron in neurons]
    return AdditiveErrorPlan.from_errors(AdditiveError("HIDDEN", 0, place, away) for place in places)


def longest(x: np.ndarray) -> int:
    """The largest squared norm of an image at the scale of rows, with the constant attribute.  x: (m, n) pixels."""
    return _BASE**2 + int((x.astype(np.int64) ** 2).sum(axis=1).max())


def least_useful(layers: tuple[np.ndarray, np.ndarray], cap: float, x: np.ndarray, count: int) -> list[int]:
    """The neurons, but for the constant one, that vary least in what they give to the outputs.

    layers: W1 and W2 of a rehearsal, real.  x: (m, n) images.  An attacker rehearses on data of its own.
    """
    w1, w2 = layers
    given = np.clip(x / float(_BASE) @ w1[1:] + w1[0], 0, cap).std(axis=0) * np.linalg.norm(w2, axis=1)
    return sorted((np.argsort(given[1:], kind="stable")[:count] + 1).tolist())
