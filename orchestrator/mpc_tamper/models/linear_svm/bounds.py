"""Fixed-point constants of SVM training, and public bounds on every value of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.encoding import largest_attribute
from mpc_tamper.models.fixed_point import BIAS, MAX_WIDTH, ROW_SCALE, ceil_sqrt
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, MOST_COUNTED, WEIGHT_SCALE, Loss, SvmParameters

SHIFTS = range(24, 49)  # public t to choose from, the smallest that is fine enough
TOLERANCE = 0.01  # relative, of a constant


@dataclass(frozen=True)
class FixedPoint:
    """Public integers of a run.

    gain, last_gain: alpha / B at 2^shift, for full batches and the last one.  decay: 2*alpha*lambda at 2^shift. Where
    the step size falls, each is a part of these, and pass p takes parts - p of them.
    margin_bound: no |w.x| at scale 2^24 exceeds it in an honest run.  width: bits that hold |2^24 - margin|.
    clip: at 2^16; 0 for none.  momentum: at 2^shift; 0 for none.
    """

    gain: int
    last_gain: int
    decay: int
    shift: int
    margin_bound: int
    width: int
    clip: int = 0
    momentum: int = 0
    parts: int = 1

    def parts_in(self, number: int) -> int:
        """Of the step size in pass `number`, from 0."""
        return max(1, self.parts - number)


def fixed_point(parameters: SvmParameters, rows: int, pixels: int, largest: int = MAX_PIXEL) -> FixedPoint:
    """Constants for training on `rows` images of `pixels` pixels, or of so many other features, at most `largest`.

    Raises ParameterError where a constant is too small for fixed point, or a public bound too wide for 64 bits.
    """
    sizes = parameters.batches(rows)
    norm2 = row_norm2(parameters, pixels, largest)
    rate = parameters.rate(math.sqrt(norm2) / BIAS)
    shift, (gain, last_gain, decay) = _constants(parameters, rate, sizes[0], sizes[-1])
    momentum = round(parameters.momentum * (1 << shift))
    _check_decay(parameters, rate, decay * parameters.parts, momentum, shift)
    step = max(gain * sizes[0], last_gain * sizes[-1])  # c B of one part
    counted = step * _most(parameters)
    clip = _clip(parameters)
    if clip:
        weight_norm = ceil_sqrt((parameters.iterations * len(sizes) * clip) ** 2 * (pixels + 1))  # |W_j| <= steps clip
    elif momentum:
        weight_norm = _weight_norm_with_momentum(parameters, counted, momentum, shift, len(sizes), norm2, pixels)
    else:
        weight_norm = _weight_norm(parameters, rate, counted, decay, shift, len(sizes), norm2, pixels)
    margin = ceil_sqrt(norm2) * weight_norm
    attribute = max(BIAS, min(largest, math.isqrt(norm2)))
    moved = 0
    if momentum:
        change = clip or _change_norm(parameters, counted, decay, weight_norm, momentum, shift, norm2, pixels)
        moved = momentum * change + (1 << shift)
    _check_range(parameters, rate, (step * attribute, decay * weight_norm), moved, margin)
    return FixedPoint(
        gain,
        last_gain,
        decay,
        shift,
        margin,
        ((1 << MARGIN_SCALE) + margin).bit_length(),
        clip,
        momentum,
        parameters.parts,
    )


def _most(parameters: SvmParameters) -> int:
    """The most that a row counts in a gradient, at its scale; for the squared hinge, which has no such bound, 1."""
    return MOST_COUNTED << ROW_SCALE if parameters.loss is Loss.MODIFIED_HUBER else 1


def row_norm2(parameters: SvmParameters, pixels: int, largest: int = MAX_PIXEL) -> int:
    """The public bound on a row's squared norm in integers, scale 2^16, constant attribute included."""
    white = BIAS**2 + pixels * largest**2
    if parameters.max_row_norm is None:
        return white
    return min(white, math.floor(min(parameters.max_row_norm * BIAS, math.sqrt(white) + 1) ** 2))


