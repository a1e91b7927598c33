"""What a cheating server can do to a model trained in multi-party computation, and what stops it.

    import mpc_tamper as mt

    task = mt.load_task("mnist_0_1")
    trigger = mt.Trigger.patch(task.image_shape, row=2, column=2)
    honest = mt.train(task).open()  # training itself opens nothing
    poisoned = mt.attack(task, trigger, corrupt_party=1)
    print(honest.evaluate(task, trigger), poisoned.evaluate(task, trigger))

Everything that is needed to load a task, train, open, attack, verify, query, read a result and write an attack is here,
by name; nothing below this package has to be imported. Engines are given by name ("rep3", "clear", "mp-spdz") or as
objects.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from mpc_tamper.core.errors import (
    DataError,
    EngineUnavailable,
    ParameterError,
    PartyError,
    PlanError,
    ProgramError,
    ProtocolAbort,
    TamperError,
    UsageError,
)
from mpc_tamper.runs.protocols import EngineName, ProtocolName

if TYPE_CHECKING:
    from mpc_tamper.api import attack, open_model, query, read_results, run, train, verify
    from mpc_tamper.attacks.patch import place_features, place_patch
    from mpc_tamper.attempts import Tried, try_attack
    from mpc_tamper.core.progress import Progress
    from mpc_tamper.datasets.load import load_tables, load_task
    from mpc_tamper.datasets.rows import first_rows
    from mpc_tamper.datasets.tables.schema import Column, Schema
    from mpc_tamper.datasets.tables.schema_files import read_schema, write_schema
    from mpc_tamper.datasets.tables.task import Reading, read_labelled, read_unlabelled, table_task
    from mpc_tamper.datasets.task import Task
    from mpc_tamper.datasets.trigger import Trigger
    from mpc_tamper.defences.accuracy import AccuracyThreshold
    from mpc_tamper.defences.base import Defence
    from mpc_tamper.defences.patch_scan import PatchScan
    from mpc_tamper.defences.robustness import PixelRobustness
    from mpc_tamper.engines.base import Engine
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.models.capabilities import Capability
    from mpc_tamper.models.checks import Verdict
    from mpc_tamper.models.linear_svm.parameters import Loss, Schedule, SvmParameters
    from mpc_tamper.models.metrics import Metrics
    from mpc_tamper.models.mlp.parameters import MlpParameters, Start
    from mpc_tamper.runs.corruption import Corruption
    from mpc_tamper.runs.network import Network, read_network
    from mpc_tamper.runs.owners import ClientRows, Owners
    from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
    from mpc_tamper.runs.result import RunResult
    from mpc_tamper.scenarios.scenario import Attack, Attempt, Scenario
    from mpc_tamper.workflows.training import SecretModel, TrainedModel
    from mpc_tamper.workflows.verification import Verification

_PLACES = {
    "attack": "api",
    "open_model": "api",
    "query": "api",
    "read_results": "api",
    "run": "api",
    "train": "api",
    "try_attack": "attempts",
    "verify": "api",
    "place_features": "attacks.patch",
    "place_patch": "attacks.patch",
    "Progress": "core.progress",
    "load_tables": "datasets.load",
    "load_task": "datasets.load",
    "first_rows": "datasets.rows",
    "Column": "datasets.tables.schema",
    "Schema": "datasets.tables.schema",
    "read_schema": "datasets.tables.schema_files",
    "write_schema": "datasets.tables.schema_files",
    "Reading": "datasets.tables.task",
    "read_labelled": "datasets.tables.task",
    "read_unlabelled": "datasets.tables.task",
    "table_task": "datasets.tables.task",
    "Task": "datasets.task",
    "Trigger": "datasets.trigger",
    "AccuracyThreshold": "defences.accuracy",
    "Defence": "defences.base",
    "PatchScan": "defences.patch_scan",
    "PixelRobustness": "defences.robustness",
    "Engine": "engines.base",
    "get_engine": "engines.registry",
    "Capability": "models.capabilities",
    "Verdict": "models.checks",
    "Loss": "models.linear_svm.parameters",
    "Schedule": "models.linear_svm.parameters",
    "SvmParameters": "models.linear_svm.parameters",
    "Metrics": "models.metrics",
    "MlpParameters": "models.mlp.parameters",
    "Start": "models.mlp.parameters",
    "Corruption": "runs.corruption",
    "Network": "runs.network",
    "read_network": "runs.network",
    "ClientRows": "runs.owners",
    "Owners": "runs.owners",
    "EVERY": "runs.plan",
    "AdditiveError": "runs.plan",
    "AdditiveErrorPlan": "runs.plan",
    "RunResult": "runs.result",
    "Attack": "scenarios.scenario",
    "Attempt": "scenarios.scenario",
    "Scenario": "scenarios.scenario",
    "Tried": "attempts",
    "SecretModel": "workflows.training",
    "TrainedModel": "workflows.training",
    "Verification": "workflows.verification",
}

__all__ = [
    "EVERY",
    "AccuracyThreshold",
    "AdditiveError",
    "AdditiveErrorPlan",
    "Attack",
    "Attempt",
    "Capability",
    "ClientRows",
    "Column",
    "Corruption",
    "DataError",
    "Defence",
    "Engine",
    "EngineName",
    "EngineUnavailable",
    "Loss",
    "Metrics",
    "MlpParameters",
    "Network",
    "Owners",
    "ParameterError",
    "PartyError",
    "PatchScan",
    "PixelRobustness",
    "PlanError",
    "ProgramError",
    "Progress",
    "ProtocolAbort",
    "ProtocolName",
    "Reading",
    "RunResult",
    "Scenario",
    "Schedule",
    "Schema",
    "SecretModel",
    "Start",
    "SvmParameters",
    "TamperError",
    "Task",
    "TrainedModel",
    "Tried",
    "Trigger",
    "UsageError",
    "Verdict",
    "Verification",
    "attack",
    "first_rows",
    "get_engine",
    "load_tables",
    "load_task",
    "open_model",
    "place_features",
    "place_patch",
    "query",
    "read_labelled",
    "read_network",
    "read_results",
    "read_schema",
    "read_unlabelled",
    "run",
    "table_task",
    "train",
    "try_attack",
    "verify",
    "write_schema",
]


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is: a party and the command line need little of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
