"""Small images that tests train on."""

from __future__ import annotations

from functools import cache

import numpy as np

from mpc_tamper.datasets import Task
from mpc_tamper.datasets.checks import checked

SIDE = 12


def made(x: np.ndarray, y: np.ndarray, shape: tuple[int, ...], name: str = "made") -> Task:
    """The same images for training and testing."""
    return Task(name, x, y, x, y, shape, ("0", "1"), "made for tests", sha256="0" * 64)


def halves(
    name: str,
    *,
    side: int,
    rows: int,
    test_rows: int,
    frame: tuple[int, int] = (0, 0),
    dark: int = 40,
    light: int = 200,
    shade: int = 0,
    seed: int = 7,
) -> Task:
    """Square images in two classes, bright on the left or on the right. frame: black rows and columns around them.

    dark: noise below it.  light: what brightens a half.  shade: below it, what the upper and the lower half get too.
    """
    rng = np.random.default_rng(seed)
    high, wide = side - 2 * frame[0], side - 2 * frame[1]

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(count) % 2).astype(np.uint8)
        inside = rng.integers(0, dark, size=(count, high, wide))
        inside[y == 0, :, : wide // 2] += light
        inside[y == 1, :, wide // 2 :] += light
        if shade:
            inside[:, : high // 2] += rng.integers(0, shade, size=(count, 1, 1))
            inside[:, high // 2 :] += rng.integers(0, shade, size=(count, 1, 1))
        x = np.pad(inside, [(0, 0), *((border, border) for border in frame)])
        return x.reshape(count, side * side).astype(np.uint8), y

    x_train, y_train = images(rows)
    x_test, y_test = images(test_rows)
    shape, classes = (side, side), ("left", "right")
    return checked(Task(name, x_train, y_train, x_test, y_test, shape, classes, "made for tests", sha256="0" * 64))


def striped(classes: int, *, side: int = 6, rows: int = 60, test_rows: int = 30) -> Task:
    """Square images of many classes, one after the other: class c is bright in column c."""
    rng = np.random.default_rng(classes)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(count) % classes).astype(np.uint8)
        x = rng.integers(0, 40, size=(count, side, side))
        x[np.arange(count), :, y] += 200
        return x.reshape(count, side * side).astype(np.uint8), y

    names = tuple(map(str, range(classes)))
    return checked(
        Task("striped", *images(rows), *images(test_rows), (side, side), names, "made for tests", sha256="0" * 64)
    )


@cache
def framed_task() -> Task:
    """60 training and 40 test images of 12 x 12 pixels within a dark frame."""
    return halves("framed", side=SIDE, rows=60, test_rows=40, frame=(4, 3), light=180)
