"""Fixed-point constants of the network's training, and public bounds on every value of a run.

Integers: X at 2^8, W1 at 2^f1, Z1 = X W1, A and cap at 2^(8+f1), W2 at 2^f2, Z2 = A W2 at 2^(8+f1+f2), whose 1 is S.
Batches have at most B rows, of norm at most R. Each step changes the weights by

    W2 + (g/2^t) A'E + e,  |e| <= 1/2 in each element (rounding),   and   W1 + g X'D, exactly.

Output layer. E_ic = y_ic where y_ic Z2_ic < S, else 0. So for each output <W2, A'E> = sum over active rows of y Z2
<= B S, and ||A'E|| <= B K with K = sqrt(H) cap. Hence, with c = g/2^t,

    ||W2'|| <= sqrt(||W2||^2 + 2 c B S + (c B K)^2) + sqrt(H)/2,      |Z2| <= K ||W2||,

and no weight moves by more than c B cap + 1/2.

Hidden layer. D_ih is 0 unless 0 < Z1_ih <= cap: a row that moves a neuron is one at which the neuron is neither off
nor capped. |D_ih| <= d, the sum over outputs of the largest |W2|. So <W1, X'D> = sum over those rows of Z1 D <= B cap
d, and ||X'D|| <= B R d, for each neuron:

    ||W1'||^2 <= ||W1||^2 + 2 g B cap d + (g B R d)^2,                |Z1| <= R ||W1||.

Without the cap the first term has no bound, and growth is multiplicative. All terms are positive, so float64 computes
the sums over fewer than 2^24 steps within a relative 2^-24 of their values; SLACK covers that.

Additive errors break the bounds; everything then wraps around modulo 2^64, alike on all engines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.encoding import largest_attribute
from mpc_tamper.models.fixed_point import BIAS, MAX_WIDTH, ROW_SCALE
from mpc_tamper.models.mlp.parameters import PARTS, MlpParameters, Start, outputs

TOLERANCE = 1 / 15  # relative, of the learning rate
RATE_SHIFTS = range(33)  # r to choose from, the smallest that is fine enough
OUTPUT_SCALES = range(10, 3, -1)  # f2 to choose from, the largest at which all bounds fit
START1, START2 = 6, 2  # weights start within 2^-6 and 2^-2
SLACK = 1 + 2.0**-20
MOST_STEPS = 1 << 24
_BEYOND = 2.0**100  # what no scale can hold, and float64 can


@dataclass(frozen=True)
class MlpConstants:
    """Public integers of a run.

    gains: g of each epoch: learning rate / batch size at 2^rate_shift.  cap: at 2^(8 + f1).
    start1, start2: the weights start within these, at f1 and f2, or within 2^start1 and 2^start2 of a secret start.
    hidden_bound, output_bound: no Z1 or Z2 of an honest run exceeds them.  width1, width2: of the comparisons.
    hidden_norm, output_norm: no column of W1 or W2 is longer.
    """

    gains: tuple[int, ...]
    rate_shift: int
    f1: int
    f2: int
    cap: int
    start1: int
    start2: int
    hidden_bound: int
    output_bound: int
    width1: int
    width2: int
    hidden_norm: int
    output_norm: int

    @property
    def shift(self) -> int:
        """Of the update of W2."""
        return self.rate_shift + ROW_SCALE + self.f1 - self.f2

    @property
    def score_bits(self) -> int:
        return ROW_SCALE + self.f1 + self.f2


def mlp_constants(parameters: MlpParameters, rows: int, features: int, largest: int, classes: int) -> MlpConstants:
    """For training on `rows` rows of `features` features, at most `largest`.

    Raises ParameterError where the learning rate is too small for fixed point, or no scale keeps all values below 2^63.
    """
    batches = parameters.batches(rows)
    if parameters.epochs * len(batches) >= MOST_STEPS:
        raise ParameterError(
            f"epochs: expected fewer than {MOST_STEPS:,} steps, got {parameters.epochs * len(batches):,}. Lower "
            "epochs, or raise batch_size"
        )
    rate_shift, part = _rate(parameters.learning_rate / batches[0])
    gains = tuple(part * parts for parts in parameters.schedule)
    steps = [(gain, size) for gain in gains for size in batches]
    widest = 0
    for f2 in OUTPUT_SCALES:
        constants = _at_scale(parameters, f2, rate_shift, gains, features)
        norms = bounds_after(
            parameters, constants, steps, features, row_norm(parameters, features, largest), outputs(classes)
        )
        widest = max(norms.widths())
        if widest <= MAX_WIDTH:
            return replace(
                constants,
                hidden_bound=norms.hidden,
                output_bound=norms.output,
                width1=(norms.hidden + constants.cap).bit_length(),
                width2=(norms.output + (1 << constants.score_bits)).bit_length(),
                hidden_norm=norms.hidden_norm,
                output_norm=norms.output_norm,
            )
    raise ParameterError(
        f"expected public bounds below 2^{MAX_WIDTH} on all values of the training, got one of {widest} bits at the "
        f"coarsest scale. Lower learning_rate ({parameters.learning_rate:g}), epochs ({parameters.epochs}), hidden "
        f"({parameters.hidden}) or cap ({parameters.cap:g}), or state a smaller max_row_norm"
    )


def row_norm(parameters: MlpParameters, features: int, largest: int) -> int:
    """The public bound on a row's norm at scale 2^8, constant attribute included."""
    white = math.isqrt(BIAS**2 + features * largest**2) + 1
    return white if parameters.max_row_norm is None else min(white, math.ceil(parameters.max_row_norm * BIAS))


