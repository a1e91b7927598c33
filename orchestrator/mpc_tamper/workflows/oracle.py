"""What a verification would open, asked of the clear engine: for studies, in which nobody hides anything.

The program is the one that verifies in three-party computation, and so is its answer, bit for bit. Nothing is counted
and nobody is protected: this is no verification of a model that anybody relies on (workflows/verification.py is).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import Architecture, Model
from mpc_tamper.models.checks import Check
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.spec import RunSpec

Asked = Callable[[Check], bool]
"""Whether a trained model passes a check on known examples."""


def oracle(shares_from: Path, x: np.ndarray, y: np.ndarray, *, channels: int = 1) -> Asked:
    """Of a model that the clear engine trained.

    shares_from: what it left.  x: (m, n) features of the known examples, as the model was trained on.  y: (m,) classes.
    """
    described = ModelDescription.read(shares_from)
    model = get_model() if described is None else get_model(described.model)
    architecture: Architecture = {} if described is None else described.architecture

    def asked(check: Check) -> bool:
        return _bit(model, architecture, check, shares_from, x, y, channels)

    return asked


def _bit(
    model: Model,
    architecture: Architecture,
    check: Check,
    shares_from: Path,
    x: np.ndarray,
    y: np.ndarray,
    channels: int,
) -> bool:
    model.require(check.needs, "this check")
    with TemporaryFolder() as folder:
        question = check.question(len(x), x.shape[1], channels)
        call = model.verification(question, x, y, Path(folder), None, architecture)
        spec = RunSpec(
            program=call.program,
            args=call.args,
            protocol=ProtocolName.RING,
            inputs=call.inputs,
            run_dir=Path(folder, "verify"),
            shares_from=shares_from,
        )
        output = get_engine(EngineName.CLEAR).run(spec).binary_output
    if output not in ((0,), (1,)):
        raise ProtocolAbort(f"expected one opened bit, got {len(output)} values; nothing is to be believed")
    return output == (1,)
