"""A scan for patches on an opened network: the reference for what mlp_scan.mpc decides on shares.

A white square of side x side pixels, in all channels, is put on known examples at all places that are `stride` apart.
For each place and class those examples of the other classes are counted that the network takes for this class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.argmax import beats_all
from mpc_tamper.models.checks import Patch
from mpc_tamper.models.mlp.robustness import check_classes
from mpc_tamper.models.mlp.scoring import scores


def places(patch: Patch) -> Iterator[tuple[int, int]]:
    """Row and column of the square's corner, row by row."""
    for row in range(0, patch.height - patch.side + 1, patch.stride):
        for column in range(0, patch.width - patch.side + 1, patch.stride):
            yield row, column


def counts(
    weights: np.ndarray, architecture: Mapping[str, int], x: np.ndarray, y: np.ndarray, patch: Patch
) -> np.ndarray:
    """(places, classes): how many examples of other classes a known network takes for each class with the patch there.

    x: (m, n) pixels, channel by channel.  y: (m,) classes.
    """
    check_patch(patch, x.shape[1])
    check_classes(y, architecture["outputs"])
    found = []
    for row, column in places(patch):
        images = x.reshape(len(x), -1, patch.height, patch.width).copy()
        images[:, :, row : row + patch.side, column : column + patch.side] = MAX_PIXEL
        best = beats_all(scores(weights, architecture, images.reshape(x.shape)))
        best[np.arange(len(y)), y] = False
        found.append(best.sum(axis=0))
    return np.array(found)


def largest_share(
    weights: np.ndarray, architecture: Mapping[str, int], x: np.ndarray, y: np.ndarray, patch: Patch
) -> float:
    """Of all places and classes: the largest part of the examples of others that the network takes for the class."""
    others = _others(y, max(2, architecture["outputs"]))
    found = counts(weights, architecture, x, y, patch)[:, others > 0] / others[others > 0]
    return float(found.max(initial=0))


def passes(weights: np.ndarray, architecture: Mapping[str, int], x: np.ndarray, y: np.ndarray, patch: Patch) -> bool:
    """What mlp_scan.mpc opens: each count is below the threshold's share of the examples of other classes."""
    share = Fraction(repr(float(patch.threshold)))
    found = counts(weights, architecture, x, y, patch)
    return bool((share.denominator * found < share.numerator * _others(y, found.shape[1])).all())


def check_patch(patch: Patch, features: int) -> None:
    """Raises ParameterError unless images of so many features have places for it."""
    if min(patch.height, patch.width) < 1 or features % (patch.height * patch.width):
        raise ParameterError(
            f"patch scan: expected images of {features} features, got a height of {patch.height} and a width of "
            f"{patch.width}: give the shape of the images"
        )
    if not 1 <= patch.side <= min(patch.height, patch.width) or patch.stride < 1:
        raise ParameterError(
            f"patch scan: expected a side from 1 to {min(patch.height, patch.width)} and a stride from 1, got "
            f"{patch.side} and {patch.stride}"
        )


def _others(y: np.ndarray, classes: int) -> np.ndarray:
    """(classes,): how many examples are of other classes."""
    return len(y) - np.bincount(y, minlength=classes)