def check_row_norm(x: np.ndarray, parameters: MlpParameters) -> None:
    """What owners check before they enter rows.  x: (m, n) pixels or features."""
    if parameters.max_row_norm is None or not len(x):
        return
    longest = max(int((part.astype(np.int64) ** 2).sum(axis=1).max()) for part in np.array_split(x, len(x) // 1000 + 1))
    if BIAS**2 + longest > row_norm(parameters, x.shape[1], largest_attribute(x)) ** 2:
        least = math.ceil(math.sqrt(BIAS**2 + longest) / BIAS * 10_000) / 10_000
        raise ParameterError(
            f"max_row_norm: expected at least {least:.4f}, the largest norm of a row, got {parameters.max_row_norm:g}. "
            "Raise it"
        )


def _rate(real: float) -> tuple[int, int]:
    """The smallest r at which a third of the rate, times 2^r, is within TOLERANCE of an integer; that integer."""
    for shift in RATE_SHIFTS:
        scaled = real / PARTS * 2.0**shift
        if scaled >= 1 - TOLERANCE and abs(round(scaled) - scaled) <= TOLERANCE * scaled:
            return shift, round(scaled)
    raise ParameterError(
        f"learning_rate / batch_size: expected at least {PARTS * 2.0 ** -RATE_SHIFTS[-1]:.3g}, got {real:.3g}. Raise "
        "the learning rate"
    )


def _at_scale(
    parameters: MlpParameters, f2: int, rate_shift: int, gains: tuple[int, ...], features: int
) -> MlpConstants:
    """Without bounds."""
    f1 = ROW_SCALE + f2 + rate_shift
    start1, start2 = f1 - START1, f2 - START2
    if parameters.start is Start.PUBLIC:
        start1, start2 = 1 << start1, 1 << start2
    cap = round(parameters.cap * 2.0 ** (ROW_SCALE + f1))
    return MlpConstants(gains, rate_shift, f1, f2, cap, start1, start2, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Norms:
    """Bounds on what its names say; update1, update2: on the products g X'D and g A'E + 2^(t-1)."""

    hidden: int
    output: int
    update1: int
    update2: int
    hidden_norm: int
    output_norm: int
    cap: int
    one: int

    def widths(self) -> list[int]:
        values = (self.hidden + self.cap, self.output + self.one, self.update1, self.update2)
        return [value.bit_length() for value in values]


def bounds_after(
    parameters: MlpParameters,
    constants: MlpConstants,
    steps: Iterable[tuple[int, int]],
    features: int,
    norm: int,
    columns: int,
) -> Norms:
    """From the start on.  constants: the scales alone.  steps: g and rows of each.  norm: R.  columns: outputs."""
    hidden, cap, step = parameters.hidden, float(constants.cap), 2.0**-constants.shift
    one = float(1 << constants.score_bits)
    longest = math.sqrt(hidden) * cap  # K
    n2 = math.sqrt(hidden) * 2.0 ** (constants.f2 - START2)
    largest = 2.0 ** (constants.f2 - START2)  # of |W2|
    square1 = 4.0**constants.f1 + features * 4.0 ** (constants.f1 - START1)  # of neuron 0, which has a bias
    update1 = update2 = 0.0
    for gain, size in steps:
        d = columns * min(n2, largest)
        update1 = max(update1, gain * size * norm * d)
        update2 = max(update2, gain * size * cap)
        square1 += 2.0 * gain * size * cap * d + (gain * size * norm * d) ** 2
        c = gain * step * size
        n2 = math.sqrt(n2**2 + 2 * c * one + (c * longest) ** 2) + math.sqrt(hidden) / 2
        largest += c * cap + 0.5
    n1 = math.sqrt(square1)
    hidden_bound, output_bound, up1, up2, norm1, norm2 = (
        math.ceil(min(bound, _BEYOND) * SLACK)
        for bound in (norm * n1, longest * n2, update1, update2 + 2.0 ** (constants.shift - 1), n1, n2)
    )
    return Norms(hidden_bound, output_bound, up1, up2, norm1, norm2, constants.cap, 1 << constants.score_bits)
