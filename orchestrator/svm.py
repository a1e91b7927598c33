"""Parameters of SVM training, their fixed-point constants, and public bounds on every value of a run.

    minimise lambda * w.w + (1/m) * sum_i c(z_i),  z_i = 1 - y_i w.x_i,  c(z) = max(0, z) or max(0, z)^2 / 2
    w <- w - alpha * (2*lambda*w - (1/B) * sum_i y_i x_i g(z_i)),        g(z) = [z > 0] or max(0, z)

Equation (1) and, as loss squared_hinge, the protocol of section 2.1 of the paper, with a mean where the paper has a
sum: alpha_paper = alpha / m and lambda_paper = m * lambda (docs/training.md). In the program's integers

    W <- W + clamp(floor((C * G - A * W) / 2^t), -c, c),  C = gain, A = decay, t = shift

where c = clip, a countermeasure and off by default: then no clamp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import ParameterError

ROW_SCALE = 8  # a row's attributes have scale 2^8: pixels as they are, 0..255, and 256 for the constant one
WEIGHT_SCALE = 16
MARGIN_SCALE = ROW_SCALE + WEIGHT_SCALE
BIAS = 1 << ROW_SCALE
MAX_PIXEL = 255
MAX_FEATURE = 1 << 20  # of a row that holds features other than pixels

MAX_WIDTH = 63  # of a comparison: bits without the sign
LARGEST = 2.0**MAX_WIDTH  # no step of that length has a public bound that fits
SHIFTS = range(24, 49)  # public t to choose from, the smallest that is fine enough
TOLERANCE = 0.01  # relative, of a constant


class Loss(StrEnum):
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

    learning_rate: float = 0.1
    regularisation: float = 1e-4
    iterations: int = 100
    batch_size: int | None = None
    loss: Loss = Loss.HINGE
    max_row_norm: float | None = None
    clip: float | None = None

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


@dataclass(frozen=True)
class FixedPoint:
    """Public integers of a run.

    gain, last_gain: alpha / B at 2^shift, for full batches and the last one.  decay: 2*alpha*lambda at 2^shift.
    margin_bound: no |w.x| at scale 2^24 exceeds it in an honest run.  width: bits that hold |2^24 - margin|.
    clip: at 2^16; 0 for none.
    """

    gain: int
    last_gain: int
    decay: int
    shift: int
    margin_bound: int
    width: int
    clip: int = 0


def fixed_point(parameters: SvmParameters, rows: int, pixels: int, largest: int = MAX_PIXEL) -> FixedPoint:
    """Constants for training on `rows` images of `pixels` pixels, or of so many other features, at most `largest`.

    Raises ParameterError where a constant is too small for fixed point, or a public bound too wide for 64 bits.
    """
    sizes = parameters.batches(rows)
    shift, (gain, last_gain, decay) = _constants(parameters, sizes[0], sizes[-1])
    if decay > 1 << shift:
        raise ParameterError(
            f"2 * learning_rate * regularisation: expected at most 1, a step that shrinks the weights, "
            f"got {2 * parameters.learning_rate * parameters.regularisation:g}. Lower either"
        )
    norm2 = row_norm2(parameters, pixels, largest)
    step = max(gain * sizes[0], last_gain * sizes[-1])
    clip = _clip(parameters)
    if clip:
        weight_norm = _ceil_sqrt((parameters.iterations * len(sizes) * clip) ** 2 * (pixels + 1))  # |W_j| <= steps clip
    else:
        weight_norm = _weight_norm(parameters, step, decay, shift, len(sizes), norm2, pixels)
    margin = _ceil_sqrt(norm2) * weight_norm
    attribute = max(BIAS, min(largest, math.isqrt(norm2)))
    _check_range(parameters, step * attribute, decay, weight_norm, margin)
    return FixedPoint(gain, last_gain, decay, shift, margin, ((1 << MARGIN_SCALE) + margin).bit_length(), clip)


def row_norm2(parameters: SvmParameters, pixels: int, largest: int = MAX_PIXEL) -> int:
    """The public bound on a row's squared norm in integers, scale 2^16, constant attribute included."""
    white = BIAS**2 + pixels * largest**2
    if parameters.max_row_norm is None:
        return white
    return min(white, math.floor(min(parameters.max_row_norm * BIAS, math.sqrt(white) + 1) ** 2))


class Layout(StrEnum):
    """How svm_train.mpc keeps the rows. Both: their transpose too, for full batches; faster on MP-SPDZ alone."""

    ROWS = "rows"
    BOTH = "both"


def program_arguments(
    parameters: SvmParameters,
    constants: FixedPoint,
    pixels: int,
    rows: Sequence[int],
    labels_owner: int | None,
    layout: Layout = Layout.ROWS,
    client_port: int = 0,
    carried: int = 0,
) -> tuple[str, ...]:
    """Arguments of svm_train.mpc. rows: of each owner, or of each client. labels_owner: None where they premultiply
    their rows. client_port: where server 0 waits for the clients; 0 if the rows are the owners'. carried: shares that
    stand behind the rows that an earlier run left, and are to stand behind the weights; 0 if rows are entered."""
    source = "clients" if client_port else "shares" if carried else "owners"
    return (
        f"source={source}",
        f"port={client_port}",
        f"carry={carried}",
        "rows=" + ",".join(map(str, rows)),
        f"columns={pixels + 1}",
        f"labels={'owner' if labels_owner is None else labels_owner}",
        f"loss={parameters.loss}",
        f"epochs={parameters.iterations}",
        f"batch={parameters.batches(sum(rows))[0]}",
        f"gain={constants.gain}",
        f"last_gain={constants.last_gain}",
        f"decay={constants.decay}",
        f"shift={constants.shift}",
        f"clip={constants.clip}",
        f"layout={layout}",
        f"width={constants.width}",
    )


