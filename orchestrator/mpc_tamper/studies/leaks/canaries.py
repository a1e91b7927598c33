"""Neurons that tell whether a candidate was a training row: additive errors in a training, and one label each.

A canary is a neuron that gives out 1 for its candidate and nothing for nearly any other image, and has a large weight
at a class that is wrong. While it lives, the candidate is classified as that class. If the candidate is a training row
it fires its own canary in training, is classified wrongly, and the step takes a large multiple of the candidate from
the canary's weights: it is off from then on, and the candidate gets its true class. So the label of the candidate is
the answer, and it can be asked for of a network that stays secret.

The direction is that of linear discriminant analysis, from the attacker's own data: with mean m and covariance C,

    w = (C + r I)^-1 (c - m),   scaled to w.(c - m) = 1,   and the neuron   max(0, (w.(x - m) - t) / (1 - t))

Errors at HIDDEN keep the neurons off in step 0, in which they are planted: otherwise the rows of that step move them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.parameters import Start
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.studies.leaks.memory import off_in_first_step

RIDGE = 0.02  # r; pixels run from 0 to 1
LEAST_THRESHOLD = 0.5  # t, or halfway between the attacker's own images and the candidate where that is more
LARGEST_THRESHOLD = 0.98
OUTPUT = 32.0  # the weight at the wrong class


@dataclass(frozen=True, eq=False)
class Canaries:
    """A neuron for each candidate.

    candidates: (k, n) pixels.  wrong: (k,) the class that each is sent to.  neurons: k of them, not the constant one.
    own: (m, n) the attacker's own images.
    """

    errors: MlpErrors
    candidates: np.ndarray
    wrong: np.ndarray
    neurons: Sequence[int]
    own: np.ndarray

    def __post_init__(self) -> None:
        hidden, count = self.errors.parameters.hidden, len(self.candidates)
        if len(set(self.neurons)) != count or not set(self.neurons) <= set(range(1, hidden)):
            raise ParameterError(
                f"expected {count} of the neurons 1 to {hidden - 1}, one for each candidate, got {len(self.neurons)}; "
                "raise hidden, or ask about fewer images"
            )

    def plan(self) -> AdditiveErrorPlan:
        """All of it in step 0."""
        direction, middle, threshold = self._directions()
        w1, w2 = (np.zeros_like(layer) for layer in self.errors.start())
        w1[1:, self.neurons] = direction / (1 - threshold)
        w1[0, self.neurons] = -(middle @ direction + threshold) / (1 - threshold)
        if w2.shape[1] == 1:  # above 0 is class 1
            w2[self.neurons, 0] = np.where(self.wrong == 1, OUTPUT, -OUTPUT)
        else:
            w2[self.neurons, self.wrong] = OUTPUT
        if self.errors.parameters.start is Start.PUBLIC:
            start1, start2 = self.errors.start()
            w1[:, self.neurons] -= start1[:, self.neurons]
            w2[self.neurons] -= start2[self.neurons]
        return off_in_first_step(self.errors, self.neurons) + self.errors.change_neurons(w1, w2)

    def members(self, labels: np.ndarray) -> np.ndarray:
        """(k,) bool, from the class that the network gives each candidate."""
        return np.asarray(labels != self.wrong)

    def _directions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """w (n, k), m (n,), t (k,)."""
        own, candidates = self.own / float(BIAS), self.candidates / float(BIAS)
        middle = own.mean(axis=0)
        covariance = np.cov(own.T) + RIDGE * np.eye(own.shape[1])
        direction = np.linalg.solve(covariance, (candidates - middle).T)
        direction /= ((candidates - middle).T * direction).sum(axis=0)
        nearest = ((own - middle) @ direction).max(axis=0)
        return direction, middle, np.clip((1 + nearest) / 2, LEAST_THRESHOLD, LARGEST_THRESHOLD)
