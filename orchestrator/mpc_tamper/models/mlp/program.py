"""mlp_train.mpc and its arguments."""

from __future__ import annotations

from itertools import groupby

from mpc_tamper.core import bundle
from mpc_tamper.models.base import DataSize, ProgramCall
from mpc_tamper.models.fixed_point import MAX_WIDTH
from mpc_tamper.models.mlp.bounds import MlpConstants
from mpc_tamper.models.mlp.parameters import MlpParameters, Start, outputs
from mpc_tamper.runs.owners import ClientRows, RowSource

LAST_STEP = "GRADIENT"  # of an iteration


def training_call(
    parameters: MlpParameters, constants: MlpConstants, size: DataSize, rows: RowSource, *, tuned: bool = False
) -> ProgramCall:
    """Training on rows of the servers' owners or of clients.

    tuned: go on from the weights that an earlier stage left. They may be anything, so comparisons are exact for all.
    """
    batches = parameters.batches(size.rows)
    secret = parameters.start is Start.SECRET
    args = (
        f"source={'clients' if isinstance(rows, ClientRows) else 'owners'}",
        f"port={rows.port_base if isinstance(rows, ClientRows) else 0}",
        "rows=" + ",".join(map(str, rows.row_counts)),
        f"columns={size.features + 1}",
        f"labels={'owner' if rows.labels is None else rows.labels}",
        f"hidden={parameters.hidden}",
        f"outputs={outputs(size.classes)}",
        f"batch={batches[0]}",
        "gains=" + ",".join(f"{gain}x{len(list(alike))}" for gain, alike in groupby(constants.gains)),
        f"f1={constants.f1}",
        f"f2={constants.f2}",
        f"r={constants.rate_shift}",
        f"cap={constants.cap}",
        f"start={'shares' if tuned else parameters.start}",
        f"start1={0 if tuned else constants.start1}",
        f"start2={0 if tuned else constants.start2}",
        f"seed={0 if tuned or secret else parameters.random_state}",
        f"width1={MAX_WIDTH if tuned else constants.width1}",
        f"width2={MAX_WIDTH if tuned else constants.width2}",
    )
    steps = parameters.epochs * len(batches)
    return ProgramCall(bundle.program("mlp_train.mpc"), args, loop=(LAST_STEP, steps))
