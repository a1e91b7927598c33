"""Principal components before training: parameters of pca.mpc, and public bounds on every value of a run.

pca.mpc iterates Q <- (X'X Q) P on the centred rows X, m x n pixels: orthogonal iteration, without the n x n matrix. P
is near the inverse square root of the Gram matrix G of W = X'X Q, a product of cubic Newton-Schulz steps (Higham,
Functions of Matrices, 2008, section 8.3), scaled so that small singular values grow fast:

    T = a I - 2 G,  G <- T'GT,  P <- P T,    a = 1.5 * 4^(1/3),

takes a singular value s of W P to p(s) = a s - 2 s^3, and |p(s)| <= 1 for 0 <= s <= 2 / 4^(1/3) = 1.26: however far
apart the singular values are, none grows beyond 1, and small ones grow by a = 2.38 a step. In the end T = (3 I - G) / 2
takes what is then between 0.38 and 1 to 1.

Why nothing leaves 64 bits, for any pixels 0..255:
  mean      column sums are at most 255 m, and 2^40 / m times that at most 255 * 2^40.
  spread    tr X'X, the sum of squares: at most m n 2^14 <= 2^B, as a pixel's variance about its mean is at most
            127.5^2 and the mean's rounding adds less than 1. f, a power of two, has f tr X'X <= 2^B. B is at least 24.
  f X'X Q   columns not longer than f ||X'X|| ||Q|| <= 2^B ||Q||, with Q at scale 2^(61-B) and ||Q|| <= 1.25: below
            2^62.
  X Q       is not shortened, and may wrap: only the next product has to be right modulo 2^64.
  W'W       at scale 2^(2 (54-B)), at most 2^60, with ||W|| < 2^0.5: below 2^61.
  G, T, P   at 20, 20 and 15 or 16 bits. Before they are shortened, G is at scale 2^60 with a norm of at most 1 + error
            (2^62 in the end), and P T at 2^55 with at most a^6 (2^58 with 2 * 1.5^6 in the end).
slack() follows the roundings through these steps and bounds ||W|| and ||Q||: by 1.2599 and 1.25 for up to 14 components
of MNIST or CIFAR-10. The more pixels there are, the more roundings: check_size() refuses where the bounds are larger.
"""

from __future__ import annotations

import math

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.program import COMPONENT_SCALE

MAX_PIXELS_IN_ALL = 1 << 28

_STEPS = 6
_STRETCH, _POLISH = 1.5 * 4 ** (1 / 3), 1.5  # how much a step enlarges at most
_GRAM_BITS = 20
_SPREAD_BITS = 24  # B, at least
_LARGEST = 1.25  # bound on ||Q||
_LARGEST_PRODUCT = 1.2599  # bound on ||W||: p does not enlarge beyond 1 what is not larger


def check_size(parameters: PcaParameters, rows: int, pixels: int) -> None:
    """Raises ParameterError where the bounds above do not hold."""
    if parameters.components > pixels:
        raise ParameterError(f"components: expected at most the {pixels} features, got {parameters.components}")
    if rows * pixels > MAX_PIXELS_IN_ALL:
        raise ParameterError(
            f"expected at most 2^28 pixels in all, so that no product leaves 64 bits, got {rows} x {pixels}. "
            "Take fewer rows"
        )
    product, basis, _ = slack(parameters.components, rows, pixels)
    if product > _LARGEST_PRODUCT or basis > _LARGEST:
        raise ParameterError(
            f"expected public bounds of at most {_LARGEST_PRODUCT} on the norm of X'X Q and {_LARGEST} on that of Q, "
            f"so that rounding errors do not grow, got {product:.4f} and {basis:.4f} for {parameters.components} "
            f"components of {rows} x {pixels} pixels. Take fewer rows, smaller images or fewer components"
        )


def slack(components: int, rows: int, pixels: int) -> tuple[float, float, float]:
    """Bounds on ||W|| and ||Q|| within the iteration, given ||Q|| <= 1.25 in the one before, and on ||V|| in the end.

    An entry rounded to nearest at 2^b is off by 2^-(b+1), a k x k matrix of them by k 2^-(b+1), in the spectral norm.
    """
    k = components
    basis_bits = 61 - max(_SPREAD_BITS, (rows * pixels * 2**14 - 1).bit_length())
    w = _LARGEST + math.sqrt(pixels * k) * 2.0 ** -(basis_bits - 6)
    stretched = _after_steps(_STRETCH, w, k, p_bits=15, last_bits=7)
    start = stretched + math.sqrt(pixels * k) * 2.0**-23
    polished = _after_steps(_POLISH, start, k, p_bits=16, last_bits=16)
    return w, stretched, polished + math.sqrt(pixels * k) * 2.0 ** -(COMPONENT_SCALE + 1)


def _after_steps(growth: float, w: float, k: int, *, p_bits: int, last_bits: int) -> float:
    """A bound on ||W P||.

    gram: ||G - P'W'W P|| for P unrounded; G is then at least -gram I, so ||T|| <= growth + gram * (2 or 0.5).
    p: ||W (P - P unrounded)||.
    """
    gram = p = 0.0
    slope = 2.0 if growth > 2 else 0.5
    gram = k * 2.0 ** -(_GRAM_BITS + 1)
    for step in range(_STEPS):
        t = growth + slope * gram
        last = step == _STEPS - 1
        p = p * t + w * k * 2.0 ** -((last_bits if last else p_bits) + 1)
        gram = gram * t * t + k * 2.0 ** -(_GRAM_BITS + 1)
    return math.sqrt(1 + gram) + p


def max_row_norm(parameters: PcaParameters, rows: int, pixels: int) -> float:
    """A public bound on a projected row, constant attribute included, for SvmParameters.max_row_norm.

    A row of pixels less the mean is not longer than 255 sqrt(n), and V lengthens it by its norm; then k values round.
    """
    *_, longest = slack(parameters.components, rows, pixels)
    projected = MAX_PIXEL * math.sqrt(pixels) * longest + math.sqrt(parameters.components) / 2
    return math.ceil(math.hypot(BIAS, projected) / BIAS * 1000) / 1000
