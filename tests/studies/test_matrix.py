"""The attack x defence matrix on small data: each cell is there, an interrupted run goes on, a rerun gives the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.defences.registry import defences
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.report.matrix_record import MATRIX_LINES, read_matrix
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix import jobs
from mpc_tamper.studies.matrix.matrix import ALL_DEFENCES, rerun_cells, run_matrix
from mpc_tamper.studies.matrix.study import Study
from tests.support.images import framed_task
from tests.support.in_memory import InMemoryRep3
from tests.support.sweeps import lasting

CLEAR = get_engine(EngineName.CLEAR)
UNCHECKED = ("none", "low_variance", "clipping")
FIELDS = {
    *("dataset", "attack", "defence", "clean_accuracy", "attack_success_rate", "attack_success_rate_clipped"),
    *("verdict", "aborted", "engine", "corrupt_party", "seconds", "bytes_per_party", "rounds", "weights_sha256"),
    *("model", "stages", "plans", "portable"),
}


def study(task: Task | None = None) -> Study:
    parameters = SvmParameters(learning_rate=0.04, iterations=3, batch_size=40)
    return Study(task or framed_task(), "made for tests", parameters, defences(0.9, {1: 0.6, 4: 0.6, 16: 0.6, 64: 0.6}))


def cells(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(cell["attack"], cell["defence"]): cell for cell in read_matrix(folder / MATRIX_LINES)["cells"]}


def run(folder: Path, attacks: tuple[str, ...], engine: Engine = CLEAR, names: tuple[str, ...] = UNCHECKED) -> None:
    run_matrix([study()], folder, engine=engine, attacks=attacks, defences=names)


@pytest.mark.slow
def test_every_defence_has_a_cell(tmp_path: Path) -> None:
    run(tmp_path, ("none", "backdoor_1", "poisoning_5"), InMemoryRep3(), ALL_DEFENCES)
    found = cells(tmp_path)
    assert list(found) == [(a, d) for a in ("none", "backdoor_1", "poisoning_5") for d in ALL_DEFENCES]
    for (attack, defence), cell in found.items():
        assert cell.keys() >= FIELDS
        assert cell["aborted"] == ((attack, defence) == ("backdoor_1", "active"))
        assert (cell["clean_accuracy"] is None) == cell["aborted"]
        assert (cell["verdict"] is not None) == (defence == "accuracy" or defence.startswith("certificate"))
        assert list(cell["plans"]) == (["train"] if attack == "backdoor_1" else [])
        assert cell["stages"] == (["pca", "train", "lift"] if defence == "pca" else ["train"])
    assert found["none", "accuracy"]["verdict"] == found["backdoor_1", "accuracy"]["verdict"] == "pass"
    assert found["none", "certificate_1"]["verdict"] == "pass"
    assert found["backdoor_1", "certificate_1"]["verdict"] == "fail"
    assert found["backdoor_1", "none"]["attack_success_rate_clipped"] >= 0.99
    assert found["none", "none"]["weights_sha256"] == found["none", "active"]["weights_sha256"]
    assert {path.name for path in tmp_path.iterdir()} >= {
        "matrix.md",
        "matrix.csv",
        "matrix-framed.png",
        "gallery-framed.png",
    }


def test_the_analysis_is_attacked_where_the_servers_compute_it(tmp_path: Path) -> None:
    run(tmp_path, ("backdoor_1", "backdoor_analysis"), names=("none", "pca", "pca_by_owner"))
    found = cells(tmp_path)
    attacked = found["backdoor_analysis", "pca"]
    assert attacked["attack_success_rate_clipped"] >= 0.99
    assert (attacked["portable"], attacked["corrupt_party"]) == (True, 1)
    assert [key for key, cell in found.items() if "pca" in cell["plans"]] == [("backdoor_analysis", "pca")]
    for defence in ("none", "pca_by_owner"):
        pair = found["backdoor_1", defence], found["backdoor_analysis", defence]
        assert pair[0]["weights_sha256"] == pair[1]["weights_sha256"]


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attacks = ("none", "sabotage")
    run(tmp_path / "whole", attacks)
    real, made = jobs.run_cells, []

    def interrupted(*arguments: Any) -> Any:
        for cell in real(*arguments):
            if len(made) == 2:
                raise KeyboardInterrupt
            made.append(cell.record["defence"])
            yield cell

    monkeypatch.setattr(jobs, "run_cells", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", attacks)
    assert len(cells(tmp_path / "parts")) == 2
    monkeypatch.setattr(
        jobs, "run_cells", lambda *arguments: (made.append(c.record["defence"]) or c for c in real(*arguments))
    )
    run(tmp_path / "parts", attacks)
    assert len(made) == len(attacks) * len(UNCHECKED)  # none twice
    whole, parts = cells(tmp_path / "whole"), cells(tmp_path / "parts")
    assert list(whole) == list(parts)
    for key in whole:
        assert lasting(whole[key]) == lasting(parts[key])


def test_a_record_of_other_data_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, ("none",))
    before = (tmp_path / MATRIX_LINES).read_bytes()
    other = replace(framed_task(), sha256="1" * 64)
    with pytest.raises(ParameterError, match="the same data_sha256"):
        run_matrix([study(other)], tmp_path, engine=CLEAR, attacks=("none",), defences=("none",))
    assert (tmp_path / MATRIX_LINES).read_bytes() == before


@pytest.mark.parametrize(
    ("attacks", "names", "said"), [(("dos",), ("none",), "attack"), (("none",), ("luck",), "defence")]
)
def test_names_that_are_not_registered(tmp_path: Path, attacks: tuple[str], names: tuple[str], said: str) -> None:
    with pytest.raises(ParameterError, match=f"{said}: expected one of none, "):
        run(tmp_path, attacks, names=names)
    assert not list(tmp_path.iterdir())


def test_a_record_that_is_none(tmp_path: Path) -> None:
    (tmp_path / MATRIX_LINES).write_text("[]\n", encoding="utf-8")
    with pytest.raises(DataError, match="expected a JSON object"):
        run(tmp_path, ("none",))


def test_a_rerun_gives_the_same_or_says_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Study, "again", classmethod(lambda cls, task, record, source, model: study(task)))
    run(tmp_path, ("none", "overflow"))
    path = tmp_path / MATRIX_LINES
    assert [differences for _, differences in rerun_cells(path, framed_task(), CLEAR)] == [{}] * 6
    lines = path.read_text(encoding="utf-8").splitlines()
    edited = json.loads(lines[2 + 4]) | {"weights_sha256": "edited"}
    path.write_text("\n".join([*lines[:6], json.dumps(edited), *lines[7:]]), encoding="utf-8")
    ((cell, differences),) = rerun_cells(path, framed_task(), CLEAR, attack="overflow", defence="low_variance")
    assert (cell["attack"], list(differences)) == ("overflow", ["weights_sha256"])
    with pytest.raises(ParameterError, match="expected cells of framed"):
        list(rerun_cells(path, framed_task(), CLEAR, attack="backdoor_1"))


def test_a_rerun_of_other_data_is_refused(tmp_path: Path) -> None:
    run(tmp_path, ("none",))
    with pytest.raises(ParameterError, match="expected the data"):
        list(rerun_cells(tmp_path / MATRIX_LINES, framed_task(), CLEAR))
