"""Tasks on a Dask cluster: a local one that lives as long as the run, or one that is there already."""

from __future__ import annotations

import os
import queue
import warnings
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import dask
import distributed
from distributed import Client, Future, LocalCluster, Security
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.versions import VersionMismatchWarning

from scoremill.bundle.threads import ONE_THREAD
from scoremill.errors import ClusterError, KilledWorkerError
from scoremill.ledger import Receipt
from scoremill.spec import Cluster, Deadlines
from scoremill.units import GIB, format_bytes

from .engine import Result
from .starts import Starts
from .task import score_partition
from .work import Task
from .workers import Workers

KILLS = 3
"""Workers that a partition may kill before it is taken for the cause."""
_LOCAL_MEMORY = 2 * GIB


class OnDask:
    """Submits each task as one call of a top-level function; the model is never in the graph."""

    def __init__(
        self,
        address: str,
        cluster: Cluster,
        deadlines: Deadlines,
        security: Security | None = None,
        *,
        allow_version_skew: bool = False,
    ) -> None:
        """`address` is `local`, or a scheduler's address such as tcp://host:8786 or tls://host:8786.

        `security` holds the certificates to show to a scheduler; without it Dask's own configuration is asked.
        """
        self._address, self._cluster, self._deadlines, self._security = address, cluster, deadlines, security
        self._ended: queue.SimpleQueue[tuple[Task, Future[Receipt]]] = queue.SimpleQueue()
        self._out: dict[str, Future[Receipt]] = {}
        self._id, self._submissions = uuid4().hex, count()
        self._lost: Counter[str] = Counter()
        self._allow_version_skew = allow_version_skew

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(dask.config.set(self._config()))
            self._client = self._start_local(stack) if self._address == "local" else self._connect(stack)
            self._workers = Workers(
                self._client,
                patience=self._deadlines.pre_running_seconds,
                are_ours=self._address == "local",
                allow_version_skew=self._allow_version_skew,
            )
            self._workers.count()
            self._starts = Starts(self._client, f"score-{self._id}-")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Dask cannot stop those that run: they find out for themselves before they publish (outputs.py).
        for future in list(self._out.values()):
            future.cancel(force=True)
        self._out.clear()
        self._stack.close()

    @property
    def window(self) -> int:
        asked, workers = self._cluster.bounds, self.workers
        if asked is None:
            return 2 * workers + 2
        if asked.min < asked.max:
            # A Dask autoscaler takes a task that it knows nothing of for half a second, and adds a worker for every
            # five seconds of them: fewer tasks would never bring the last worker.
            return max(12 * asked.max, 2 * workers + 2)
        return 2 * max(asked.max, workers) + 2

    @property
    def workers(self) -> int:
        self._refuse_closed()
        return self._workers.count()

    def notes(self) -> list[str]:
        return self._workers.notes()

    @property
    def shares_files(self) -> bool:
        return self._address == "local"

    def submit(self, task: Task) -> None:
        # Each submission has a key of its own: Dask takes an old one, or another driver's, for the same result.
        key = f"score-{self._id}-{task.partition.number}-{task.partition.id}-{next(self._submissions)}"
        future = self._start(task, key)
        self._out[key] = future
        future.add_done_callback(lambda done: self._ended.put((task, done)))

    def _start(self, task: Task, key: str) -> Future[Receipt]:
        return self._client.submit(score_partition, task, key=key, pure=False, retries=0)

    def take(self, timeout: float) -> Result | None:
        try:
            task, future = self._ended.get(timeout=timeout)
        except queue.Empty:
            self._refuse_closed()
            self._workers.refuse_none()
            return None
        self._out.pop(str(future.key), None)
        if future.status in {"lost", "pending"}:
            self._submit_lost(task)
            return None
        return self._result(task, future)

    def _submit_lost(self, task: Task) -> None:
        """The worker died with the receipt in its memory. The part is published, so this is soon done again."""
        self._refuse_closed()
        self._lost[task.partition.id] += 1
        if self._lost[task.partition.id] == KILLS:
            raise ClusterError(
                f"{KILLS} workers died with the result of partition {task.partition.number} ({_names(task)})",
                "Look at why workers end: their memory, their nodes. " + _AGAIN,
            )
        self.submit(replace(task, may_exist=True))

    def _refuse_closed(self) -> None:
        if self._client.status not in {"running", "connecting"}:
            raise ClusterError("the Dask scheduler is gone", _AGAIN)

    def _result(self, task: Task, future: Future[Receipt]) -> Result:
        if future.status == "finished":
            try:
                receipt = future.result()
            except CommClosedError:
                raise ClusterError("the Dask scheduler was lost", _AGAIN) from None
            begun = max(receipt.begun, self._starts.of(str(future.key)))
            return Result(task, receipt=replace(receipt, begun=begun))
        if future.status == "cancelled":
            raise ClusterError("the Dask scheduler was lost", _AGAIN)
        error = future.exception()
        if isinstance(error, KilledWorker):
            error = KilledWorkerError(
                f"{KILLS} workers died while scoring partition {task.partition.number} ({_names(task)})",
                "Most often their memory ran out: give --memory more, or --batch-rows less "
                "(the latter begins the output anew).",
            )
        return Result(task, error=error)

    def _config(self) -> dict[str, Any]:
        return {
            # With one task a thread on a worker, who was on a worker that died was running there.
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.allowed-failures": KILLS - 1,
            "distributed.scheduler.no-workers-timeout": f"{self._deadlines.pre_running_seconds}s",
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.target": False,
            "distributed.worker.memory.pause": False,
            "distributed.admin.system-monitor.gil.enabled": False,
            "distributed.nanny.pre-spawn-environ": {
                **dask.config.get("distributed.nanny.pre-spawn-environ"),
                **ONE_THREAD,
            },
        }

    def _start_local(self, stack: ExitStack) -> Client:
        count = self._cluster.bounds.max if self._cluster.bounds else os.cpu_count() or 1
        memory = self._cluster.memory or _LOCAL_MEMORY
        total = distributed.system.MEMORY_LIMIT
        if count * memory > total and self._cluster.memory:
            raise ClusterError(
                f"{count} workers of {format_bytes(memory)} do not fit in this machine's {format_bytes(total)}",
                "Give fewer --workers or less --memory.",
            )
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, memory_limit=min(memory, total // count),
                security=True, silence_logs="ERROR", host="127.0.0.1",
                # No dashboard, and any free port for the scheduler's HTTP server: others may run here too.
                dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
            )
        )  # fmt: skip
        client: Client = stack.enter_context(Client(cluster))
        return client

    def _connect(self, stack: ExitStack) -> Client:
        try:
            with warnings.catch_warnings():
                # Workers are judged by what matters to scores (workers.py); the last digits of Python's version do not.
                warnings.simplefilter("ignore", VersionMismatchWarning)
                client: Client = stack.enter_context(
                    Client(self._address, timeout="15s", name="scoremill", security=self._security)
                )
            if self._cluster.bounds is None or self._cluster.bounds.min:
                client.wait_for_workers(1, timeout=self._deadlines.pre_running_seconds)
        except (OSError, TypeError, ValueError) as error:  # TypeError: tls:// without certificates
            raise ClusterError(
                f"no Dask cluster with workers answers at {self._address}: {error}",
                "Check the address and that `dask worker` processes are connected to it.",
            ) from None
        return client


_AGAIN = "Run the same command again: what is done is kept."


def _names(task: Task) -> str:
    piece = task.partition.pieces[0]
    return f"{piece.source.uri}, bytes {piece.start} to {piece.end}"
