"""The paper's check of a secret model: classify known examples, and compare the accuracy with a threshold.

It catches errors that spoil the model. It does not catch a backdoor, which leaves the accuracy as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.defences.share import checked_share, least_count
from mpc_tamper.models.checks import Verdict
from mpc_tamper.models.encoding import integer_rows, signs

NAME = "accuracy"


@dataclass(frozen=True)
class AccuracyThreshold:
    """threshold: the least share of examples classified rightly, above 0 and at most 1."""

    threshold: float

    def __post_init__(self) -> None:
        checked_share(self.threshold)

    @property
    def pixels(self) -> int:
        """The examples are classified as they are."""
        return 0

    def least(self, examples: int) -> int:
        return least_count(self.threshold, examples)

    def verdict(self, enough: bool, examples: int) -> Verdict:
        return Verdict(
            NAME, enough, f"at least {self.least(examples)} of {examples} known examples are classified rightly"
        )


def example_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What svm_verify.mpc takes: (m, n + 2) int64, y_i x_i with the constant attribute first, then [class 0].

    x: (m, n) pixels, uint8.  y: (m,) classes 0 and 1, both present, since a model of one class is right on all of it.
    """
    if len(x) != len(y) or not {0, 1} <= set(np.unique(y).tolist()):
        raise DataError(f"expected as many classes as examples, of both classes, got {len(x)} and {np.unique(y)}")
    sign = signs(y)
    return np.column_stack([integer_rows(x) * sign[:, None], sign < 0])