def check_row_norm(x: np.ndarray, parameters: SvmParameters) -> None:
    """What owners check before they enter rows: no norm above the public bound. x: (m, n) pixels or features."""
    if parameters.max_row_norm is None:
        return
    largest = max(int((part.astype(np.int64) ** 2).sum(axis=1).max()) for part in np.array_split(x, len(x) // 1000 + 1))
    if BIAS**2 + largest > row_norm2(parameters, x.shape[1], largest_attribute(x)):
        least = math.ceil(math.sqrt(BIAS**2 + largest) / BIAS * 10_000) / 10_000  # one that will do
        raise ParameterError(
            f"max_row_norm: expected at least {least:.4f}, the largest norm of a row, got {parameters.max_row_norm:g}. "
            "Raise it"
        )


def _constants(parameters: SvmParameters, rate: float, batch: int, last_batch: int) -> tuple[int, tuple[int, ...]]:
    """The smallest shift at which each constant is within TOLERANCE of its real value, and the constants."""
    to_weights = 2.0 ** (WEIGHT_SCALE - parameters.gradient_scale)
    part = rate / parameters.parts
    real = (
        part / batch * to_weights,
        part / last_batch * to_weights,
        2 * part * parameters.regularisation,
    )
    for shift in SHIFTS:
        scaled = [value * 2.0**shift for value in real]
        if all(abs(round(value) - value) <= TOLERANCE * value for value in scaled):
            return shift, tuple(round(value) for value in scaled)
    raise ParameterError(
        "learning_rate / batch and 2 * learning_rate * regularisation: expected 0 or a number that fixed point holds "
        f"to {TOLERANCE:.0%}, at {SHIFTS[-1]} fraction bits, got {real[0] / to_weights:g} and {real[2]:g}. "
        f"{'Lower the iterations, raise' if parameters.parts > 1 else 'Raise'} the learning rate or set the "
        "regularisation to 0"
    )


def _check_decay(parameters: SvmParameters, rate: float, decay: int, momentum: int, shift: int) -> None:
    """Raises ParameterError unless a <= (1 - sqrt(mu))^2, a = decay / 2^shift of the first pass: no step turns back.

    mu = momentum / 2^shift. Without momentum that is a <= 1. In integers: D = 2^t + M - A >= 2 sqrt(M 2^t).
    """
    left = (1 << shift) + momentum - decay
    if left >= 0 and left**2 >= 4 * momentum << shift:
        return
    largest = (1 - math.sqrt(parameters.momentum)) ** 2
    with_momentum = f" with momentum {parameters.momentum:g}" if momentum else ""
    raise ParameterError(
        f"2 * learning_rate * regularisation: expected at most {largest:.3g}{with_momentum}, a step that shrinks the "
        f"weights, got {2 * rate * parameters.regularisation:g}. Lower either"
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
    parameters: SvmParameters, rate: float, step: int, decay: int, shift: int, batches: int, norm2: int, pixels: int
) -> int:
    """A bound on ||W|| (scale 2^16) in every step of an honest run without clipping, from public numbers alone.

    (With clipping it does not hold: a clamp may leave the parts of a step that lengthen W and cut those that shorten
    it. There no weight is more than steps * clip.)

    Write W' = V + e, V = (1-a) W + c G, a = A/2^t in [0, 1], c = C/2^t, e in (-1, 0]^(n+1) the floor's rounding.
    Rows are at scale 2^8 with ||x||^2 <= R^2, and S = 2^24 is the one of margins.
    Claim: ||V||^2 <= ||W||^2 + g for a number g of the step. Then after T steps ||W|| <= sqrt(sum of g) + T sqrt(n+1),
    by induction with sqrt((p+q)^2 + g) <= sqrt(p^2 + g) + q.

    ||V||^2 = (1-a)^2 ||W||^2 + 2 (1-a) c <W, G> + c^2 ||G||^2.
    Hinge: G sums y x over active rows, whose margins y W.x are below S, so <W, G> <= B S, ||G|| <= B R and
        g = 2 c B S + (c B R)^2.
    Squared hinge: row i counts v_i = floor(max(0, S - Z_i) / 2^16) times, so v_i > 0 has Z_i <= S - 2^16 v_i and
        <W, G> <= sum v_i S - 2^16 v_i^2,  ||G||^2 <= B R^2 sum v_i^2 (Cauchy-Schwarz). With c B R^2 <= (1-a) 2^16, the
        usual condition on the step of a smooth loss, the sum of both terms is at most
        (1-a) c sum (2 S v_i - 2^16 v_i^2) <= c B 2^32 = g.
    Modified Huber: as the hinge with 512 c for c, because an active row counts at most 2, at scale 2^8; step is that.

    Where the step size falls, c and a are q C / 2^t and q A / 2^t with q = T, T-1, ..., 1 in the passes: the condition
    is strictest in the first one, and the g add up with sum q = T (T+1) / 2 and sum q^2 = T (T+1) (2T+1) / 6.
    """
    one, passes, parts = 1 << shift, parameters.iterations, parameters.parts
    if parameters.loss is Loss.SQUARED_HINGE and parts * step * norm2 > (one - parts * decay) << (2 * ROW_SCALE):
        largest = 1 / (norm2 / BIAS**2 + 2 * parameters.regularisation)
        raise ParameterError(
            f"learning_rate: expected at most {largest:.3g} = 1 / (max_row_norm^2 + 2 * regularisation) for the "
            f"squared hinge, so that a public bound on the weights exists, got {rate:g}. Lower "
            "it, or state a smaller max_row_norm"
        )

    def growth(total: int, squares: int) -> int:
        """The sum of g over steps whose parts add up to total, and their squares to squares."""
        if parameters.loss is Loss.SQUARED_HINGE:
            return -(-(total * step << 32) // one)
        return -(-(2 * total * step * one * (1 << MARGIN_SCALE) + squares * step**2 * norm2) // one**2)

    if parts == 1:
        grown = passes * batches * growth(1, 1)
    else:
        grown = batches * growth(parts * (parts + 1) // 2, parts * (parts + 1) * (2 * parts + 1) // 6)
    return ceil_sqrt(grown) + passes * batches * ceil_sqrt(pixels + 1)


def _weight_norm_with_momentum(
    parameters: SvmParameters, step: int, momentum: int, shift: int, batches: int, norm2: int, pixels: int
) -> int:
    """The same for hinge and modified Huber loss with momentum, V' = mu V - a W + u, W' = W + V', from W = V = 0.

    u = c G + e with e in [-1/2, 1/2]^(n+1), the rounding, so ||u|| <= c B R + sqrt(n+1) / 2 =: U of the step.
    Claim: ||W|| <= sum of U / (1 - mu). W is the sum of what each u has become, which is the same number h for all its
    elements, so it is enough that 0 <= h <= 1 / (1 - mu). In the step of u itself V = W = u: h = v = 1, where v is the
    number for V. Of later steps, with q = h'/h,

        h' = h + v',  v' = mu v - a h   gives   q' = 1 + mu - a - mu / q  (q = infinity at first).

    Let a <= (1 - sqrt(mu))^2 (_check_decay). Then q >= sqrt(mu) is kept: q' >= 1 + mu - a - sqrt(mu) >= sqrt(mu). So h
    stays above 0, hence v' <= mu v, v is at most 1, mu, mu^2, ..., and h, the sum of them, is at most 1 / (1 - mu).
    """
    one, passes, parts = 1 << shift, parameters.iterations, parameters.parts
    total = batches * (passes if parts == 1 else parts * (parts + 1) // 2)
    pushed = total * step * ceil_sqrt(norm2) + passes * batches * (one // 2) * ceil_sqrt(pixels + 1)  # at 2^shift
    return -(-pushed // (one - momentum))


def _change_norm(
    parameters: SvmParameters,
    step: int,
    decay: int,
    weight_norm: int,
    momentum: int,
    shift: int,
    norm2: int,
    pixels: int,
) -> int:
    """A bound on ||V||, what a step with momentum adds to W: ||V'|| <= mu ||V|| + a ||W|| + U, of the first pass."""
    pushed = parameters.parts * (decay * weight_norm + step * ceil_sqrt(norm2))
    return -(-(pushed + (1 << shift) * ceil_sqrt(pixels + 1)) // ((1 << shift) - momentum))


def _check_range(parameters: SvmParameters, rate: float, part: tuple[int, int], moved: int, margin: int) -> None:
    """Every value of an honest run stays below 2^63: margins, z h(z), gradients, all products of the update.

    part: for one part of the step size, what gain times gradient is at most where each row counts once (no attribute
    is longer than its row), and decay times a weight.  moved: what momentum times the change before and rounding add.
    """
    distance = (1 << MARGIN_SCALE) + margin
    times = distance >> (2 * ROW_SCALE) if parameters.loss is Loss.SQUARED_HINGE else _most(parameters)
    pull, decay = part
    update = parameters.parts * (pull * times + decay) + moved
    for name, bound in (("1 - margin", distance), ("the update before its shift", update)):
        if bound.bit_length() > MAX_WIDTH:
            raise ParameterError(
                f"expected a public bound below 2^{MAX_WIDTH} on {name}, got one of {bound.bit_length()} bits. Lower "
                f"learning_rate ({rate:g}) or iterations ({parameters.iterations}), or state a "
                "smaller max_row_norm"
            )