def _constants(parameters: SvmParameters, batch: int, last_batch: int) -> tuple[int, tuple[int, ...]]:
    """The smallest shift at which each constant is within TOLERANCE of its real value, and the constants."""
    to_weights = 2.0 ** (WEIGHT_SCALE - parameters.gradient_scale)
    real = (
        parameters.learning_rate / batch * to_weights,
        parameters.learning_rate / last_batch * to_weights,
        2 * parameters.learning_rate * parameters.regularisation,
    )
    for shift in SHIFTS:
        scaled = [value * 2.0**shift for value in real]
        if all(abs(round(value) - value) <= TOLERANCE * value for value in scaled):
            return shift, tuple(round(value) for value in scaled)
    raise ParameterError(
        "learning_rate / batch and 2 * learning_rate * regularisation: expected 0 or a number that fixed point holds "
        f"to {TOLERANCE:.0%}, at {SHIFTS[-1]} fraction bits, got {real[0] / to_weights:g} and {real[2]:g}. Raise the "
        "learning rate or set the regularisation to 0"
    )


def _clip(parameters: SvmParameters) -> int:
    """At the scale of the weights; 0 for none."""
    if parameters.clip is None:
        return 0
    real = parameters.clip * (1 << WEIGHT_SCALE)
    if abs(round(real) - real) > TOLERANCE * real:
        raise ParameterError(
            f"clip: expected a number that weights of {WEIGHT_SCALE} fraction bits hold to {TOLERANCE:.0%}, got "
            f"{parameters.clip:g}. Raise it"
        )
    return round(real)


def _weight_norm(
    parameters: SvmParameters, step: int, decay: int, shift: int, batches: int, norm2: int, pixels: int
) -> int:
    """A bound on ||W|| (scale 2^16) in every step of an honest run without clipping, from public numbers alone.

    (With clipping it does not hold: a clamp may leave the parts of a step that lengthen W and cut those that shorten
    it. There no weight is more than steps * clip.)

    Write W' = V + e, V = (1-a) W + c G, a = A/2^t in [0, 1], c = C/2^t, e in (-1, 0]^(n+1) the floor's rounding.
    Rows are at scale 2^8 with ||x||^2 <= R^2, and S = 2^24 is the one of margins.
    Claim: ||V||^2 <= ||W||^2 + g for a constant g. Then after T steps ||W|| <= sqrt(T g) + T sqrt(n+1), by induction
    with sqrt((p+q)^2 + g) <= sqrt(p^2 + g) + q.

    ||V||^2 = (1-a)^2 ||W||^2 + 2 (1-a) c <W, G> + c^2 ||G||^2.
    Hinge: G sums y x over active rows, whose margins y W.x are below S, so <W, G> <= B S, ||G|| <= B R and
        g = 2 c B S + (c B R)^2.
    Squared hinge: row i counts v_i = floor(max(0, S - Z_i) / 2^16) times, so v_i > 0 has Z_i <= S - 2^16 v_i and
        <W, G> <= sum v_i S - 2^16 v_i^2,  ||G||^2 <= B R^2 sum v_i^2 (Cauchy-Schwarz). With c B R^2 <= (1-a) 2^16, the
        usual condition on the step of a smooth loss, the sum of both terms is at most
        (1-a) c sum (2 S v_i - 2^16 v_i^2) <= c B 2^32 = g.
    """
    one = 1 << shift
    steps = parameters.iterations * batches
    if parameters.loss is Loss.HINGE:
        growth = -(-(2 * step * one * (1 << MARGIN_SCALE) + step**2 * norm2) // one**2)
    else:
        if step * norm2 > (one - decay) << (2 * ROW_SCALE):
            largest = 1 / (norm2 / BIAS**2 + 2 * parameters.regularisation)
            raise ParameterError(
                f"learning_rate: expected at most {largest:.3g} = 1 / (max_row_norm^2 + 2 * regularisation) for the "
                f"squared hinge, so that a public bound on the weights exists, got {parameters.learning_rate:g}. Lower "
                "it, or state a smaller max_row_norm"
            )
        growth = -(-(step << 32) // one)
    return _ceil_sqrt(steps * growth) + steps * _ceil_sqrt(pixels + 1)


def _check_range(parameters: SvmParameters, pull: int, decay: int, weight_norm: int, margin: int) -> None:
    """Every value of an honest run stays below 2^63: margins, z h(z), gradients, both products of the update.

    pull: what gain times gradient is at most where each row counts once: no attribute is longer than its row.
    """
    distance = (1 << MARGIN_SCALE) + margin
    times = 1 if parameters.loss is Loss.HINGE else distance >> (2 * ROW_SCALE)
    update = pull * times + decay * weight_norm
    for name, bound in (("1 - margin", distance), ("the update before its shift", update)):
        if bound.bit_length() > MAX_WIDTH:
            raise ParameterError(
                f"expected a public bound below 2^{MAX_WIDTH} on {name}, got one of {bound.bit_length()} bits. Lower "
                f"learning_rate ({parameters.learning_rate:g}) or iterations ({parameters.iterations}), or state a "
                "smaller max_row_norm"
            )


def _ceil_sqrt(value: int) -> int:
    return math.isqrt(value - 1) + 1 if value else 0
