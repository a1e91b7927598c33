"""Parameters of the linear SVM: what is minimised, and how.

    minimise lambda * w.w + (1/m) * sum_i c(z_i),  z_i = 1 - y_i w.x_i
    w <- w - alpha * (2*lambda*w - (1/B) * sum_i y_i x_i g(z_i)),  g = c'

    c(z) = max(0, z)        g(z) = [z > 0]                   hinge
    c(z) = max(0, z)^2 / 2  g(z) = max(0, z)                 squared hinge
    the same up to z = 2    g(z) = min(max(0, z), 2)         modified Huber (Zhang, ICML 2004): c is a line beyond

Equation (1) and, as loss squared_hinge, the protocol of section 2.1 of the paper, with a mean where the paper has a
sum: alpha_paper = alpha / m and lambda_paper = m * lambda (docs/training.md). In the program's integers

    W <- W + clamp(floor((C * G - A * W) / 2^t), -c, c),  C = gain, A = decay, t = shift

where c = clip, a countermeasure and off by default: then no clamp. The paper's step size alpha is constant. By default
it comes from public bounds instead, falls in a straight line to 0, and steps have momentum (heavy ball, Polyak 1964):

    V <- mu V + (C_p * G - A_p * W) / 2^t,   W <- W + V,   rounded to nearest;   C_p = (T - p) C, pass p of T
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.fixed_point import MAX_WIDTH, ROW_SCALE
from mpc_tamper.models.parameters import option

WEIGHT_SCALE = 16
MARGIN_SCALE = ROW_SCALE + WEIGHT_SCALE

LARGEST = 2.0**MAX_WIDTH  # no step of that length has a public bound that fits
MOST_MOMENTUM = 0.99
MOST_COUNTED = 2  # g of the modified Huber loss

# What was not given. A step with momentum mu comes to alpha / (1 - mu). That is the reach over the square of the public
# bound R on a row's norm: 200 for tables, and 400 for images of 28 x 28 pixels, which stay further below the bound. So
# a training reaches what LinearSVC reaches, on tables of 4 features as on images (results/accuracy.md).
LEAST_REACH, MOST_REACH, REACH_OF_NORM = 200.0, 400.0, 14.3  # times R, between the two
MOMENTUM = 0.9
PASSES, PASSES_AT_CONSTANT_RATE = 200, 100
REGULARISATION, REGULARISATION_AT_CONSTANT_RATE = 1e-5, 1e-4
OUTPUTS = "outputs"  # of an architecture of more than two classes
RATE_TO_BOUND = 0.98  # of the squared hinge: of the largest rate with a public bound, less what rounding may add


class Loss(StrEnum):
    """See above. auto: the hinge for two classes, and for more the modified Huber loss.

    Against all others a class is often the less likely one wherever it is; then the hinge learns nothing of it.
    """

    AUTO = "auto"
    HINGE = "hinge"
    SQUARED_HINGE = "squared_hinge"
    MODIFIED_HUBER = "modified_huber"


class Schedule(StrEnum):
    """The step size of pass p of T, from 0: always alpha, or alpha (T - p) / T."""

    CONSTANT = "constant"
    LINEAR = "linear"


@dataclass(frozen=True)
class SvmParameters:
    """What the parties agree on in public.

    learning_rate (alpha): a real number, of the mean loss, of the first pass; from public bounds where None.
    schedule: constant where a learning rate is given, as in the paper, else linear. The squared hinge: constant.
    loss: auto is hinge where the schedule is constant.
    momentum (mu): of the linear schedule 0.9, else 0.
    regularisation (lambda): of the mean loss, a real number.  iterations: passes over all rows; full-batch steps where
    batch_size is None. Without others, 1e-5 and 200 for the linear schedule, 1e-4 and 100 for the constant one.
    batch_size: rows of a step, in order; a last smaller batch takes what is left and divides by its own size.
    max_row_norm: a public bound on ||x||, constant attribute included, features p / 256. The owners check it. None is
    the norm of an all-white image: always true, and what to lower when a comparison would become too wide.
    clip: a public bound on what a step adds to each weight, a real number; None for none.
    """

    learning_rate: float | None = option(
        None, "The step size alpha, for the mean loss; by default it comes from public bounds and falls to 0."
    )
    regularisation: float = option(
        None, "The weight lambda of the regularisation, for the mean loss; by default 1e-5, with --learning-rate 1e-4."
    )
    iterations: int = option(
        None, "How many passes over all rows the training makes; by default 200, with --learning-rate 100."
    )
    batch_size: int | None = option(None, "How many rows a step takes; all of them by default.")
    loss: Loss = option(
        Loss.AUTO, "The loss function; auto is hinge, the paper's equation (1), and modified_huber for many classes."
    )
    max_row_norm: float | None = option(
        None, "A public bound on the norm of a row with features in [0, 1]; by default that of a white image."
    )
    clip: float | None = option(None, "The most that a step may add to a weight, as a defence; unbounded by default.")
    schedule: Schedule = option(
        None,
        "How the step size goes on from pass to pass; by default linear, with --learning-rate constant.",
        before=Schedule.CONSTANT,
    )
    momentum: float = option(
        None,
        "What part of a step goes on in the next one; by default 0.9 with the linear schedule, else 0.",
        before=0.0,
    )

    def __post_init__(self) -> None:
        self._fill_in()
        for name, value, least in (
            ("learning_rate", 1.0 if self.learning_rate is None else self.learning_rate, "above 0"),
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
        if not 0 <= self.momentum <= MOST_MOMENTUM:
            raise ParameterError(f"momentum: expected 0 to {MOST_MOMENTUM}, got {self.momentum:g}")
        if self.momentum and self.loss is Loss.SQUARED_HINGE:
            raise ParameterError(
                f"momentum: expected 0 for the squared hinge, so that a public bound on the weights exists, got "
                f"{self.momentum:g}"
            )

    def _fill_in(self) -> None:
        """What was not given follows from what was."""
        loss = Loss(self.loss) if self.loss in set(Loss) else self.loss
        plain = self.learning_rate is not None or loss is Loss.SQUARED_HINGE
        schedule = (Schedule.CONSTANT if plain else Schedule.LINEAR) if self.schedule is None else self.schedule
        if schedule not in set(Schedule):
            raise ParameterError(f"schedule: expected {' or '.join(Schedule)}, got {schedule}")
        schedule = Schedule(schedule)
        linear = schedule is Schedule.LINEAR
        for name, default in (
            ("iterations", PASSES if linear else PASSES_AT_CONSTANT_RATE),
            ("regularisation", REGULARISATION if linear else REGULARISATION_AT_CONSTANT_RATE),
            ("momentum", MOMENTUM if linear and loss is not Loss.SQUARED_HINGE else 0.0),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        object.__setattr__(self, "loss", Loss.HINGE if loss is Loss.AUTO and not linear else loss)
        object.__setattr__(self, "schedule", schedule)

    def for_classes(self, classes: int) -> SvmParameters:
        """The same with a loss that is not auto."""
        if self.loss is not Loss.AUTO:
            return self
        return replace(self, loss=Loss.HINGE if classes == 2 else Loss.MODIFIED_HUBER)

    def batches(self, rows: int) -> list[int]:
        """Sizes of the batches of one pass over this many rows, in order."""
        size = self.batch_size or rows
        if size > rows:
            raise ParameterError(f"batch_size: expected at most the {rows} rows of the data, got {size}")
        return [size] * (rows // size) + ([rows % size] if rows % size else [])

    def rate(self, row_norm: float) -> float:
        """The step size of the first pass.  row_norm: the public bound on ||x||, features at scale 1.

        Where none is given: what comes to the reach; with momentum at most what leaves a public bound (bounds.py).
        """
        if self.learning_rate is not None:
            return self.learning_rate
        row_norm = max(row_norm, 1.0)  # the constant attribute's
        if self.loss is Loss.SQUARED_HINGE:
            return RATE_TO_BOUND / (row_norm**2 + 2 * self.regularisation)
        reach = min(max(LEAST_REACH, REACH_OF_NORM * row_norm), MOST_REACH)
        rate = reach * (1 - self.momentum) / row_norm**2
        if self.regularisation:
            steady = (1 - math.sqrt(self.momentum)) ** 2 if self.momentum else 1.0
            rate = min(rate, RATE_TO_BOUND * steady / (2 * self.regularisation))
        return rate

    @property
    def parts(self) -> int:
        """In how many equal parts the first pass's step size is divided: whole numbers of them make all others."""
        return self.iterations if self.schedule is Schedule.LINEAR else 1

    def parts_in(self, number: int) -> int:
        """Of pass `number`, from 0."""
        return max(1, self.parts - number)

    @property
    def whole(self) -> bool:
        """Whether a row counts wholly or not at all: g is 0 or 1. Else g has scale 2^8."""
        return self.loss in (Loss.HINGE, Loss.AUTO)

    @property
    def gradient_scale(self) -> int:
        """The program's gradients have scale 2^gradient_scale."""
        return ROW_SCALE if self.whole else 2 * ROW_SCALE


PLAIN = SvmParameters(learning_rate=0.1)
"""The paper's training, 100 full steps of equation (1): what Table 1, the matrix and the costs are measured with."""


def outputs(classes: int) -> int:
    """Columns of weights: one for two classes, else one for each class against all others."""
    return 1 if classes == 2 else classes


def columns(architecture: Mapping[str, int]) -> int:
    """The same of a model that was trained."""
    return architecture.get(OUTPUTS, 1)
