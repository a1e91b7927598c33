"""Removal of low-variance features: the training leaves out what the paper blames for its one-pixel attack.

"The attack described earlier was possible because the dataset had a low variance direction." Pixels that hardly vary,
such as the black corners of MNIST, hardly matter to the model, and what an attacker plants on them stays: no honest
gradient touches it. The owners leave out the pixels whose variance over the training images is
below a share of the mean variance, and train on the others. Which pixels are left out is public.

What it cannot do: the attacker reads the mask too and puts the trigger on pixels that are kept, at the price of
somewhat larger errors. Colour images have hardly any pixels of low variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.features import Pixels
from mpc_tamper.scenarios.scenario import Scenario

SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Kept:
    """The FeatureMap that leaves pixels out.  indices: (k,) of those that are kept, ascending."""

    indices: np.ndarray
    largest: int = MAX_PIXEL

    @property
    def size(self) -> int:
        return len(self.indices)

    def features(self, images: np.ndarray) -> np.ndarray:
        return images[:, self.indices]

    def direction(self, delta: np.ndarray) -> np.ndarray:
        return delta[self.indices].astype(np.float64)


def kept_pixels(images: np.ndarray, share: float = SHARE) -> Kept:
    """Those whose variance is at least `share` of the mean variance of all.  images: (m, n) pixels."""
    if not 0 <= share <= 1:
        raise ParameterError(f"share of the mean variance: expected 0 to 1, got {share}")
    variance = images.var(axis=0, dtype=np.float64)
    return Kept(np.flatnonzero(variance >= share * variance.mean()))


def low_variance(share: float = SHARE) -> Callable[[Scenario], Scenario]:
    """A Defence's change. The owners compute the mask on their images before they enter any."""

    def change(scenario: Scenario) -> Scenario:
        if not isinstance(scenario.features, Pixels):
            raise ParameterError(
                "removal of low-variance pixels: expected a training on pixels, got another's features"
            )

        def fit(images: np.ndarray) -> Kept:
            return kept_pixels(images, share)

        kept = fit(scenario.task.x_train)
        return scenario if kept.size == scenario.features.size else replace(scenario, features=kept, fit=fit)

    return change
