"""A model's public parameters as arguments of an estimator, where None stands for the model's own default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any, get_type_hints

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.registry import get_parameters, model_names

RANDOM_STATE = "random_state"


def names_of_all_models() -> tuple[str, ...]:
    """Of the parameters of every model that is registered, each once."""
    fields = (field.name for name in model_names() for field in dataclasses.fields(get_parameters(name)))
    return tuple(dict.fromkeys(fields))


def chosen(model: str, given: Mapping[str, Any]) -> Any:
    """The model's parameters with those that are not None.

    NumPy's numbers, which searches over parameters give, become Python's; the words of a choice become its members.
    random_state is left out where the model draws nothing. Raises ParameterError for others that the model lacks.
    """
    parameters = get_parameters(model)
    known = {field.name for field in dataclasses.fields(parameters)}
    values = {name: value for name, value in given.items() if value is not None}
    if RANDOM_STATE not in known:
        values.pop(RANDOM_STATE, None)
    if foreign := sorted(values.keys() - known):
        raise ParameterError(
            f"expected parameters of {model} ({', '.join(sorted(known))}), got {', '.join(foreign)}; leave them at None"
        )
    hints = get_type_hints(parameters)
    try:
        return parameters(**{name: _plain(name, value, hints[name]) for name, value in values.items()})
    except TypeError as exc:
        raise ParameterError(
            f"expected parameters that {model} takes, got {values}: {exc}; correct their types"
        ) from exc


def _plain(name: str, value: Any, hint: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(hint, type) and issubclass(hint, Enum):
        if value not in [member.value for member in hint]:
            raise ParameterError(f"{name}: expected {' or '.join(str(m.value) for m in hint)}, got {value!r}")
        return hint(value)
    return value
