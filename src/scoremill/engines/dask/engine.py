"""Run tasks on a Dask cluster: a local one that lives as long as the run, or an existing one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import count
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from distributed import Client, Future, Security
from distributed.scheduler import KilledWorker

from scoremill.errors import ClusterError
from scoremill.kubernetes.objects.dask_config import KILLS
from scoremill.ledger import Receipt
from scoremill.spec import Cluster, Deadlines
from scoremill.worker.task import score_partition
from scoremill.worker.work import Task

from ..protocol import Result
from .cluster_faults import AGAIN, cluster_calls, explained, killed_for_memory, killed_idle, lost_results
from .deaths import Deaths
from .link import Link
from .local_cluster import Pulse, local_cluster
from .reports import error_of, receipt_of
from .session import DONE, GREW, REPORTED, News, Session
from .workers import ConnectedWorkers

CONNECT_SECONDS = 15.0
"""Seconds to wait for a scheduler that the user names."""
_POLL = 0.2


@dataclass(slots=True)
class _Submitted:
    """An unfinished task, and its future if it could be submitted."""

    task: Task
    future: Future[None] | None = None
    report: dict[str, Any] | None = None


class OnDask:
    """Submit each task as one call of a top-level function; the model is never in the graph.

    If the scheduler is lost, wait for it and submit the unfinished tasks again. Parts that were published meanwhile stay
    unchanged.
    """

    def __init__(
        self,
        address: str,
        cluster: Cluster,
        deadlines: Deadlines,
        security: Security | None = None,
        *,
        allow_version_skew: bool = False,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        """Take `local`, or the address of a scheduler such as tcp://host:8786 or tls://host:8786.

        `security` has the certificates for the scheduler; by default, Dask's configuration has them. `connect_seconds`
        limits the time to connect first, `deadlines.pre_running_seconds` the time to connect again.
        """
        self._address, self._cluster, self._security = address, cluster, security
        self._patience = connect_seconds, float(deadlines.pre_running_seconds)
        self._workers = ConnectedWorkers(
            patience=deadlines.pre_running_seconds, is_local=self.shares_files, allow_version_skew=allow_version_skew
        )
        self._pulse: Pulse | None = None
        self._out: dict[str, _Submitted] = {}
        self._starts: Counter[str] = Counter()
        self._deaths = Deaths(is_exclusive=self.shares_files)
        self._lost: Counter[str] = Counter()
        self._id, self._submissions = uuid4().hex, count()
        self._is_open = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            cluster = stack.enter_context(local_cluster(self._cluster)) if self.shares_files else None
            self._pulse = Pulse(cluster) if cluster else None
            self._link = Link(cluster or self._address, self._security, self._patience, self._resume)
            stack.callback(self._link.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel(*self._out.values())
        self._out.clear()
        self._stack.close()

    @property
    def window(self) -> int:
        asked, workers = self._cluster.bounds, self.workers
        if asked is None:
            return 2 * workers + 2
        if asked.min < asked.max:
            # Dask's autoscaler assumes half a second per unfamiliar task and adds a worker per five seconds of tasks:
            # with fewer tasks, it would never add the last worker.
            return max(12 * asked.max, 2 * workers + 2)
        return 2 * max(asked.max, workers) + 2

    @property
    def workers(self) -> int:
        if self._link.present is not None:
            self._workers.update(self._link.present)
        return len(self._workers)

    def notes(self) -> list[str]:
        return self._link.notes() + self._workers.notes()

    @property
    def shares_files(self) -> bool:
        return self._address == "local"

    @property
    def _client(self) -> Client:
        return self._link.client

    def wait(self, tell: Callable[[str], None], *, for_worker: bool = False) -> None:
        """Wait for a scheduler, or also a worker; `tell` what for. Raise ClusterError if none comes."""
        while self._link.session() is None or (for_worker and not self.workers):
            self.take(1.0)
            for note in self.notes():
                tell(note)

    def _calls(self) -> AbstractContextManager[None]:
        """Return a context in which errors of calls of the client are ClusterErrors."""
        return cluster_calls(lambda: self._link.present is None or self._link.present.is_lost)

    def submit(self, task: Task) -> None:
        # Each submission has a unique key: Dask would otherwise reuse the result of an earlier one or of another driver.
        key = f"score-{self._id}-{task.partition.number}-{task.partition.id}-{next(self._submissions)}"
        self._out[key] = _Submitted(task)
        if self._link.present is not None and self._is_open:
            self._send(key, self._link.present)

    def _send(self, key: str, session: Session) -> None:
        self._out[key].future = session.submit(key, *self._call(self._out[key].task))

    def _call(self, task: Task) -> tuple[Any, ...]:
        """Return the function that returns the receipt of `task`, and its arguments."""
        return score_partition, task

    def take(self, timeout: float) -> Result | None:
        until = time.monotonic() + timeout
        session = self._link.session()
        if session is None:
            return None
        if not self._open(session):
            self._refuse_dead(session)
            time.sleep(min(timeout, _POLL))
            return None
        while (news := session.next(until - time.monotonic())) is not None:
            result = self._handle(news)
            if result is not None:
                return result
        self._refuse_dead(session)
        return None

    def _handle(self, news: News) -> Result | None:
        """Handle one piece of news; return the result if a task has finished."""
        if news.topic == DONE:
            return self._end(news.message)
        if news.topic == GREW:
            return self._check_killed(self._deaths.grew(news.message["worker"], news.message["rss"]))
        if news.topic == REPORTED:
            self._handle_report(news.message)
        return None

    def _handle_report(self, message: dict[str, Any]) -> None:
        out = self._out.get(message["key"])
        if out is None:
            # From another driver, or from a task that was submitted again.
            return
        if "starts" in message:
            self._starts[out.task.partition.id] += 1
            self._deaths.started(message["worker"], message["key"])
        else:
            out.report = message

    def _end(self, key: str) -> Result | None:
        """Return the result of a task whose future is done; None if it was lost and is submitted again."""
        out = self._out.pop(key, None)
        if out is None:
            return None
        if out.report is not None:
            receipt = receipt_of(out.report)
            return self._receive(out.task, receipt) if receipt else Result(out.task, error=error_of(out.report))
        session = self._link.present
        error = session.error_of(out.future) if session and out.future else None
        if error is not None:
            return Result(out.task, error=self._explained(error, out.task))
        self._submit_lost(out.task)
        return None

    def _receive(self, task: Task, receipt: Receipt) -> Result:
        self._deaths.forget()
        starts = max(receipt.starts, self._starts.pop(task.partition.id, 1))
        return Result(task, receipt=replace(receipt, starts=starts))

    def _explained(self, error: BaseException, task: Task) -> BaseException:
        # A worker that dies while it imports libraries for the task has not reported its start.
        is_memory = isinstance(error, KilledWorker) and self._deaths.is_killed(error.last_worker.address)
        if is_memory or self._deaths.by_memory(task.partition.id):
            return killed_for_memory(task, self._workers.memory_limit, self._deaths.largest)
        return explained(error, task)

    def _submit_lost(self, task: Task) -> None:
        """Submit a task again that ended without a report, because the scheduler stopped or dropped it."""
        session = self._link.present
        if session is not None and session.identity() and not session.is_lost:
            # The scheduler is the same, so it might lose the task again.
            self._lost[task.partition.id] += 1
            if self._lost[task.partition.id] == KILLS:
                raise lost_results(task)
        self.submit(replace(task, might_exist=True))

    def _check_killed(self, key: str | None) -> Result | None:
        """Return the failure of a task that has made too many workers exceed their memory limit."""
        out = self._out.get(key or "")
        if out is None or not self._deaths.is_too_many(out.task.partition.id):
            return None
        del self._out[key or ""]
        self._cancel(out)
        return Result(out.task, error=killed_for_memory(out.task, self._workers.memory_limit, self._deaths.largest))

    def _cancel(self, *outs: _Submitted) -> None:
        # Dask cannot stop running tasks: they check whether they are cancelled before they publish (outputs.py).
        futures = [out.future for out in outs if out.future is not None]
        if self._link.present is not None:
            self._link.present.cancel(futures)

    def _refuse_dead(self, session: Session) -> None:
        """Raise ClusterError if the cluster cannot recover."""
        self._workers.update(session)
        if self._deaths.never_end:
            raise killed_idle(self._workers.memory_limit, self._deaths.largest)
        if self._pulse is not None and self._pulse.has_stopped:
            raise ClusterError("every worker process of the local Dask cluster has ended", AGAIN, code="WorkersKilled")
        self._workers.refuse_none()

    def _resume(self, session: Session, *, is_first: bool) -> None:
        """Submit the unfinished tasks to this scheduler under new keys, because it might know the old ones."""
        tasks = [out.task for out in self._out.values()]
        self._out.clear()
        self._is_open = False
        for task in tasks:
            self.submit(task if is_first else replace(task, might_exist=True))
        self._workers.restart_wait()
        self._workers.update(session, now=True)
        self._open(session)

    def _open(self, session: Session) -> bool:
        """Return whether this scheduler accepts tasks; unfinished ones are submitted when it does.

        A worker must be there and checked first, because a worker without scoremill dies of a task. This does not apply if
        the autoscaler starts workers only for tasks.
        """
        if self._is_open:
            return True
        asked = self._cluster.bounds
        self._workers.update(session)
        self._is_open = bool(self._workers) or (asked is not None and not asked.min)
        for key in list(self._out) if self._is_open else ():
            self._send(key, session)
        return self._is_open
