"""What --verbose says of a run: the program and its public arguments, and what it cost. No value of anybody's."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

from mpc_tamper.engines.base import Engine
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

_LOG = logging.getLogger(__name__)
_Engine = TypeVar("_Engine", bound=Engine)
_More = ParamSpec("_More")
_Run = Callable[Concatenate[_Engine, RunSpec, _More], RunResult]


def logged(run: _Run[_Engine, _More]) -> _Run[_Engine, _More]:
    """For the methods of an engine that run a program."""

    @functools.wraps(run)
    def called(engine: _Engine, spec: RunSpec, *args: _More.args, **kwargs: _More.kwargs) -> RunResult:
        _LOG.info("%s %s: %s begins", engine.name, spec.protocol, spec.program.name)
        _LOG.debug("%s: arguments %s, folder %s", spec.program.name, " ".join(spec.args), spec.run_dir)
        if spec.corruption is not None:
            errors = len(spec.corruption.plan)
            _LOG.info("party %d is corrupt and follows a plan of %d errors", spec.corruption.party, errors)
        try:
            result = run(engine, spec, *args, **kwargs)
        except BaseException as exc:
            _LOG.info("%s ends with %s", spec.program.name, type(exc).__name__)
            raise
        _LOG.info(
            "%s is done: %.3f s, %d bytes and %d rounds of a party",
            *(spec.program.name, result.seconds, result.bytes_per_party, result.rounds),
        )
        return result

    return cast("_Run[_Engine, _More]", called)
