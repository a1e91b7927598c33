"""Which neurons speak for a class: what an attacker knows of output weights that it has not seen.

From a public start the output weights hardly change their signs in the training, so an attacker knows them in advance.
Where the start is secret its guess is worthless. Then it sets them: an error of twice the largest starting value on the
target's weight of every neuron, with alternating signs, is known to leave those signs.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.base import Errors

ENOUGH = 2  # times the largest weight at the start


def speaks_for(output: np.ndarray, target: int) -> np.ndarray:
    """(H,) -1 and 1: whether a neuron raises the target's score above the mean of the others.  output: (H, O)."""
    if output.shape[1] == 1:
        difference = output[:, 0] if target == 1 else -output[:, 0]
    else:
        difference = output[:, target] - np.delete(output, target, axis=1).mean(axis=1)
    return np.where(difference > 0, 1.0, -1.0)


def set_signs(errors: Errors, target: int) -> np.ndarray:
    """(H, O): a change of the output weights, after which speaks_for() of them is known from this alone."""
    _, guess = errors.start()
    change = np.zeros_like(guess)
    alternating = np.where(np.arange(len(guess)) % 2, 1.0, -1.0)
    single = guess.shape[1] == 1
    change[:, 0 if single else target] = (
        alternating * ENOUGH * np.abs(guess).max() * (-1 if single and target == 0 else 1)
    )
    return change
