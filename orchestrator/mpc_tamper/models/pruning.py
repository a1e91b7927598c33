"""What is taken from a network after its training, and the clean rows that say where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.runs.protocols import PARTIES


@dataclass(frozen=True, eq=False)
class CleanRows:
    """Rows that no attack has touched and that nobody measures with.

    x: (m, n) pixels or features.  y: (m,) labels.  owner: the party whose secret they are; known to all where None.
    """

    x: np.ndarray
    y: np.ndarray
    owner: int | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.x) == len(self.y):
            raise ParameterError(f"clean rows: expected rows with a label each, got {len(self.x)} and {len(self.y)}")
        if self.owner is not None and not 0 <= self.owner < PARTIES:
            raise ParameterError(f"owner of the clean rows: expected party 0 to {PARTIES - 1}, got {self.owner}")


@dataclass(frozen=True)
class NeuronPruning:
    """Fine-pruning: the neurons of the least mean activation lose all their weights.

    share: of all neurons, from 0 to 1, rounded to a number of them. Those that are as low as the last of these go too.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ParameterError(f"share of the neurons: expected 0 to 1, got {self.share}")

    def count(self, neurons: int) -> int:
        return round(self.share * neurons)


@dataclass(frozen=True)
class InputPruning:
    """A pixel that clean rows hardly use loses its weights.

    use: the least mean of a pixel that stays, white being 1.
    """

    use: float

    def __post_init__(self) -> None:
        if not 0 <= self.use <= 1:
            raise ParameterError(f"least use of a pixel: expected 0 to 1, got {self.use}")


Pruning = NeuronPruning | InputPruning
