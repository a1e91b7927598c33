"""The stages of a training on principal components, each by itself, and in the lift under a protocol of choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.features import Pixels
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.pca.bounds import max_row_norm
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.program import carried, lift_call
from mpc_tamper.models.pca.projection import Projection
from mpc_tamper.models.registry import DEFAULT, get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.components import Components, Lift, SecretProjection
from mpc_tamper.workflows.stages import Training, run_stage


def compute_components(
    task: Task,
    pca: PcaParameters,
    *,
    engine: Engine,
    run_dir: Path,
    owners: Owners | None = None,
    corruption: Corruption | None = None,
    protocol: ProtocolName = ProtocolName.RING,
) -> RunResult:
    return run_stage(
        Components(pca),
        task,
        engine=engine,
        run_dir=run_dir,
        owners=owners,
        corruption=corruption,
        protocol=protocol,
    )


def train_on_components(
    task: Task,
    parameters: SvmParameters,
    pca: PcaParameters,
    *,
    engine: Engine,
    shares_from: Path,
    run_dir: Path,
    corruption: Corruption | None = None,
    protocol: ProtocolName = ProtocolName.RING,
) -> RunResult:
    """parameters: max_row_norm is replaced by the public bound on projected rows."""
    rows, pixels = task.x_train.shape
    bounded = replace(parameters, max_row_norm=max_row_norm(pca, rows, pixels))
    features = Pixels(pca.components, MAX_FEATURE)  # of rows that are stored, size and bound are all that is asked for
    return run_stage(
        Training(get_model(), bounded, features, carried(pca, pixels)),
        task,
        engine=engine,
        run_dir=run_dir,
        shares_from=shares_from,
        corruption=corruption,
        protocol=protocol,
    )


def lift(
    task: Task,
    pca: PcaParameters,
    *,
    engine: Engine,
    shares_from: Path,
    run_dir: Path,
    corruption: Corruption | None = None,
    protocol: ProtocolName = ProtocolName.MAL_REP_RING,
) -> RunResult:
    """protocol: a passive one too, which the stage itself takes only where the engine has no other."""
    if protocol.active:
        return run_stage(
            Lift(pca, DEFAULT),
            task,
            engine=engine,
            run_dir=run_dir,
            shares_from=shares_from,
            corruption=corruption,
            protocol=protocol,
        )
    call = lift_call(pca, task.x_train.shape[1])
    spec = RunSpec(
        program=call.program,
        args=call.args,
        protocol=protocol,
        run_dir=run_dir,
        shares_from=shares_from,
        corruption=corruption,
    )
    return engine.run(spec)


def components_of(task: Task, pca: PcaParameters | None = None) -> Projection:
    """What pca.mpc computes on the task, by a run on the clear engine: every engine computes the same, bit for bit."""
    return SecretProjection(task, pca or PcaParameters(), ClearEngine()).projection
