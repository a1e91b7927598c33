"""Open shares for analysis: an experimenter's tool, and no part of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ShareFileError, ShareFolderError, UsageError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.description import FILE, ModelDescription
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec

AFTER_PASSIVE_TRAINING = (
    "this model was trained under a passive protocol: if a server cheated, the opened model may be a row of an owner's "
    "data (docs/findings.md)"
)


def open_model(
    shares_from: Path,
    *,
    engine: Engine,
    insecure_rows_of_clients: bool = False,
    progress: Progress = silent,
) -> OpenedModel:
    """The model whose shares a training left in this folder.

    insecure_rows_of_clients: open one that was trained on rows of clients as well; else a UsageError.
    """
    described = ModelDescription.read(shares_from)
    if described is None:
        raise ShareFolderError(
            f"{shares_from}: expected the folder of a training, with its description {FILE}, got none; give the run "
            "folder of mpc-tamper train, or open shares with svm_reveal.mpc"
        )
    if described.of_clients and not insecure_rows_of_clients:
        raise UsageError(
            f"{shares_from}: expected a model of the servers' own owners to open, got one trained on rows of clients, "
            "who were told that the servers learn none of them. Verify or serve it instead; for experiments only, "
            "--insecure-open-model-of-clients (insecure_rows_of_clients=True) opens it"
        )
    progress("opening the model for analysis" + (f"; {AFTER_PASSIVE_TRAINING}" if described.passive else ""))
    with TemporaryFolder() as folder:
        weights = open_shares(shares_from, described.shares, engine, Path(folder, "reveal"), described.protocol)
    return get_model(described.model).opened(weights, described.architecture)


def open_shares(
    shares_from: Path, count: int, engine: Engine, run_dir: Path, protocol: ProtocolName = ProtocolName.RING
) -> np.ndarray:
    """Run svm_reveal.mpc: the first values of a run's share files, (count,) int64."""
    opening = engine.run(
        RunSpec(
            program=bundle.program("svm_reveal.mpc"),
            args=(f"columns={count}",),
            protocol=protocol,
            run_dir=run_dir,
            shares_from=shares_from,
        )
    )
    values = np.array(opening.binary_output, dtype=np.int64)
    if len(values) != count:
        raise ShareFileError(f"expected {count} opened values, got {len(values)}. Use a fresh run folder")
    return values
