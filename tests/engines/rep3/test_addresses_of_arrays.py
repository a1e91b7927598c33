"""Numba frees an array after its name was last used. Kernels that hand addresses to instructions use its name after
that, or have it from their caller: else they read what may be another's by then. (MALLOC_PERTURB_=165 shows it.)"""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from numba.core import compiler, ir, postproc

from mpc_tamper.engines import kernels as shared_kernels
from mpc_tamper.engines.rep3 import kernels

PACKAGES = (kernels, shared_kernels)
MODULES = [f"{package.__name__}.{each.name}" for package in PACKAGES for each in pkgutil.iter_modules(package.__path__)]


def freed_early(function: object) -> list[str]:
    """Local arrays whose address is taken, and that are gone at a later call of the same block."""
    code = compiler.run_frontend(function)
    postproc.PostProcessor(code).run(emit_dels=True)
    found = []
    for block in code.blocks.values():
        expressions = [s.value for s in block.body if isinstance(s, ir.Assign) and isinstance(s.value, ir.Expr)]
        addressed = {each.value.name for each in expressions if each.op == "getattr" and each.attr == "ctypes"}
        for i, statement in enumerate(block.body):
            if not isinstance(statement, ir.Del) or statement.value not in addressed - set(code.arg_names):
                continue
            later = [s.value for s in block.body[i:] if isinstance(s, ir.Assign) and isinstance(s.value, ir.Expr)]
            if any(each.op == "call" for each in later):
                found.append(statement.value)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_no_kernel_uses_the_address_of_an_array_that_is_gone(module):
    functions = [each.py_func for each in vars(importlib.import_module(module)).values() if hasattr(each, "py_func")]
    assert {each.__name__: freed for each in functions if (freed := freed_early(each))} == {}


def test_it_would_be_noticed():
    def gone() -> int:
        array = np.ones(3, np.uint64)
        return abs(array.ctypes.data)

    assert freed_early(gone) == ["array"]
