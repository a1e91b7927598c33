"""What holds for every model that is registered."""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass

import pytest

from mpc_tamper import testing
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize, Layout, Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.parameters import HELP
from mpc_tamper.models.registry import DEFAULT, MODELS, get_model, get_parameters
from mpc_tamper.runs.owners import Owners

SIZE = DataSize(rows=24, features=16, largest=255)

every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_a_model_has_the_name_it_is_registered_under(name: str) -> None:
    model = get_model(name)
    assert isinstance(model, Model)
    assert model.name == name
    assert model.title
    assert get_model(name) is model


@every_model
def test_every_parameter_has_a_default_and_is_explained(name: str) -> None:
    """The command line makes its options of them."""
    kind = get_parameters(name)
    assert get_model(name).parameters is kind
    assert is_dataclass(kind)
    for field in fields(kind):
        assert field.default is not MISSING, field.name
        assert field.metadata[HELP].endswith("."), field.name


@every_model
def test_parameters_are_frozen(name: str) -> None:
    parameters = get_parameters(name)()
    with pytest.raises(FrozenInstanceError):
        setattr(parameters, fields(parameters)[0].name, None)


@every_model
def test_capabilities_are_of_the_list(name: str) -> None:
    model = get_model(name)
    assert isinstance(model.capabilities, frozenset)
    assert model.capabilities <= set(Capability)
    assert model.lacking(model.capabilities) == frozenset()
    model.require(model.capabilities, "this test")
    for missing in set(Capability) - model.capabilities:
        with pytest.raises(ParameterError, match=f"this test: expected a model with {missing}; {name} has none"):
            model.require({missing}, "this test")


@every_model
def test_a_training_is_a_program_of_the_bundle(name: str) -> None:
    model = get_model(name)
    for layout in Layout:
        call = model.training(model.parameters(), SIZE, Owners((14, 10)), layout)
        assert call.program.is_file()
        assert call.inputs == {}
    assert model.shares(model.parameters(), SIZE) > 0


@every_model
def test_it_passes_the_checks_that_plug_ins_have_to_pass(name: str) -> None:
    testing.check_model(get_model(name))


def test_the_default_is_registered() -> None:
    assert DEFAULT in MODELS


@pytest.mark.parametrize("look_up", [get_model, get_parameters])
def test_other_names_are_refused(look_up: object) -> None:
    with pytest.raises(ParameterError, match=rf"model: expected {DEFAULT}.*, got 'oracle'"):
        look_up("oracle")  # type: ignore[operator]
