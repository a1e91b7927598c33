"""Where the jobs of a sweep run: here one after the other, in processes of this machine, or on a Dask cluster.

A job may be run more than once, as when its worker was killed in the middle; it looks into the files of its sweep for
what is there already (files.py). What it is given and what it returns passes from process to process, on a cluster by
Dask's protocol, in which whoever may submit jobs may run programs: a cluster is for those who trust each other, and is
kept from others by its own TLS or network.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mpc_tamper.core.errors import ParameterError, PartyError, TamperError, UsageError
from mpc_tamper.core.files import check_folder, reported
from mpc_tamper.core.generators import other_threads_draw
from mpc_tamper.core.progress import Progress, silent

if TYPE_CHECKING:
    from distributed import Client

Common = TypeVar("Common")
Job = TypeVar("Job")
Work = Callable[[Any, Any, Progress], None]
"""work(common, job, progress), a function of a module. What it finds it writes to files."""

MOST_DEATHS = 3  # of workers one after the other, without a job done meanwhile
_CONNECT_SECONDS = 15
_PR_SET_PDEATHSIG = 1


class Scheduler(Protocol):
    """apart: jobs may run beside each other, so that their seconds say nothing."""

    apart: bool

    def run(self, work: Work, common: Any, jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
        """Each job when it is done, in any order. The error of the first that fails ends the others.

        common: what all jobs are given, moved to a worker once.
        """
        ...

    def check(self, folder: Path) -> None:
        """Raises UsageError unless all who run jobs can write to the folder, which is made where it is not there."""
        ...


class Serial:
    """In this process, one after the other."""

    apart = False

    def run(self, work: Work, common: Any, jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
        for job in jobs:
            work(common, job, progress)
            yield job

    def check(self, folder: Path) -> None:
        """This process can, or it fails at the first file."""


class Processes:
    """In `count` processes of this machine, which end with this one, whatever ends it."""

    apart = True

    def __init__(self, count: int) -> None:
        if count < 2:
            raise ParameterError(f"jobs: expected 2 or more processes, got {count}; for one, leave it out")
        self._count = count

    def run(self, work: Work, common: Any, jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
        left, deaths = list(jobs), 0
        while left:
            before = len(left)
            with contextlib.suppress(BrokenProcessPool):
                for job in self._attempt(work, common, left):
                    left.remove(job)
                    yield job
            if left:
                deaths = 1 if len(left) < before else deaths + 1
                if deaths == MOST_DEATHS:
                    raise PartyError(
                        f"a worker was killed {MOST_DEATHS} times and no job got done meanwhile; look for what kills "
                        "it, such as a lack of memory, or run fewer --jobs"
                    )
                progress(f"a worker was killed; {len(left)} jobs are begun again")

    def _attempt(self, work: Work, common: Any, jobs: Sequence[Job]) -> Iterator[Job]:
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            min(self._count, len(jobs)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
            initargs=(os.getpid(), work, common),
        )
        try:
            of: dict[Future[None], Job] = {pool.submit(_run_in_worker, job): job for job in jobs}
            for future in as_completed(of):
                future.result()
                yield of[future]
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def check(self, folder: Path) -> None:
        """As this process, whose user they have."""


class Cluster:
    """On the workers of a Dask scheduler, which have this software and see the same folder for results.

    It is connected to while jobs run and no longer: threads of a client draw from Python's generator of random numbers,
    which programs that run in this process are watched for.
    """

    apart = True

    def __init__(self, address: str) -> None:
        """address: as Dask's workers are given it, such as tcp://10.0.0.1:8786. Raises UsageError where nobody is."""
        self._address = address
        self.workers()

    def workers(self) -> int:
        """How many there are at present."""
        with self._connected() as client:
            return len(client.scheduler_info(n_workers=-1)["workers"])

    def check(self, folder: Path) -> None:
        with reported(folder, "a folder that can be made"):
            folder.mkdir(parents=True, exist_ok=True)
        with self._connected() as client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise UsageError("--scheduler: expected workers, got a scheduler without any; start some: dask worker")
            problems = client.run(_problem_with, str(folder))
        for worker, problem in problems.items():
            if problem is not None:
                raise UsageError(f"worker {worker}: {problem}")

    def run(self, work: Work, common: Any, jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
        from distributed import as_completed as each_done

        with self._connected() as client:
            with warnings.catch_warnings():
                # It is sent once, and kept by the scheduler to be had again if its worker dies.
                warnings.filterwarnings("ignore", message="Sending large graph")
                shared = client.submit(_as_it_is, common, pure=False)
            futures = [client.submit(_run_on_cluster, work, shared, job, pure=False) for job in jobs]
            of = dict(zip(futures, jobs, strict=True))
            try:
                for future in each_done(futures, loop=client.loop):  # type: ignore[no-untyped-call]
                    future.result()
                    yield of[future]
            finally:
                client.cancel([shared, *futures])  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            from distributed import Client
        except ImportError as exc:
            raise UsageError(
                "--scheduler: expected Dask's distributed, got none; install it: pip install 'mpc-tamper[dask]'"
            ) from exc
        try:
            client: Client = Client(  # type: ignore[no-untyped-call]
                self._address, timeout=_CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as exc:
            raise UsageError(
                f"--scheduler: expected the address of a running Dask scheduler, got {self._address}: {exc}. Start "
                "one: dask scheduler"
            ) from exc
        try:
            yield client
        finally:
            client.close()  # type: ignore[no-untyped-call]


def scheduler(jobs: int, address: str | None) -> Scheduler:
    """jobs: processes on this machine.  address: of a Dask scheduler, or None.  Raises ParameterError for both."""
    if address is not None:
        if jobs != 1:
            raise ParameterError("expected --jobs or --scheduler, got both; a cluster has workers of its own")
        return Cluster(address)
    return Serial() if jobs == 1 else Processes(jobs)


_given: list[tuple[Work, Any]] = []  # what the worker that this process is was given when it began


def _begin_worker(parent: int, work: Work, common: Any) -> None:
    """It ends with its parent, and what it has started and its temporary folders end with it. An interrupt of the
    terminal is the parent's to act on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was in force
        os._exit(1)
    _given.append((work, common))


def _run_in_worker(job: Any) -> None:
    ((work, common),) = _given
    work(common, job, silent)


def _as_it_is(common: Common) -> Common:
    return common


def _run_on_cluster(work: Work, common: Any, job: Any) -> None:
    with other_threads_draw():
        work(common, job, silent)


def _problem_with(folder: str) -> str | None:
    """What keeps this worker from writing results there; None where nothing does."""
    if not Path(folder).is_dir():
        return f"expected the folder of results {folder}, which all machines of a cluster share, got none there"
    try:
        check_folder(Path(folder))
    except TamperError as exc:
        return str(exc)
    return None
