"""The programs of principal components, and where errors enter them."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

COMPONENT_SCALE = 16  # of V
EXCESS = 22  # bits of V in the output of the last APPLY that are rounded away


def components_call(parameters: PcaParameters, pixels: int, owners: Owners) -> ProgramCall:
    """pca.mpc, without the owners' inputs."""
    args = (
        "rows=" + ",".join(map(str, owners.row_counts)),
        f"columns={pixels}",
        f"labels={'owner' if owners.labels is None else owners.labels}",
        f"components={parameters.components}",
        f"iterations={parameters.iterations}",
    )
    return ProgramCall(bundle.program("pca.mpc"), args, loop=("FORWARD", parameters.iterations))


def lift_call(parameters: PcaParameters, pixels: int) -> ProgramCall:
    """svm_lift.mpc."""
    args = (f"columns={pixels}", f"components={parameters.components}")
    return ProgramCall(bundle.program("svm_lift.mpc"), args)


def carried(parameters: PcaParameters, pixels: int) -> int:
    """How many shares pca.mpc leaves after the rows: V and the mean."""
    return pixels * parameters.components + pixels


def errors_in_components(errors: np.ndarray, parameters: PcaParameters) -> AdditiveErrorPlan:
    """A plan that adds exactly these to V, whatever the data: in the last product, before it is rounded.

    errors: (n, k) integers at scale 2^16.
    """
    pixels, components = np.nonzero(errors)
    return AdditiveErrorPlan.from_errors(
        AdditiveError("APPLY", parameters.iterations, i * parameters.components + c, int(errors[i, c]) << EXCESS)
        for i, c in zip(pixels.tolist(), components.tolist(), strict=True)
    )
