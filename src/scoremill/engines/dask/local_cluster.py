"""A Dask cluster of local processes that lives as long as the run."""

from __future__ import annotations

import copy
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
import distributed
from distributed import LocalCluster

from scoremill.errors import ClusterError
from scoremill.kubernetes.objects.dask_config import SCHEDULER, WORKER
from scoremill.naming import WORKER_ENVIRONMENT
from scoremill.spec import Cluster
from scoremill.spec.cluster import LOCAL_MEMORY
from scoremill.units import format_bytes

_GRACE_SECONDS = 10.0
"""Much longer than a worker process takes to be replaced, which is less than a second."""


@contextmanager
def local_cluster(asked: Cluster) -> Iterator[LocalCluster]:
    """Run a cluster with the requested workers."""
    count, memory = _size(asked)
    # A restarted worker gets the settings that apply at that time, so they stay set.
    with dask.config.set(dask_settings()), _started(count, memory) as cluster:
        try:
            yield cluster
        finally:
            cluster.sync(_kill_workers, cluster)


def dask_settings() -> dict[str, Any]:
    """Return the settings of Dask for scheduler and workers, which are those of pods."""
    environment = {**dask.config.get("distributed.nanny.pre-spawn-environ"), **WORKER_ENVIRONMENT}
    return {
        # Dask appends to a list of its settings.
        **copy.deepcopy({**SCHEDULER, **WORKER}),
        # Dask's HTTP servers have no authentication, so every user of this machine could read from them.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.nanny.pre-spawn-environ": environment,
        # A local cluster would otherwise drop a worker forever that takes more than 15 s to restart.
        "distributed.deploy.lost-worker-timeout": "1 day",
    }


def _size(asked: Cluster) -> tuple[int, int]:
    """Return the number of workers, and the memory limit of each."""
    count = asked.bounds.max if asked.bounds else os.cpu_count() or 1
    memory, total = asked.memory or LOCAL_MEMORY, distributed.system.MEMORY_LIMIT
    if count * memory > total and asked.memory:
        raise ClusterError(
            f"{count} workers of {format_bytes(memory)} do not fit in this machine's {format_bytes(total)}",
            "Give fewer `spec.cluster.workers` or less `spec.cluster.memory`.",
            code="NotEnoughMemory",
        )
    return count, min(memory, total // count)


def _started(count: int, memory: int) -> LocalCluster:
    try:
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            security=True,
            silence_logs=_log_level(),
            host="127.0.0.1",
            # No dashboard, and any free port for the scheduler's HTTP server, which has no routes.
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
        )
    except Exception as error:
        raise ClusterError(
            f"the local Dask cluster did not start: {error}",
            "Run the same command again. If that fails too, give workers more memory (`spec.cluster.memory`), or start fewer "
            "(`spec.cluster.workers`). "
            "`scoremill score --verbose` shows Dask's own log. A Python script must be a file and call scoremill.score below "
            'if __name__ == "__main__":.',
        ) from error


async def _kill_workers(cluster: LocalCluster) -> None:
    """Kill the worker processes: they have nothing to save, and running tasks would delay a clean shutdown by seconds."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully()
        if nanny.pid is not None:
            # Its nanny might not have noticed yet that it has ended.
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)


def _log_level() -> int:
    """Return the log level of Dask in all processes: errors, unless the program has disabled its logs."""
    is_on = logging.getLogger("distributed").isEnabledFor(logging.ERROR)
    return logging.ERROR if is_on else logging.CRITICAL


class Pulse:
    """Detect that no worker process of a local cluster is alive any more."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster, self._alive_at = cluster, time.monotonic()

    @property
    def has_stopped(self) -> bool:
        now = time.monotonic()
        if any(nanny.is_alive() for nanny in list(self._cluster.workers.values())):
            self._alive_at = now
        return now - self._alive_at > _GRACE_SECONDS
