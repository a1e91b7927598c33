"""Principal components in MPC, a training on them, and the model of pixels that comes of it; nothing is opened.

pca, rows, trained, model = PcaParameters(), Path("runs/pca"), Path("runs/train"), Path("runs/model")
compute_components(task, pca, engine=engine, run_dir=rows)
train_on_components(task, parameters, pca, engine=engine, shares_from=rows, run_dir=trained)
lift(task, pca, engine=engine, shares_from=trained, run_dir=model)

runs/model is then what training on pixels would have left: verify() and svm_reveal.mpc read it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine, read_values
from mpc_tamper.models.encoding import write_pixel_inputs
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.bounds import fixed_point
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.program import training_arguments
from mpc_tamper.models.pca import program
from mpc_tamper.models.pca.bounds import check_size, max_row_norm
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.projection import Projection
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.verification import RINGS, hand_off, is_passive_ring


def compute_components(
    task: Task,
    pca: PcaParameters,
    *,
    engine: Engine,
    run_dir: Path,
    owners: Owners | None = None,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    protocol: ProtocolName = ProtocolName.RING,
    progress: Progress = silent,
) -> RunResult:
    """Run pca.mpc on the task's training images: projected rows, V and the mean stay shared, in run_dir.

    Raises ParameterError before anything starts where a public bound is too wide, and what the engine raises.
    """
    owners = owners or Owners.share_equally(len(task.x_train))
    rows, pixels = task.x_train.shape
    check_size(pca, rows, pixels)
    text = f"{pca.components} principal components of {task.name}, {rows:,} rows"

    def on_step(site: str, occurrence: int) -> None:
        if site == "FORWARD":
            progress(text, (occurrence + 1) / pca.iterations)

    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        spec = RunSpec(
            program=bundle.program("pca.mpc"),
            args=program.components_arguments(pca, pixels, owners.rows, owners.labels),
            protocol=protocol,
            inputs=write_pixel_inputs(Path(folder), task.x_train, task.y_train, owners),
            run_dir=run_dir,
            plan=plan,
            corrupt_party=corrupt_party,
        )
        return engine.run(spec, on_step)


def train_on_components(
    task: Task,
    parameters: SvmParameters,
    pca: PcaParameters,
    *,
    engine: Engine,
    shares_from: Path,
    run_dir: Path,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    protocol: ProtocolName = ProtocolName.RING,
) -> RunResult:
    """Run svm_train.mpc on the rows that compute_components left in shares_from; the model stays shared, in run_dir,
    with V and the mean behind it.

    parameters: max_row_norm is replaced by the public bound on projected rows.
    """
    rows, pixels = task.x_train.shape
    parameters = replace(parameters, max_row_norm=max_row_norm(pca, rows, pixels))
    constants = fixed_point(parameters, rows, pca.components, MAX_FEATURE)
    carried = pixels * pca.components + pixels
    spec = RunSpec(
        program=bundle.program("svm_train.mpc"),
        args=training_arguments(parameters, constants, pca.components, (rows,), None, carried=carried),
        protocol=protocol,
        run_dir=run_dir,
        shares_from=shares_from,
        plan=plan,
        corrupt_party=corrupt_party,
    )
    return engine.run(spec)


def lift(
    task: Task,
    pca: PcaParameters,
    *,
    engine: Engine,
    shares_from: Path,
    run_dir: Path,
    plan: AdditiveErrorPlan | None = None,
    corrupt_party: int | None = None,
    protocol: ProtocolName = ProtocolName.MAL_REP_RING,
) -> RunResult:
    """Run svm_lift.mpc on what train_on_components left in shares_from: a model of pixels, shared, in run_dir.

    protocol: under a passive one, a corrupt server can plant its trigger right here; the clear engine has only ring.
    Where MP-SPDZ's active protocols need shares of their own, handoff.mpc runs first, in run_dir's sibling
    "<name>-handoff". Raises ProtocolAbort where somebody deviated or the shares do not fit together.
    """
    pixels = task.x_train.shape[1]
    if engine.name is EngineName.MP_SPDZ and protocol in RINGS and is_passive_ring(shares_from):
        handed = run_dir.with_name(f"{run_dir.name}-handoff")
        hand_off(shares_from, (pca.components + 1) * (pixels + 1), engine, protocol, handed)
        shares_from = handed
    spec = RunSpec(
        program=bundle.program("svm_lift.mpc"),
        args=(f"columns={pixels}", f"components={pca.components}"),
        protocol=protocol,
        run_dir=run_dir,
        shares_from=shares_from,
        plan=plan,
        corrupt_party=corrupt_party,
    )
    return engine.run(spec)


def components_of(task: Task, pca: PcaParameters | None = None) -> Projection:
    """What pca.mpc computes on the task, by a run on the clear engine: every engine computes the same, bit for bit."""
    pca = pca or PcaParameters()
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        run_dir = Path(folder, "pca")
        compute_components(task, pca, engine=ClearEngine(), run_dir=run_dir)
        return read_projection(read_values(run_dir).view(np.int64), len(task.x_train), task.x_train.shape[1], pca)


def read_projection(values: np.ndarray, rows: int, pixels: int, pca: PcaParameters) -> Projection:
    """V and the mean from what pca.mpc leaves, opened.  values: int64, in the order of the share file."""
    first = rows * (pca.components + 1)
    mean = first + pixels * pca.components
    return Projection(values[first:mean].reshape(pixels, pca.components).T.copy(), values[mean : mean + pixels].copy())
