"""mlp_train.mpc and its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mpc_tamper.core import bundle
from mpc_tamper.models.base import DataSize, ProgramCall
from mpc_tamper.models.mlp.bounds import MlpConstants
from mpc_tamper.models.mlp.parameters import MlpParameters, Start, outputs
from mpc_tamper.runs.owners import ClientRows, RowSource

LAST_STEP = "GRADIENT"  # of an iteration


def training_call(parameters: MlpParameters, constants: MlpConstants, size: DataSize, rows: RowSource) -> ProgramCall:
    """Training on rows of the servers' owners or of clients."""
    secret = parameters.start is Start.SECRET
    args = (
        f"source={'clients' if isinstance(rows, ClientRows) else 'owners'}",
        f"port={rows.port_base if isinstance(rows, ClientRows) else 0}",
        "rows=" + ",".join(map(str, rows.row_counts)),
        f"labels={'owner' if rows.labels is None else rows.labels}",
        f"width1={constants.width1}",
        f"width2={constants.width2}",
        f"start={parameters.start}",
        f"start1={constants.start1}",
        f"start2={constants.start2}",
        f"seed={0 if secret else parameters.random_state}",
    )
    return _call(parameters, constants, size, args)


def tuning_from(
    parameters: MlpParameters, constants: MlpConstants, size: DataSize, where: Sequence[str]
) -> ProgramCall:
    """Going on from the weights that an earlier stage left, which may be anything: comparisons are exact for all.

    size: of the known rows.  where: arguments that say where they are.
    """
    return _call(parameters, constants, size, (f"rows={size.rows}", *where))


def _call(parameters: MlpParameters, constants: MlpConstants, size: DataSize, args: tuple[str, ...]) -> ProgramCall:
    """args: what a training and a tuning say differently."""
    batches = parameters.batches(size.rows)
    alike = (
        f"columns={size.features + 1}",
        f"hidden={parameters.hidden}",
        f"outputs={outputs(size.classes)}",
        f"batch={batches[0]}",
        "gains=" + ",".join(f"{gain}x{len(list(alike))}" for gain, alike in groupby(constants.gains)),
        f"f1={constants.f1}",
        f"f2={constants.f2}",
        f"r={constants.rate_shift}",
        f"cap={constants.cap}",
    )
    steps = parameters.epochs * len(batches)
    return ProgramCall(bundle.program("mlp_train.mpc"), args + alike, loop=(LAST_STEP, steps))
