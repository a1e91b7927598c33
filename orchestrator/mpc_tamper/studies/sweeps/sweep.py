"""Results of independent jobs, each found once: those that files hold already, and the others by a scheduler.

    with sweep(ResultFiles.beside(out, "leak-row"), Serial(), measure, common, [Job(key, 17), Job(other, 23)]) as found:
        write(found)

measure(common, argument, progress), a function of a module, returns the result of a job, JSON types. An interrupted
sweep goes on where it stopped, as long as it is run by the same commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.sweeps.files import ResultFiles
from mpc_tamper.studies.sweeps.schedulers import Scheduler

Measure = Callable[[Any, Any, Progress], Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """key: what its result depends on, besides the software; JSON types.  argument: for the function that finds it."""

    key: Mapping[str, Any]
    argument: Any


@dataclass(frozen=True)
class Given:
    """What a worker is given once."""

    files: ResultFiles
    measure: Measure
    common: Any
    software: str


@contextmanager
def sweep(
    files: ResultFiles,
    scheduler: Scheduler,
    measure: Measure,
    common: Any,
    jobs: Sequence[Job],
    progress: Progress = silent,
) -> Iterator[list[dict[str, Any]]]:
    """The result of each job, in the order of the jobs. Their files go at the end of the block if all went well."""
    given = Given(files, measure, common, _software())
    keys = [dict(job.key) | {"software": given.software} for job in jobs]
    found = [files.get(key) for key in keys]
    while missing := [place for place, result in enumerate(found) if result is None]:
        scheduler.check(files.folder)
        places = {id(jobs[place]): place for place in missing}
        for job in scheduler.run(_find, given, [jobs[place] for place in missing], progress):
            place = places[id(job)]
            found[place] = files.get(keys[place])  # None where another sweep has just finished with it
            if scheduler.apart:
                progress(f"{sum(result is not None for result in found)} of {len(jobs)} are done")
    yield [result for result in found if result is not None]
    for key in keys:
        files.remove(key)


def _find(given: Given, job: Job, progress: Progress) -> None:
    key = dict(job.key) | {"software": given.software}
    if given.files.get(key) is None:
        given.files.put(key, given.measure(given.common, job.argument, progress))


def _software() -> str:
    """The commit, which says what its programs find; of no known commit, something that nothing else is equal to."""
    commit = environment()["commit"]
    return str(uuid.uuid4()) if commit is None or str(commit).endswith("+") else str(commit)
