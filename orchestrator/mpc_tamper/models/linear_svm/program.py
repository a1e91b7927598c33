"""The programs of the linear SVM, and their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from mpc_tamper.models.linear_svm.bounds import FixedPoint
from mpc_tamper.models.linear_svm.parameters import SvmParameters


class Layout(StrEnum):
    """How svm_train.mpc keeps the rows. Both: their transpose too, for full batches; faster on MP-SPDZ alone."""

    ROWS = "rows"
    BOTH = "both"


def training_arguments(
    parameters: SvmParameters,
    constants: FixedPoint,
    pixels: int,
    rows: Sequence[int],
    labels_owner: int | None,
    layout: Layout = Layout.ROWS,
    client_port: int = 0,
    carried: int = 0,
) -> tuple[str, ...]:
    """Arguments of svm_train.mpc. rows: of each owner, or of each client. labels_owner: None where they premultiply
    their rows. client_port: where server 0 waits for the clients; 0 if the rows are the owners'. carried: shares that
    stand behind the rows that an earlier run left, and are to stand behind the weights; 0 if rows are entered."""
    source = "clients" if client_port else "shares" if carried else "owners"
    return (
        f"source={source}",
        f"port={client_port}",
        f"carry={carried}",
        "rows=" + ",".join(map(str, rows)),
        f"columns={pixels + 1}",
        f"labels={'owner' if labels_owner is None else labels_owner}",
        f"loss={parameters.loss}",
        f"epochs={parameters.iterations}",
        f"batch={parameters.batches(sum(rows))[0]}",
        f"gain={constants.gain}",
        f"last_gain={constants.last_gain}",
        f"decay={constants.decay}",
        f"shift={constants.shift}",
        f"clip={constants.clip}",
        f"layout={layout}",
        f"width={constants.width}",
    )
