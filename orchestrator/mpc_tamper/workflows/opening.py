"""Open shares for analysis: an experimenter's tool, and no part of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ShareFileError
from mpc_tamper.engines.base import Engine
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec


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
