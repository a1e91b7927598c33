"""Parameters of the linear SVM: what is minimised, and how.

    minimise lambda * w.w + (1/m) * sum_i c(z_i),  z_i = 1 - y_i w.x_i,  c(z) = max(0, z) or max(0, z)^2 / 2
    w <- w - alpha * (2*lambda*w - (1/B) * sum_i y_i x_i g(z_i)),        g(z) = [z > 0] or max(0, z)

Equation (1) and, as loss squared_hinge, the protocol of section 2.1 of the paper, with a mean where the paper has a
sum: alpha_paper = alpha / m and lambda_paper = m * lambda (docs/training.md). In the program's integers

    W <- W + clamp(floor((C * G - A * W) / 2^t), -c, c),  C = gain, A = decay, t = shift

where c = clip, a countermeasure and off by default: then no clamp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.fixed_point import MAX_WIDTH, ROW_SCALE
from mpc_tamper.models.parameters import option

WEIGHT_SCALE = 16
MARGIN_SCALE = ROW_SCALE + WEIGHT_SCALE

LARGEST = 2.0**MAX_WIDTH  # no step of that length has a public bound that fits


class Loss(StrEnum):
    """c(z): max(0, z), or max(0, z)^2 / 2."""

    HINGE = "hinge"
    SQUARED_HINGE = "squared_hinge"


@dataclass(frozen=True)
class SvmParameters:
    """What the parties agree on in public.

    learning_rate (alpha), regularisation (lambda): of the mean loss, real numbers.
    iterations: passes over all rows; full-batch steps where batch_size is None.
    batch_size: rows of a step, in order; a last smaller batch takes what is left and divides by its own size.
    max_row_norm: a public bound on ||x||, constant attribute included, features p / 256. The owners check it. None is
    the norm of an all-white image: always true, and what to lower when a comparison would become too wide.
    clip: a public bound on what a step adds to each weight, a real number; None for none.
    """

    learning_rate: float = option(0.1, "The step size alpha, for the mean loss.")
    regularisation: float = option(1e-4, "The weight lambda of the regularisation, for the mean loss.")
    iterations: int = option(100, "How many passes over all rows the training makes.")
    batch_size: int | None = option(None, "How many rows a step takes; all of them by default.")
    loss: Loss = option(Loss.HINGE, "The loss function; hinge is the paper's equation (1).")
    max_row_norm: float | None = option(
        None, "A public bound on the norm of a row with features in [0, 1]; by default that of a white image."
    )
    clip: float | None = option(None, "The most that a step may add to a weight, as a defence; unbounded by default.")

    def __post_init__(self) -> None:
        for name, value, least in (
            ("learning_rate", self.learning_rate, "above 0"),
            ("regularisation", self.regularisation, "from 0"),
            ("max_row_norm", 1.0 if self.max_row_norm is None else self.max_row_norm, "above 0"),
            ("clip", 1.0 if self.clip is None else self.clip, "above 0"),
        ):
            if not math.isfinite(value) or value < 0 or (value == 0 and least == "above 0"):
                raise ParameterError(f"{name}: expected a finite number {least}, got {value:g}")
            if value >= LARGEST and name != "max_row_norm":  # a larger bound on the rows is merely of no use
                raise ParameterError(f"{name}: expected a number below 2^{MAX_WIDTH}, got {value:g}. Lower it")
        if self.iterations < 1:
            raise ParameterError(f"iterations: expected at least 1, got {self.iterations}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ParameterError(f"batch_size: expected at least 1 row, or none for all, got {self.batch_size}")
        if self.loss not in set(Loss):
            raise ParameterError(f"loss: expected {' or '.join(Loss)}, got {self.loss}")

    def batches(self, rows: int) -> list[int]:
        """Sizes of the batches of one pass over this many rows, in order."""
        size = self.batch_size or rows
        if size > rows:
            raise ParameterError(f"batch_size: expected at most the {rows} rows of the data, got {size}")
        return [size] * (rows // size) + ([rows % size] if rows % size else [])

    @property
    def gradient_scale(self) -> int:
        """The program's gradients have scale 2^gradient_scale."""
        return ROW_SCALE if self.loss is Loss.HINGE else 2 * ROW_SCALE
