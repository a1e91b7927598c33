"""The models by name. A model is a folder and a line here; the shared tests run each that is listed.

Nothing is imported before it is asked for: the command line makes its options from the parameters alone.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mpc_tamper.core.errors import ParameterError

if TYPE_CHECKING:
    from mpc_tamper.models.base import Model

DEFAULT = "linear_svm"


@dataclass(frozen=True)
class Entry:
    """Where a model and the class of its public parameters are, as module:name."""

    model: str
    parameters: str


MODELS: Mapping[str, Entry] = MappingProxyType(
    {
        "linear_svm": Entry(
            "mpc_tamper.models.linear_svm.model:LinearSvm", "mpc_tamper.models.linear_svm.parameters:SvmParameters"
        ),
        "mlp": Entry("mpc_tamper.models.mlp.model:Mlp", "mpc_tamper.models.mlp.parameters:MlpParameters"),
    }
)


def model_names() -> list[str]:
    return list(MODELS)


def get_model(name: str = DEFAULT) -> Model:
    """The same object each time. Raises ParameterError for a name that is not registered."""
    return _made(_entry(name))


def get_parameters(name: str) -> type[Any]:
    """The class of a model's public parameters, a frozen dataclass. Raises ParameterError as get_model() does."""
    return _found(_entry(name).parameters)


def _entry(name: str) -> Entry:
    if name not in MODELS:
        raise ParameterError(f"model: expected {' or '.join(MODELS)}, got {name!r}")
    return MODELS[name]


@functools.cache
def _made(entry: Entry) -> Model:
    return _found(entry.model)()


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
