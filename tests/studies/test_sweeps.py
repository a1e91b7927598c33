"""Sweeps: files that any number of processes write, workers that die, seconds of work that had company."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpc_tamper.core.errors import DataError, ParameterError, PartyError, UsageError
from mpc_tamper.core.progress import silent
from mpc_tamper.studies.sweeps import sweep as sweeps
from mpc_tamper.studies.sweeps.company import company
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Cluster, Processes, Scheduler, Serial, scheduler
from mpc_tamper.studies.sweeps.sweep import Job, sweep
from tests.support.places import ROOT
from tests.support.processes import descendants, existing, started, wait_for
from tests.support.sweeps import FAILING, cluster, die, die_once, square, squared

SIXTEEN = list(range(16))
ENDED = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from mpc_tamper.core.progress import silent
from mpc_tamper.studies.sweeps.schedulers import Processes
from tests.support.sweeps import wait_for_ever
if __name__ == "__main__":
    list(Processes(2).run(wait_for_ever, Path(sys.argv[1]), [1, 2, 3], silent))
"""


def test_a_result_comes_back_whatever_the_order_of_its_key(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path / "cells")
    assert files.get({"a": 1}) is None
    assert not (tmp_path / "cells").exists()
    files.put({"a": 1, "b": [2, None]}, {"x": 0.1 + 0.2})
    assert files.get({"b": (2, None), "a": 1}) == {"x": 0.1 + 0.2}
    assert list(files.all()) == [({"a": 1, "b": [2, None]}, {"x": 0.1 + 0.2})]
    files.put({"a": 1, "b": [2, None]}, {"x": 1})
    files.put({"a": 2}, {"x": 2})
    assert sorted(result["x"] for _, result in files.all()) == [1, 2]
    for key in ({"a": 1, "b": [2, None]}, {"a": 2}, {"a": 2}):
        files.remove(key)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "[]", '{"key": 1, "result": {}}', '{"key": {"a": 2}, "result": {}}'])
def test_a_file_that_was_changed_is_named(tmp_path: Path, content: str) -> None:
    files = ResultFiles(tmp_path)
    files.put({"a": 1}, {})
    (path,) = tmp_path.iterdir()
    path.write_text(content, encoding="utf-8")
    for read in (lambda: files.get({"a": 1}), lambda: list(files.all())):
        with pytest.raises(DataError, match=f"{path.name}: expected a result of a sweep as it was written"):
            read()


def _put_many(folder: str, start: int) -> None:
    files = ResultFiles(Path(folder))
    for number in range(start, start + 40):
        files.put({"number": number}, {"square": number**2})


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=_put_many, args=(str(tmp_path), start)) for start in (0, 20, 40)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    found = {key["number"]: result["square"] for key, result in ResultFiles(tmp_path).all()}
    assert found == {number: number**2 for number in range(80)}


@pytest.fixture(params=["here", "in processes"])
def anywhere(request: pytest.FixtureRequest) -> Scheduler:
    return Serial() if request.param == "here" else Processes(2)


def test_each_job_is_run(tmp_path: Path, anywhere: Scheduler) -> None:
    assert sorted(anywhere.run(square, tmp_path, SIXTEEN, silent)) == SIXTEEN
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {str(n): str(n**2) for n in SIXTEEN}


def test_an_error_of_a_job_ends_the_sweep(tmp_path: Path, anywhere: Scheduler) -> None:
    with pytest.raises(DataError, match="expected a number, got none; give one"):
        list(anywhere.run(square, tmp_path, [FAILING, *SIXTEEN], silent))
    assert not multiprocessing.active_children()


def test_a_job_whose_worker_was_killed_is_run_again(tmp_path: Path) -> None:
    said: list[str] = []

    def progress(text: str, fraction: float | None = None) -> None:
        said.append(text)

    assert sorted(Processes(2).run(die_once, tmp_path, SIXTEEN[:4], progress)) == SIXTEEN[:4]
    assert any("a worker was killed" in text for text in said)
    with pytest.raises(PartyError, match="killed 3 times"):
        list(Processes(2).run(die, tmp_path, [1], silent))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(ENDED, encoding="utf-8")
    with started([sys.executable, script, tmp_path, ROOT / "orchestrator", ROOT]) as process:
        wait_for(lambda: len(list(tmp_path.glob("pid-*"))) == 2)
        workers = descendants(process.pid)
        process.send_signal(number)
        process.communicate()
        wait_for(lambda: existing().isdisjoint(workers))


