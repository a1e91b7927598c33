"""Training from Python, and what the programs refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError, ProgramError, ShareFileError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Capabilities, Engine, OnStep
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.workflows.training import train_and_open

SHORT = SvmParameters(learning_rate=0.05, iterations=5)
GOOD = {
    "source": "owners",
    "port": "0",
    "carry": "0",
    "rows": "1",
    "columns": "2",
    "labels": "owner",
    "loss": "hinge",
    "epochs": "1",
    "batch": "1",
    "gain": "1",
    "last_gain": "1",
    "decay": "0",
    "shift": "24",
    "clip": "0",
    "layout": "rows",
    "width": "30",
}


class NeverRuns(Engine):
    name = EngineName.CLEAR
    capabilities = Capabilities(protocols=frozenset({ProtocolName.RING}))

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult:
        raise AssertionError("started although a parameter was out of range")


def test_a_model_predicts_by_the_sign_of_its_score(tiny_task: Task) -> None:
    model = train_and_open(tiny_task, SHORT, engine=get_engine(EngineName.CLEAR))
    score = model.decision_function(tiny_task.x_test)
    w = model.weights / 2**16
    assert np.allclose(score, w[0] + tiny_task.x_test / 256 @ w[1:], rtol=0, atol=1e-9)
    assert np.array_equal(model.predict(tiny_task.x_test), score > 0)
    assert np.array_equal(model.predict(tiny_task.x_test), tiny_task.y_test)


def test_record_is_json_and_names_no_place(tiny_task: Task, run_dir: Path) -> None:
    model = train_and_open(tiny_task, SHORT, engine=get_engine(EngineName.CLEAR), run_dir=run_dir)
    text = json.dumps(model.record())
    assert str(run_dir) not in text
    assert SvmParameters(**json.loads(text)["parameters"]) == SHORT
    assert {site: cost["times"] for site, cost in model.record()["steps"].items()} == dict.fromkeys(
        ("MARGIN", "HINGE", "GRADIENT", "UPDATE"), 5
    )


def test_progress_is_told(tiny_task: Task) -> None:
    told: list[tuple[str, float | None]] = []
    train_and_open(tiny_task, SHORT, engine=get_engine(EngineName.CLEAR), progress=lambda *news: told.append(news))
    steps = SHORT.iterations
    told = told[: 1 + next(i for i, news in enumerate(told) if news[0].startswith("trained in "))]  # opening follows
    assert [news[0] for news in told[:-1]] == [f"training on tiny, 24 rows, {steps} steps"] * (steps + 1)
    assert [news[1] for news in told[1:-1]] == [(i + 1) / steps for i in range(steps)]
    assert told[-1][0].startswith("trained in ")


def test_training_twice_into_one_folder_is_refused(tiny_task: Task, run_dir: Path) -> None:
    clear = get_engine(EngineName.CLEAR)
    train_and_open(tiny_task, SHORT, engine=clear, run_dir=run_dir)
    with pytest.raises((DataError, ParameterError, ShareFileError)):
        train_and_open(tiny_task, SHORT, engine=clear, run_dir=run_dir)


@pytest.mark.parametrize(
    "parameters",
    [
        SvmParameters(iterations=10**18),
        SvmParameters(batch_size=25),
        SvmParameters(regularisation=1e-15),
        SvmParameters(max_row_norm=1.5),
    ],
)
def test_parameters_are_refused_before_anything_starts(tiny_task: Task, parameters: SvmParameters) -> None:
    with pytest.raises(ParameterError):
        train_and_open(tiny_task, parameters, engine=NeverRuns())


def test_owners_of_more_rows_than_there_are(tiny_task: Task) -> None:
    with pytest.raises(DataError, match="expected 25 images and labels, got 24"):
        train_and_open(tiny_task, SHORT, engine=NeverRuns(), owners=Owners((20, 5)))


def run(program: str, tmp_path: Path, args: list[str]) -> RunResult:
    data = tmp_path / "input.bin"
    np.array([256, 255], dtype="<i8").tofile(data)
    spec = RunSpec(bundle.program(program), tuple(args), inputs={0: InputFiles(binary=data)}, run_dir=tmp_path / "run")
    return get_engine(EngineName.CLEAR).run(spec)


def arguments(**changes: str | None) -> list[str]:
    return [f"{key}={value}" for key, value in (GOOD | changes).items() if value is not None]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (arguments(width=None), "expected each of source= port= carry= rows= columns= .* once"),
        (arguments(speed="9"), "expected each of"),
        ([*arguments(), "width=31"], "expected each of"),
        ([*arguments(width=None), "width"], "invalid literal"),
        (arguments(loss="logistic"), "loss=hinge, squared_hinge or modified_huber, got loss=logistic"),
        (arguments(layout="columns"), "layout=rows or layout=both, got layout=columns"),
        (arguments(rows="2", batch="1", layout="both"), "expected layout=rows for batches of 1 of 2 rows"),
        (arguments(labels="3"), "labels=owner or labels=0, 1 or 2, got labels=3"),
        (arguments(rows="1,1,1,1"), "one to three counts of rows"),
        (arguments(source="files"), "source=owners, source=clients or source=shares, got source=files"),
        (arguments(source="clients"), "source=clients with labels=owner and a port"),
        (arguments(port="15000"), "source=owners with port=0"),
        (arguments(source="clients", port="15000", labels="1"), "source=clients with labels=owner"),
        (arguments(carry="5"), "expected carry=0 unless source=shares"),
        (arguments(source="shares", labels="1"), "one count of rows and labels=owner"),
        (arguments(batch="2"), "batch at most all rows"),
        (arguments(epochs="0"), "epochs and batch from 1"),
        (arguments(clip="-1"), "clip from 1, or 0 for none"),
    ],
)
def test_training_program_refuses_arguments(tmp_path: Path, args: list[str], message: str) -> None:
    with pytest.raises(ProgramError, match=message) as caught:
        run("svm_train.mpc", tmp_path, args)
    assert "svm_train.mpc, line " in str(caught.value)


def test_the_arguments_they_were_changed_from_are_right(tmp_path: Path) -> None:
    assert run("svm_train.mpc", tmp_path, arguments()).lines == ()


@pytest.mark.parametrize("args", [[], ["columns"], ["columns=2", "rows=1"], ["columns=2", "columns=2"], ["columns=-1"]])
def test_revealing_program_refuses_arguments(tmp_path: Path, args: list[str]) -> None:
    with pytest.raises(ProgramError, match="svm_reveal: expected columns=N"):
        run("svm_reveal.mpc", tmp_path, args)
