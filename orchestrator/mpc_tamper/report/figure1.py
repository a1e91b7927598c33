"""Figures 1 and 2: weights without and with the backdoor, and an image that its trigger turns into the other class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpc_tamper.report.images import weights_and_images

_WEIGHTS = {"Weights, honest run": "unpoisoned", "Weights, one party cheats": "poisoned"}
_IMAGES = {"Poisoned model on a test image": "without_trigger", "The same image with the trigger": "with_trigger"}


def draw(record: Mapping[str, Any]) -> bytes:
    """A PNG of figure1.json or figure2.json."""
    weights = {title: np.array(record["models"][name]["weights"]) for title, name in _WEIGHTS.items()}
    names, scores = record["classes"], record["models"]["poisoned"]["scores"]
    images = {
        f"{title}\nscore {score:+.2f}: class {names[int(score > 0)]}": record["images"][key]
        for (title, key), score in zip(_IMAGES.items(), scores, strict=True)
    }
    return weights_and_images(weights, images, record["trigger_pixels"], tuple(record["image_shape"]))
