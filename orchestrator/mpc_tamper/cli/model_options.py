"""Options for the public parameters of models, made from the fields of their dataclasses."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

import typer

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.parameters import HELP
from mpc_tamper.models.registry import MODELS, get_parameters

ModelOption = Annotated[
    str, typer.Option("--model", metavar="|".join(MODELS), help="The kind of model that is trained.")
]


def model_options() -> list[inspect.Parameter]:
    """An option for each parameter of any model. None stands for what was not given."""
    found: dict[str, inspect.Parameter] = {}
    for name in MODELS:
        parameters = get_parameters(name)
        hints = get_type_hints(parameters)
        for each in dataclasses.fields(parameters):
            default = "" if each.default is None else f" [default: {each.default}]"
            name_of_option = "--" + each.name.replace("_", "-")
            option = typer.Option(name_of_option, help=each.metadata.get(HELP, "") + default)
            kind: Any = hints[each.name] | None
            annotation: Any = Annotated[kind, option]
            found.setdefault(
                each.name,
                inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation),
            )
    return list(found.values())


def chosen_parameters(model: str, given: Mapping[str, Any]) -> Any:
    """The model's parameters with what was given. Raises ParameterError for an option that the model does not have."""
    if model not in MODELS:
        raise ParameterError(f"expected --model {' or '.join(MODELS)}, got {model!r}")
    parameters = get_parameters(model)
    known = {each.name for each in dataclasses.fields(parameters)}
    values = {name: value for name, value in given.items() if value is not None}
    for name in values:
        if name not in known:
            raise ParameterError(
                f"expected options of {model} ({', '.join(sorted(known))}), got --{name.replace('_', '-')}"
            )
    return parameters(**values)
