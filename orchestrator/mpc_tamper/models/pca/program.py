"""The programs of principal components, and where errors enter them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

COMPONENT_SCALE = 16  # of V
EXCESS = 22  # bits of V in the output of the last APPLY that are rounded away


def components_arguments(
    parameters: PcaParameters, pixels: int, rows: Sequence[int], labels_owner: int | None
) -> tuple[str, ...]:
    """Arguments of pca.mpc. rows: of each owner.  labels_owner: None where they know their rows' labels."""
    return (
        "rows=" + ",".join(map(str, rows)),
        f"columns={pixels}",
        f"labels={'owner' if labels_owner is None else labels_owner}",
        f"components={parameters.components}",
        f"iterations={parameters.iterations}",
    )


def errors_in_components(errors: np.ndarray, parameters: PcaParameters) -> AdditiveErrorPlan:
    """A plan that adds exactly these to V, whatever the data: in the last product, before it is rounded.

    errors: (n, k) integers at scale 2^16.
    """
    pixels, components = np.nonzero(errors)
    return AdditiveErrorPlan.from_errors(
        AdditiveError("APPLY", parameters.iterations, i * parameters.components + c, int(errors[i, c]) << EXCESS)
        for i, c in zip(pixels.tolist(), components.tolist(), strict=True)
    )
