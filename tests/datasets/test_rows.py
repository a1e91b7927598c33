"""Parts of a task's rows."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.datasets.rows import tests_of_each_class as of_each_class  # not a test
from tests.support.digits import stripes


@pytest.mark.parametrize(("count", "each"), [(9, 3), (11, 3), (2, 1), (1000, 8)])
def test_examples_are_of_all_classes(count: int, each: int) -> None:
    task = stripes(3, 30, 24)
    part = of_each_class(task, count)
    assert np.bincount(part.y_test).tolist() == [each] * 3
    assert part.x_train.tolist() == task.x_train.tolist()
