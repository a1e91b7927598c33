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

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.defences.share import checked_share, least_count
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question, Verdict

NAME = "certificate"


@dataclass(frozen=True)
class PixelRobustness:
    """pixels: k, how many an attacker may change.  threshold: the least share of certified examples, above 0.

    unit: what k counts, for the statement: pixels of an image or features of a table.
    """

    pixels: int
    threshold: float
    unit: str = "pixel"

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ParameterError(f"pixels: expected at least 1 that an attacker may change, got {self.pixels}")
        checked_share(self.threshold)

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.ROBUSTNESS})

    def least(self, examples: int) -> int:
        return least_count(self.threshold, examples)

    def question(self, examples: int, features: int, channels: int) -> Question:
        return Question(self.least(examples), self.pixels, channels)

    def verdict(self, enough: bool, examples: int) -> Verdict:
        changed = f"1 {self.unit} is" if self.pixels == 1 else f"{self.pixels} {self.unit}s are"
        return Verdict(
            f"{NAME}_{self.pixels}",
            enough,
            f"at least {self.least(examples)} of {examples} known examples are classified rightly whatever {changed} "
            "changed",
        )