def _jobs(numbers: list[int]) -> list[Job]:
    return [Job({"number": number}, number) for number in numbers]


def test_an_interrupted_sweep_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "environment", lambda: {"commit": "c0ffee"})
    files = ResultFiles.beside(tmp_path, "squares")

    def after(error: BaseException, jobs: list[Job]) -> None:
        with sweep(files, Serial(), squared, tmp_path, jobs):
            raise error

    with pytest.raises(KeyboardInterrupt):
        after(KeyboardInterrupt(), _jobs([3, 4]))
    with sweep(files, Serial(), squared, tmp_path, _jobs([5, 4, 3])) as found:
        assert [result["square"] for result in found] == [25, 16, 9]
    assert (tmp_path / "asked").read_text().split() == ["3", "4", "5"]
    assert [path.name for path in tmp_path.iterdir()] == ["asked"]


@pytest.mark.parametrize("commit", [None, "c0ffee+"])
def test_nothing_is_taken_from_software_that_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str | None
) -> None:
    monkeypatch.setattr(sweeps, "environment", lambda: {"commit": commit})
    files = ResultFiles.beside(tmp_path, "squares")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), sweep(files, Serial(), squared, tmp_path, _jobs([3])):
            raise KeyboardInterrupt
    assert (tmp_path / "asked").read_text().split() == ["3", "3"]


class _Robbed(Serial):
    """Another sweep ends meanwhile, and takes the files that both were to find."""

    def __init__(self, files: ResultFiles) -> None:
        self._files = files

    def run(self, *arguments: Any) -> Iterator[Any]:
        for number, job in enumerate(super().run(*arguments)):
            if not number:
                for key, _ in list(self._files.all()):
                    self._files.remove(key)
            yield job


def test_results_that_another_sweep_took_away_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "environment", lambda: {"commit": "c0ffee"})
    files = ResultFiles.beside(tmp_path, "squares")
    asked = tmp_path / "asked"

    class Once(_Robbed):
        def run(self, *arguments: Any) -> Iterator[Any]:
            yield from super().run(*arguments) if not asked.exists() else Serial.run(self, *arguments)

    with sweep(files, Once(files), squared, tmp_path, _jobs([1, 2])) as found:
        assert [result["square"] for result in found] == [1, 4]


def test_work_knows_whether_it_had_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with company() as first:
        assert first.alone()
        with company() as second:
            assert not second.alone()
            assert not first.alone()
        assert not second.alone()
        assert not first.alone()
    with company() as third:
        assert third.alone()


def test_nobody_is_taken_to_be_alone_who_cannot_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with company() as kept:
        assert not kept.alone()


def test_what_options_ask_for() -> None:
    assert isinstance(scheduler(1, None), Serial)
    assert isinstance(scheduler(2, None), Processes)
    with pytest.raises(ParameterError, match="--jobs or --scheduler, got both"):
        scheduler(2, "tcp://127.0.0.1:1")


@pytest.mark.slow
def test_a_cluster_runs_jobs_and_those_of_a_worker_that_dies(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with cluster(tmp_path, 3) as (address, workers):
        runs = Cluster(address)
        wait_for(lambda: runs.workers() == 3)
        runs.check(results)
        assert sorted(runs.run(die_once, results, SIXTEEN, silent)) == SIXTEEN
        wait_for(lambda: sum(worker.poll() is None for worker in workers) == 2)
        assert {path.name for path in results.iterdir()} == {"died", *map(str, SIXTEEN)}
        with pytest.raises(DataError, match="expected a number"):
            list(runs.run(square, results, [FAILING, *SIXTEEN], silent))
        (tmp_path / "file").touch()
        with pytest.raises(UsageError):
            Cluster(address).check(tmp_path / "file" / "results")


def test_an_address_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc_tamper.studies.sweeps.schedulers._CONNECT_SECONDS", 0.2)
    with pytest.raises(UsageError, match=r"expected the address of a running Dask scheduler, got tcp://127.0.0.1:9"):
        Cluster("tcp://127.0.0.1:9")
