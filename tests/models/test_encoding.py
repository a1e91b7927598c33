"""Rows, labels and owners' files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.engines.mp_spdz.run_folder import write_inputs
from mpc_tamper.models.encoding import integer_rows, signs, write_pixel_inputs
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.bounds import check_row_norm
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.owners import Owners

X = np.array([[0, 255], [7, 8], [9, 10]], dtype=np.uint8)
Y = np.array([1, 0, 1], dtype=np.uint8)


def read(path: Path | None) -> list[int]:
    assert path is not None
    return np.fromfile(path, dtype="<i8").tolist()


def test_rows_have_the_constant_attribute_first() -> None:
    rows = integer_rows(X)
    assert rows.dtype == np.int64
    assert rows.tolist() == [[256, 0, 255], [256, 7, 8], [256, 9, 10]]


def test_owners_premultiply_by_their_labels(tmp_path: Path) -> None:
    files = write_inputs(tmp_path, X, Y, Owners((2, 1)))
    assert read(files[0].binary) == [256, 0, 255, -256, -7, -8]
    assert read(files[1].binary) == [256, 9, 10]
    assert set(files) == {0, 1}


def test_rows_may_hold_integer_features(tmp_path: Path) -> None:
    features = np.array([[-300, MAX_FEATURE], [0, -MAX_FEATURE], [7, 1]], dtype=np.int32)
    assert integer_rows(features).tolist() == [[256, -300, MAX_FEATURE], [256, 0, -MAX_FEATURE], [256, 7, 1]]
    files = write_inputs(tmp_path, features, Y, Owners((2, 1)))
    assert read(files[0].binary) == [256, -300, MAX_FEATURE, -256, 0, MAX_FEATURE]
    check_row_norm(features, SvmParameters(max_row_norm=4100.0))
    with pytest.raises(ParameterError, match=r"max_row_norm: expected at least 4096\.0003, .* got 10"):
        check_row_norm(features, SvmParameters(max_row_norm=10.0))


@pytest.mark.parametrize("value", [MAX_FEATURE + 1, -MAX_FEATURE - 1, 2**31 - 1, -(2**31)])
def test_features_out_of_range(value: int) -> None:
    with pytest.raises(DataError, match=f"expected features from -{MAX_FEATURE} to {MAX_FEATURE}, got"):
        integer_rows(np.array([[0, value]], dtype=np.int32))


@pytest.mark.parametrize("labels", [None, 0, 2])
def test_rows_of_pixels_alone(tmp_path: Path, labels: int | None) -> None:
    """For pca.mpc: without the constant attribute, not multiplied; who holds labels enters them behind its rows."""
    files = write_pixel_inputs(tmp_path, X, Y, Owners((2, 1), labels))
    rows = {0: [0, 255, 7, 8], 1: [9, 10], 2: []}
    for party, known in {0: [1, -1], 1: [1]}.items() if labels is None else {labels: [1, -1, 1]}.items():
        rows[party] = [*rows[party], *known]
    assert {party: read(f.binary) for party, f in files.items()} == {p: r for p, r in rows.items() if r}
    with pytest.raises(DataError, match="expected images of uint8"):
        write_pixel_inputs(tmp_path, X.astype(np.int32), Y, Owners((2, 1)))


@pytest.mark.parametrize("labels", [0, 1, 2])
def test_labels_of_another_owner_come_after_its_rows(tmp_path: Path, labels: int) -> None:
    files = write_inputs(tmp_path, X, Y, Owners((2, 1), labels))
    rows = {0: [256, 0, 255, 256, 7, 8], 1: [256, 9, 10], 2: []}
    rows[labels] = [*rows[labels], 1, -1, 1]
    assert {party: read(f.binary) for party, f in files.items()} == {p: r for p, r in rows.items() if r}


def test_only_the_owner_reads_its_file(tmp_path: Path) -> None:
    path = write_inputs(tmp_path, X, Y, Owners((3,)))[0].binary
    assert path is not None
    assert path.stat().st_mode & 0o077 == 0


def test_rows_are_split_equally() -> None:
    assert Owners.share_equally(10, 3) == Owners((4, 3, 3))
    assert Owners.share_equally(10, 1, labels=2) == Owners((10,), 2)


@pytest.mark.parametrize(("rows", "labels"), [((), None), ((1, 0), None), ((1, 1, 1, 1), None), ((3,), 3), ((3,), -1)])
def test_owners_out_of_range(rows: tuple[int, ...], labels: int | None) -> None:
    with pytest.raises(ParameterError):
        Owners(rows, labels)


def test_no_more_owners_than_parties() -> None:
    with pytest.raises(ParameterError, match="expected 1 to 3, got 4"):
        Owners.share_equally(10, 4)


def test_labels_outside_zero_and_one() -> None:
    with pytest.raises(DataError, match=r"expected a list of labels 0 and 1, got \[2\]"):
        signs(np.array([0, 1, 2]))


@pytest.mark.parametrize("x", [X.astype(float), X[0]])
def test_images_of_another_form(x: np.ndarray) -> None:
    with pytest.raises(DataError, match="uint8"):
        integer_rows(x)


def test_counts_that_differ(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected 4 images and labels, got 3 images and 3 labels"):
        write_inputs(tmp_path, X, Y, Owners((4,)))
    assert not list(tmp_path.iterdir())


def test_owners_check_the_public_norm() -> None:
    check_row_norm(X, SvmParameters())
    check_row_norm(X, SvmParameters(max_row_norm=1.4115))
    for norm in (1.4114, 1.0, 0.001):
        with pytest.raises(
            ParameterError, match=rf"expected at least 1\.4115, the largest norm of a row, got {norm:g}\."
        ):
            check_row_norm(X, SvmParameters(max_row_norm=norm))
