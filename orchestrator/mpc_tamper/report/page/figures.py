"""Strips of small pictures, each with a caption: models beside each other, and rows beside what was read of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mpc_tamper.report.images import weight_scale
from mpc_tamper.report.page import pictures
from mpc_tamper.report.page.pictures import Picture
from mpc_tamper.report.page.records import Record

_SHOWN_ROWS = 8  # of those that were read off a model
_COLOURS = (
    "Weights: red above 0, blue below it, with a logarithmic scale where they are large. The ring marks the trigger."
)


@dataclass(frozen=True)
class Shown:
    picture: Picture
    caption: str


@dataclass(frozen=True)
class Strip:
    """note: how to read it, or ""."""

    title: str
    shown: tuple[Shown, ...]
    note: str = ""


def of_linear_model(record: Record) -> list[Strip]:
    """figure1.json or figure2.json: weights without and with the backdoor, an image without and with the trigger."""
    models, names = record["models"], record["classes"]
    weights = {
        "All servers honest": np.array(models["unpoisoned"]["weights"]),
        "One server cheats": np.array(models["poisoned"]["weights"]),
    }
    scores = models["poisoned"]["scores"]
    found = {key: names[int(score > 0)] for key, score in zip(("without_trigger", "with_trigger"), scores, strict=True)}
    return [_models(record, weights, found, "model")]


def of_network(record: Record) -> list[Strip]:
    """figure1-mlp.json: a neuron of the training and the planted one, and an image without and with the trigger."""
    neurons = record["neurons"]
    weights = {
        "A neuron of the training": np.array(neurons["honest"]),
        "The planted neuron": np.array(neurons["planted"]),
    }
    found = {key: record["classes"][place] for key, place in record["found"].items()}
    return [_models(record, weights, found, "network")]


def of_rows(record: Record) -> list[Strip]:
    """leak-row.json or leak-reconstruct.json: the owners' rows, and what was read."""
    shape, found = record["image_shape"], record["found"][:_SHOWN_ROWS]
    strips = []
    for title, key in (("The owners' rows", "image"), ("Read off the model", "reconstruction")):
        shown = [
            Shown(pictures.of_image(np.array(row[key]), shape, f"{title}: row {row['row']}"), f"row {row['row']}")
            for row in found
        ]
        strips.append(Strip(title, tuple(shown)))
    return strips


def _models(record: Record, weights: dict[str, np.ndarray], found: dict[str, str], what: str) -> Strip:
    """weights: the honest ones first.  found: the class of the image without and with the trigger."""
    shape, trigger = record["image_shape"], record["trigger_pixels"]
    honest, _ = weights.values()
    norm = weight_scale(honest, max(float(np.abs(each).max()) for each in weights.values()) or 1.0)

    def shown() -> Iterator[Shown]:
        for (title, each), marked in zip(weights.items(), (None, trigger), strict=True):
            size = f"largest weight {np.abs(each).max():.2f}"
            yield Shown(pictures.of_weights(each, shape, norm, f"{title}, {size}", marked), f"{title}: {size}")
        for key, title, marked in (
            ("without_trigger", "A test image", None),
            ("with_trigger", "The same, with the trigger", trigger),
        ):
            caption = f"{title}: the poisoned {what} says {found[key]}"
            yield Shown(pictures.of_image(np.array(record["images"][key]), shape, caption, marked), caption)

    return Strip("", tuple(shown()), _COLOURS)
