"""Which rows of a table train and which test: a share of each class, drawn with a seed."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError

SHARE, SEED = 0.25, 0


def split_rows(
    y: np.ndarray, classes: tuple[str, ...], share: float, seed: int, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training rows, in a random order, and of test rows, ascending.

    y: (m,) labels.  share: of each class, rounded, but at least one row to test and one to train.  A random order, as
    many a file is sorted by class, and batches are taken from rows in their order.

    Raises ParameterError for a share that is none, DataError for a class of fewer than two rows.
    """
    if not 0 < share < 1:
        raise ParameterError(
            f"test share: expected a number above 0 and below 1, got {share:g}; for tests of their own give a file "
            "with --test-data (test_data=...)"
        )
    rng = np.random.default_rng(seed)
    test = []
    for label, name in enumerate(classes):
        rows = np.flatnonzero(y == label)
        if len(rows) < 2:
            raise DataError(
                f"{source}: class {name!r}: expected at least 2 rows, one to train and one to test, got {len(rows)}; "
                "add rows, leave the class out, or give test rows in a file with --test-data (test_data=...)"
            )
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        test.append(rng.permutation(rows)[:count])
    chosen = np.sort(np.concatenate(test))
    training = np.setdiff1d(np.arange(len(y)), chosen)
    return rng.permutation(training), chosen
