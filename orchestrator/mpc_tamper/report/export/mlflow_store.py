"""Runs into an MLflow experiment, each once: export(tracked(Path("results")), "http://localhost:5000", "mpc-tamper").

A run is marked with the digest of its record when all of it has been sent, so that a second export sends what is new
alone, and one that was interrupted is sent again; what it had sent says FAILED. The extra mlflow brings mlflow-skinny,
which talks to a tracking server; databases need all of MLflow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable, UsageError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.report.export.tracked import Tracked

DIGEST = "mpc_tamper.digest"
_PARENT = "mlflow.parentRunId"
_PAGE = 1000
_LONGEST_VALUE = 500  # characters of a parameter or a tag: what every tracking server takes


@dataclass(frozen=True)
class Exported:
    """How many runs were sent, and how many were there."""

    sent: int
    there: int


def export(runs: Iterable[Tracked], uri: str, experiment: str, progress: Progress = silent) -> Exported:
    """Raises EngineUnavailable without mlflow-skinny, and UsageError where the tracking server refuses."""
    client = _client(uri)
    with _refusals(uri):
        found = client.get_experiment_by_name(experiment)
        place = client.create_experiment(experiment) if found is None else found.experiment_id
        known = set(_digests(client, place))
    sender = _Sender(client, place, known, uri)
    for run in runs:
        progress(f"{run.name}")
        sender.send(run)
    return Exported(sender.sent, sender.there)


def _digests(client: Any, place: str) -> Iterator[str]:
    token = None
    while True:
        page = client.search_runs([place], max_results=_PAGE, page_token=token)
        yield from (run.data.tags[DIGEST] for run in page if DIGEST in run.data.tags)
        token = page.token
        if not token:
            return


class _Sender:
    """place: the id of the experiment.  known: digests of what is there."""

    def __init__(self, client: Any, place: str, known: set[str], uri: str) -> None:
        self._client, self._place, self._known, self._uri = client, place, known, uri
        self.sent = self.there = 0

    def send(self, run: Tracked) -> None:
        if run.digest() in self._known:
            self.there += len(run)
        else:
            self._send(run, None, "")
            self._known.add(run.digest())

    def _send(self, run: Tracked, parent: str | None, above: str) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        with _refusals(self._uri):
            tags = {} if parent is None else {_PARENT: parent}
            made = self._client.create_run(self._place, run_name=run.name, tags=tags).info.run_id
        try:
            with _refusals(self._uri):
                self._client.log_batch(
                    made,
                    metrics=[Metric(key, value, now, 0) for key, value in run.metrics.items()],
                    params=[Param(key, str(value)[:_LONGEST_VALUE]) for key, value in run.params.items()],
                    tags=[RunTag(key, value[:_LONGEST_VALUE]) for key, value in run.tags.items()],
                )
                self._client.log_dict(made, dict(run.record), "record.json")
                for file in run.files:
                    self._client.log_artifact(made, str(file))
            for part in run.below:
                self._send(part, made, run.digest(above))
            with _refusals(self._uri):
                self._client.set_tag(made, DIGEST, run.digest(above))
                self._client.set_terminated(made)
        except BaseException:
            self._client.set_terminated(made, "FAILED")
            raise
        self.sent += 1


def _client(uri: str) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing tells others of a user's experiments
    try:
        from mlflow import MlflowClient
    except ImportError as exc:
        raise EngineUnavailable(
            "expected MLflow to export to, got no such package; pip install 'mpc-tamper[mlflow]'"
        ) from exc
    with _refusals(uri):
        return MlflowClient(tracking_uri=uri)


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as exc:
        said = " ".join(str(exc).split()).split(". ")[0][:200]
        raise UsageError(
            f"{uri}: expected a tracking server that MLflow reaches and that takes the runs, got: {said}; name "
            "another, such as http://localhost:5000, or install all of mlflow for databases"
        ) from exc
