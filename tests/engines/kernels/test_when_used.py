"""What stands for a module of kernels is the module to whoever asks."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from mpc_tamper.engines.kernels import WhenUsed

NAME = "a_module_of_kernels"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType(NAME)
    module.kernel = "at first"
    monkeypatch.setitem(sys.modules, NAME, module)
    return module


def test_names_are_those_of_the_module_at_any_time(module: ModuleType) -> None:
    stand_in = WhenUsed(NAME)
    assert stand_in.kernel == "at first"
    module.kernel, module.other = "replaced", "new"
    assert (stand_in.kernel, stand_in.other) == ("replaced", "new")
    with pytest.raises(AttributeError, match=NAME):
        stand_in.missing  # noqa: B018


@pytest.mark.parametrize("used_before", [False, True])
def test_what_is_replaced_is_replaced_in_the_module(module: ModuleType, used_before: bool) -> None:
    stand_in = WhenUsed(NAME)
    assert not used_before or stand_in.kernel == "at first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "kernel", "replaced")
        assert module.kernel == stand_in.kernel == "replaced"
    assert module.kernel == stand_in.kernel == "at first"
