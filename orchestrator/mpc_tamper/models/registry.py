"""The models by name. A model is a folder and a line here; the shared tests run each that is listed.

Nothing is imported before it is asked for: the command line makes its options from the parameters alone. Other
distributions add theirs by entry points of the group mpc_tamper.models (core/plugins.py), which name a Model, its class
or an Entry; an Entry lets the command line start without the module of the model.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from mpc_tamper.core import plugins
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.plugins import Table

if TYPE_CHECKING:
    from mpc_tamper.models.base import Model

DEFAULT = "linear_svm"


@dataclass(frozen=True)
class Entry:
    """Where a model and the class of its public parameters are, as module:name."""

    model: str
    parameters: str


BUNDLED: Mapping[str, Entry] = MappingProxyType(
    {
        "linear_svm": Entry(
            "mpc_tamper.models.linear_svm.model:LinearSvm", "mpc_tamper.models.linear_svm.parameters:SvmParameters"
        ),
        "mlp": Entry("mpc_tamper.models.mlp.model:Mlp", "mpc_tamper.models.mlp.parameters:MlpParameters"),
    }
)


def accepted(name: str, found: object) -> Entry | Model:
    """What an entry point names: a model, its class or an Entry. Raises TypeError for anything else."""
    model: Any = found() if isinstance(found, type) else found
    if isinstance(model, Entry):
        _found(model.parameters)  # the command line makes options of them as it starts
        return model
    needed = ("name", "parameters", "capabilities", "training", "opened")
    missing = [part for part in needed if not hasattr(model, part)]
    if missing:
        raise TypeError(f"a {type(model).__name__} without {', '.join(missing)}, which a model has")
    if model.name != name:
        raise TypeError(f"a model of another name, {model.name!r}")
    return cast("Model", model)


MODELS: Table[Entry | Model] = Table("model", plugins.MODELS, BUNDLED, accepted)


def model_names() -> list[str]:
    return list(MODELS)


def get_model(name: str = DEFAULT) -> Model:
    """The same object each time. Raises ParameterError for a name that is not registered."""
    entry = _entry(name)
    return _made(entry) if isinstance(entry, Entry) else entry


def get_parameters(name: str) -> type[Any]:
    """The class of a model's public parameters, a frozen dataclass. Raises ParameterError as get_model() does."""
    entry = _entry(name)
    return _found(entry.parameters) if isinstance(entry, Entry) else entry.parameters


def _entry(name: str) -> Entry | Model:
    if name not in MODELS:
        raise ParameterError(f"model: expected {' or '.join(MODELS)}, got {name!r}")
    return MODELS[name]


@functools.cache
def _made(entry: Entry) -> Model:
    return _found(entry.model)()


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
