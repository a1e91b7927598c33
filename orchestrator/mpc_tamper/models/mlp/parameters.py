"""Parameters of the network of one hidden layer.

    a = min(max(x W1, 0), cap),  z = a W2,  minimise (1/m) sum_i sum_c max(0, 1 - y_ic z_ic)

by steps on batches of rows; y_ic is 1 where row i is of class c, else -1. Two classes share one output, of class 1. The
activation is capped because only then a public bound on every value of a training is known (bounds.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.parameters import option

LARGEST_SIZE = 1 << 16  # of hidden, epochs and batch_size: nobody waits for more
LARGEST_STATE = 1 << 63
PARTS = 3  # into which the learning rate is divided: a training ends with one of them
_FULL, _LESS = 0.4, 0.6  # shares of the epochs after which the rate falls to two and to one part


class Start(StrEnum):
    """Where the weights start: at public values drawn from the seed, or at values drawn on shares, known to nobody."""

    PUBLIC = "public"
    SECRET = "secret"


@dataclass(frozen=True)
class MlpParameters:
    """What the parties agree on in public.

    hidden: neurons.  epochs: passes over all rows.  batch_size: rows of a step; a last smaller batch takes what is
    left and weighs as much as its rows. All rows where there are fewer.
    learning_rate: of the mean loss, of the first 40% of the epochs; two thirds of it until 60%, then one third.
    cap: the most that a neuron gives out, a real number.
    random_state: of the public start and of the order in which owners enter their rows.
    max_row_norm: a public bound on ||x||, constant attribute included, features p / 256. The owners check it. None is
    the norm of an all-white image.
    """

    hidden: int = option(32, "How many hidden neurons the network has.")
    epochs: int = option(5, "How many passes over all rows the training of a network makes.")
    batch_size: int | None = option(128, "How many rows a step takes; none stands for all of them.")
    learning_rate: float = option(0.125, "The step size, for the mean loss.")
    cap: float = option(2.0, "The most that a hidden neuron gives out: what bounds the training's values.")
    start: Start = option(Start.PUBLIC, "Whether the weights start at values that all know or that nobody knows.")
    random_state: int = option(1, "Seed of the public start, and of the order of rows.")
    max_row_norm: float | None = option(
        None, "A public bound on the norm of a row with features in [0, 1]; by default that of a white image."
    )

    def __post_init__(self) -> None:
        for name, number in (("hidden", self.hidden), ("epochs", self.epochs), ("batch_size", self.batch_size or 1)):
            if not 1 <= number <= LARGEST_SIZE:
                raise ParameterError(f"{name}: expected 1 to {LARGEST_SIZE}, got {number}")
        for name, real in (
            ("learning_rate", self.learning_rate),
            ("cap", self.cap),
            ("max_row_norm", 1.0 if self.max_row_norm is None else self.max_row_norm),
        ):
            if not (math.isfinite(real) and real > 0):
                raise ParameterError(f"{name}: expected a finite number above 0, got {real:g}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ParameterError(f"batch_size: expected at least 1 row, or none for all, got {self.batch_size}")
        if self.start not in set(Start):
            raise ParameterError(f"start: expected {' or '.join(Start)}, got {self.start}")
        if not 0 <= self.random_state < LARGEST_STATE:
            raise ParameterError(f"random_state: expected 0 to 2^63 - 1, got {self.random_state}")

    def batches(self, rows: int) -> list[int]:
        """Sizes of the batches of one pass over this many rows, in order."""
        size = min(self.batch_size or rows, rows)
        return [size] * (rows // size) + ([rows % size] if rows % size else [])

    @property
    def schedule(self) -> list[int]:
        """The learning rate of each epoch, in parts of which it has PARTS."""
        middles = [(epoch + 0.5) / self.epochs for epoch in range(self.epochs)]
        return [PARTS if at < _FULL else PARTS - 1 if at < _LESS else 1 for at in middles]


def outputs(classes: int) -> int:
    """How many a network for so many classes has."""
    return 1 if classes == 2 else classes
