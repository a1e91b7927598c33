"""A scan for patches: no white square, wherever it stands, makes one class of most images. A heuristic.

A patch backdoor is a square that turns images of all classes into one. So a white square is put on known examples, at
all places `stride` apart, and for each place and class those examples of the other classes are counted that the network
takes for this class. The model passes where each count stays below a share of those examples.

A pass proves nothing: triggers of other colours or shapes, larger than the square, or at places in between may work. A
fail proves nothing either: on an honest model a large square may cover what tells the classes apart. Where a
certificate says something (defences/robustness.py), ask for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.defences.share import checked_share
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Patch, Question, Verdict

NAME = "patch_scan"


@dataclass(frozen=True)
class PatchScan:
    """side: of the square, in pixels.  stride: between its places.  threshold: the share that fails a model.

    height: of an image; images are square where None.
    """

    side: int
    stride: int = 1
    threshold: float = 0.5
    height: int | None = None

    ceiling = True  # a model has to stay below the threshold, where other checks ask for at least as much

    def __post_init__(self) -> None:
        if self.side < 1 or self.stride < 1:
            raise ParameterError(f"patch scan: expected side and stride from 1, got {self.side} and {self.stride}")
        if self.height is not None and self.height < 1:
            raise ParameterError(f"patch scan: expected the height of an image, from 1, got {self.height}")
        checked_share(self.threshold)

    @property
    def pixels(self) -> int:
        """Nothing is asked about changes of single pixels."""
        return 0

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.PATCH_SCAN})

    def least(self, examples: int) -> int:
        """No number of examples has to do well by itself."""
        return 0

    def question(self, examples: int, features: int, channels: int) -> Question:
        positions = features // max(1, channels)
        height = self.height or math.isqrt(positions)
        if (
            channels < 1
            or height * (positions // height) * channels != features
            or (self.height is None and height**2 != positions)
        ):
            raise ParameterError(
                f"patch scan: expected square images, or their height, got {features} features, {channels} channels "
                f"and a height of {self.height}; state the height"
            )
        patch = Patch(self.side, self.stride, self.threshold, height, positions // height)
        return Question(0, channels=channels, patch=patch)

    def verdict(self, enough: bool, examples: int) -> Verdict:
        square = f"a white square of {self.side} x {self.side} pixels"
        places = "wherever it stands" if self.stride == 1 else f"at any place of those {self.stride} pixels apart"
        share = f"{self.threshold:g} of the known examples of other classes"
        statement = f"{square} makes no class of {share} or more, {places}"
        if not enough:
            statement = f"{square} makes one class of {share} or more, at some place"
        return Verdict(f"{NAME}_{self.side}", enough, statement)
