"""The patch scan as a check: what it asks, and what it says it found."""

from __future__ import annotations

import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.patch_scan import PatchScan
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Patch, Question


def test_the_question() -> None:
    assert PatchScan(2, 3, 0.4).question(20, 784, 1) == Question(0, 0, 1, Patch(2, 3, 0.4, 28, 28))
    assert PatchScan(4).question(20, 3072, 3) == Question(0, 0, 3, Patch(4, 1, 0.5, 32, 32))
    assert PatchScan(2, height=6).question(20, 60, 1).patch == Patch(2, 1, 0.5, 6, 10)
    assert PatchScan(2).needs == {Capability.PATCH_SCAN}
    assert PatchScan(2).pixels == 0


def test_other_checks_ask_about_no_patch() -> None:
    assert AccuracyThreshold(0.5).question(20, 784, 1) == Question(10)
    assert PixelRobustness(4, 0.5).question(21, 3072, 3) == Question(11, 4, 3)


@pytest.mark.parametrize(
    ("features", "channels", "height"), [(60, 1, None), (60, 1, 7), (784, 3, None), (784, 0, None)]
)
def test_images_of_another_shape_are_refused(features: int, channels: int, height: int | None) -> None:
    with pytest.raises(ParameterError, match="state the height"):
        PatchScan(2, height=height).question(20, features, channels)


def test_what_was_found() -> None:
    passed, failed = (PatchScan(2, 3, 0.5).verdict(bit, 20) for bit in (True, False))
    assert passed.check == failed.check == "patch_scan_2"
    assert passed.passed
    assert not failed.passed
    assert passed.found == (
        "a white square of 2 x 2 pixels makes no class of 0.5 of the known examples of other classes or more, at any "
        "place of those 3 pixels apart"
    )
    assert failed.found == (
        "a white square of 2 x 2 pixels makes one class of 0.5 of the known examples of other classes or more, at some "
        "place"
    )


@pytest.mark.parametrize(
    ("side", "stride", "threshold", "height"), [(0, 1, 0.5, None), (2, 0, 0.5, None), (2, 1, 0.0, None), (2, 1, 0.5, 0)]
)
def test_scans_of_nothing_are_refused(side: int, stride: int, threshold: float, height: int | None) -> None:
    with pytest.raises(ParameterError):
        PatchScan(side, stride, threshold, height)
