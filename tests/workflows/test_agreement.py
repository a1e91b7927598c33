"""What three hosts tell each other of their data before a run, by engines that answer as the other hosts would."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, EngineUnavailable, HandshakeError, ParameterError, ShareFolderError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine, OnRemark, OnStep
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.hosted import HostedEngine
from mpc_tamper.engines.hosts import Address, Host
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.result import Cost, PartyReport, RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.workflows.agreement import own_rows, unseen_examples

NAMES = int.from_bytes(hashlib.sha256(b"((), ('left', 'right'), None)").digest()[:5], "little")
TINY = (24, 16, 2, 4, 4, 0, NAMES)  # what the tiny task says of itself
NONE = (0,) * 7


def host(party: int) -> Host:
    addresses = Address("a", 1), Address("b", 2), Address("c", 3)
    return Host(party, addresses, Path("key"), (Path("0"), Path("1"), Path("2")))


class Told(Engine):
    """Party 1 of three, the other two of which enter these numbers; None stands for what this one entered."""

    name = Rep3Engine.name
    capabilities = Rep3Engine.capabilities
    host = host(1)

    def __init__(self, *said: tuple[int, ...] | None) -> None:
        self.said = said

    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        (own,) = spec.inputs.values()
        assert own.binary is not None
        entered = np.fromfile(own.binary, "<i8").tolist()
        output = [number for numbers in self.said for number in (entered if numbers is None else numbers)]
        return RunResult(spec, (), tuple(output), (PartyReport(1, Cost(), (), 0),))


def test_every_host_s_rows_stand_in_their_place(tiny_task: Task) -> None:
    task, owners = own_rows(tiny_task, Told((4, *TINY[1:]), None, (3, *TINY[1:])))
    assert owners == Owners((4, 24, 3))
    assert np.array_equal(task.x_train[4:28], tiny_task.x_train)
    assert np.array_equal(task.y_train[4:28], tiny_task.y_train)
    assert not task.x_train[:4].any()
    assert not task.x_train[28:].any()
    assert len(task.x_train) == len(task.y_train) == 31


def test_a_host_without_rows_learns_what_the_others_have() -> None:
    task, owners = own_rows(None, Told(TINY, NONE, NONE))
    assert owners == Owners((24,))
    assert (task.x_train.shape, task.x_test.shape, task.image_shape) == ((24, 16), (0, 16), (4, 4))
    assert len(task.classes) == 2


def test_rows_of_a_table_have_no_shape() -> None:
    task, _ = own_rows(None, Told((5, 3, 2, 0, 0, 0, 1), NONE, NONE))
    assert task.is_table


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ((NONE, NONE), DataError, "expected rows of one party at least"),
        ((NONE, TINY), ParameterError, "expected parties with rows before those without, got 0, 24, 24"),
        (
            ((9, 25, 2, 5, 5, 0, NAMES), NONE),
            DataError,
            r"25 features \(5 x 5\) of 2 classes, with names of hash .* from party 0 and 16 features",
        ),
        (((9, 16, 3, 4, 4, 0, NAMES), NONE), DataError, "of 3 classes, with names of hash"),
        (((9, *TINY[1:-1], 7), NONE), DataError, "of 2 classes, with names of hash 7 from party 0"),
        (((-1, *TINY[1:]), NONE), HandshakeError, "expected sizes from party 0"),
        ((TINY, (1 << 62, *TINY[1:])), HandshakeError, "expected sizes from party 2"),
        (((1, 2), NONE), HandshakeError, "expected 7 numbers of each party"),
    ],
)
def test_what_does_not_fit_together(
    tiny_task: Task, said: tuple[tuple[int, ...], tuple[int, ...]], error: type[Exception], message: str
) -> None:
    own = None if said == (NONE, NONE) else tiny_task
    with pytest.raises(error, match=message):
        own_rows(own, Told(said[0], None, said[1]))


def test_examples_of_another_host(tmp_path: Path) -> None:
    with pytest.raises(ShareFolderError, match="with its description"):
        unseen_examples(Told((5,), None, (0,)), tmp_path, 0)
    ModelDescription("linear_svm", 16, 17, image_shape=(4, 4)).write(tmp_path)
    x, y, described = unseen_examples(Told((5,), None, (0,)), tmp_path, 0)
    assert (x.shape, y.tolist(), described.image_shape) == ((5, 16), [0, 1, 0, 1, 0], (4, 4))
    with pytest.raises(DataError, match="expected examples of party 2, got 0; it has to give --secret-owner 2 too"):
        unseen_examples(Told((5,), None, (0,)), tmp_path, 2)


def test_an_engine_of_three_hosts_runs_what_is_its_party_s(tmp_path: Path) -> None:
    seen: list[RunSpec] = []

    class One(Told):
        def run_party(
            self, spec: RunSpec, host: Host, on_step: OnStep | None = None, on_remark: OnRemark | None = None
        ) -> RunResult:
            seen.append(spec)
            assert host.party_id == 1
            return RunResult(spec, (), (), ())

    engine = HostedEngine(One(), host(1))
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, 0, 1)])
    inputs = {i: InputFiles(binary=tmp_path / str(i)) for i in range(3)}
    spec = RunSpec(tmp_path / "program.mpc", inputs=inputs, corruption=Corruption(2, plan))
    engine.run(spec)
    engine.run(replace(spec, corruption=Corruption(1, plan)))
    assert [list(each.inputs) for each in seen] == [[1], [1]]
    assert [each.corruption is not None for each in seen] == [False, True]
    assert engine.own_parties == (1,)
    with pytest.raises(EngineUnavailable, match="expected --engine rep3 or mp-spdz for three hosts, got clear"):
        HostedEngine(ClearEngine(), host(1))
