"""The cluster of a driver: the operator creates it once the driver has made its plan and requests workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from scoremill.engines.protocol import Delegating, Engine
from scoremill.errors import ClusterError
from scoremill.kubernetes.api import Kube, Unavailable
from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import JobStatus, Stage
from scoremill.units import format_seconds

POLL_SECONDS = 1.0
CALL_SECONDS = 10.0
GRACE_SECONDS = 60.0
"""Seconds that the driver waits longer than the operator, which can report the cause of the delay."""


class JobCluster:
    """The cluster of one attempt: requested by `status.progress.stage`, ready when the phase is Running."""

    def __init__(
        self, kube: Kube, job: Resource, attempt: int, enter: Callable[[Stage], None], say: Callable[[str], None]
    ) -> None:
        """`enter` reports the stage of the run to the operator."""
        self._kube, self._attempt = kube.hurried(CALL_SECONDS), attempt
        self._name, self._uid = job.name, job.uid
        self._enter, self._say = enter, say
        self._waiting = ""

    def ask(self) -> None:
        """Request the cluster from the operator."""
        self._enter("WaitingForCluster")

    def wait(self, seconds: float) -> None:
        """Return when the cluster is ready; raise ClusterError if it is not after `seconds`."""
        deadline = time.monotonic() + seconds + GRACE_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"the cluster was not ready within {format_seconds(seconds)}"
                    + (f": {self._waiting}" if self._waiting else ""),
                    "Check that scoremill's operator is running, or increase deadlines.preRunningSeconds.",
                    code="ClusterNotReady",
                )
            time.sleep(POLL_SECONDS)
        self._enter("Scoring")

    def _is_ready(self) -> bool:
        """Return whether the operator reports the cluster as ready; False if the API does not answer now."""
        try:
            found = self._kube.find("ScoringJob", self._name)
        except Unavailable:
            return False
        if found is None or found.uid != self._uid:
            raise ClusterError(
                f"ScoringJob {self._name} was deleted",
                "Completed partitions are saved; submit the job again with the same output to resume.",
                code="JobNotFound",
            )
        status = JobStatus.model_validate(found.status)
        waiting = (status.cluster.waiting if status.cluster else None) or ""
        if waiting and waiting != self._waiting:
            self._say(f"waiting: {waiting}")
        self._waiting = waiting
        return status.phase == "Running" and status.attempt == self._attempt


class OnJobCluster(Delegating):
    """An engine on a cluster that is requested only when there is something to score."""

    shares_files = False

    def __init__(self, cluster: JobCluster, seconds: float, make: Callable[[], Engine]) -> None:
        """`make` returns the engine proper; the cluster has `seconds` to become ready."""
        self._cluster, self._seconds, self._make = cluster, seconds, make

    def __enter__(self) -> Self:
        self._cluster.ask()
        # Dask is imported while the cluster starts.
        self._engine = self._make()
        self._cluster.wait(self._seconds)
        self._engine.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.__exit__(kind, error, trace)
