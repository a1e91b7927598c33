"""The k-pixel certificate: whatever k pixels are changed, known examples keep their correct class.

For a linear model f(x) = w.x let a_j be the sum over the channels of |w| at pixel position j, and M_k the sum of the k
largest a_j. A change of k positions by at most 255 in each channel moves f(x) by at most 255 M_k, and the worst one
with pixels that may go beyond 0..255 moves it by just that. So an example (x, y) with

    y w.x + [y = -1] > 255 M_k

is classified correctly and stays so: it is certified. That holds for triggers clipped to 0..255 and for the unclipped
x + delta of amplitude at most 1, however they came into the model: by errors, poisoned rows, or bad luck. (A clipped
pixel moves by 255 in all, both ways together, so for clipped triggers the certificate may refuse more than it has to.)

What a pass proves: at least s = ceil(threshold * m) of the m examples are certified. Any trigger of k pixels therefore
changes the class of at most m - s of them. Where m_t examples are not of the target class, its attack success rate
on them is at most (m - s) / m_t <= (1 - threshold) m / m_t: 2 (1 - threshold) for two classes of one size. All |w| are
below 2^30 too (16,384 in real units), so no sum wrapped around. A pass proves nothing about other examples or about
triggers of more pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.defences.share import checked_share, least_count
from mpc_tamper.models.checks import Verdict
from mpc_tamper.models.encoding import signs
from mpc_tamper.models.fixed_point import MAX_PIXEL
from mpc_tamper.models.linear_svm.scoring import scores

NAME = "certificate"
WEIGHT_BITS = 30  # of svm_verify.mpc


@dataclass(frozen=True)
class PixelCertificate:
    """pixels: k, how many an attacker may change.  threshold: the least share of certified examples, above 0."""

    pixels: int
    threshold: float

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ParameterError(f"pixels: expected at least 1 that an attacker may change, got {self.pixels}")
        checked_share(self.threshold)

    def least(self, examples: int) -> int:
        return least_count(self.threshold, examples)

    def verdict(self, enough: bool, examples: int) -> Verdict:
        changed = "1 pixel is" if self.pixels == 1 else f"{self.pixels} pixels are"
        return Verdict(
            f"{NAME}_{self.pixels}",
            enough,
            f"at least {self.least(examples)} of {examples} known examples are classified rightly whatever {changed} "
            "changed",
        )


def certified(weights: np.ndarray, x: np.ndarray, y: np.ndarray, pixels: int, channels: int = 1) -> np.ndarray:
    """Which examples a known model certifies, (m,) bool: exactly what svm_verify.mpc counts.

    weights: (n + 1,) int64 at scale 2^16, bias first, then channel by channel.  x: (m, n) pixels.  y: (m,) classes 0
    and 1.  pixels: k; 0 asks for the right class alone, and scores wrap around modulo 2^64. With k > 0 a model of any
    |w| >= 2^30 certifies nothing.
    """
    check_pixels(pixels, channels, len(weights) - 1)
    margin = scores(weights, x) * signs(y) + (y == 0)
    if pixels == 0:
        negated = (-margin.astype(object) & ((1 << 64) - 1)).astype(np.uint64).view(np.int64)
        return np.asarray(negated < 0, dtype=bool)  # as the program compares: -2^63 counts as positive
    magnitudes = [abs(int(w)) for w in weights]
    if max(magnitudes) >= 1 << WEIGHT_BITS:
        return np.zeros(len(x), dtype=bool)
    per_position = np.array(magnitudes[1:], dtype=np.int64).reshape(channels, -1).sum(axis=0)
    largest = int(np.sort(per_position)[-pixels:].sum())
    return np.asarray(margin > MAX_PIXEL * largest, dtype=bool)


def check_pixels(pixels: int, channels: int, attributes: int) -> None:
    """Raises ParameterError unless so many attributes, bias not counted, have as many pixel positions."""
    if channels < 1 or attributes % channels:
        raise ParameterError(f"channels: expected a number that divides the {attributes} attributes, got {channels}")
    if not 0 <= pixels <= attributes // channels:
        raise ParameterError(
            f"pixels: expected at most the {attributes // channels} pixels of an image, got {pixels}: lower it"
        )
