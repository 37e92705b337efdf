"""Tasks on a Dask cluster: a local one that lives as long as the run, or one that is there already."""

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

from ...worker.task import score_partition
from ...worker.work import Task
from ..protocol import Result
from .cluster_faults import AGAIN, cluster_calls, explained, killed_for_memory, killed_idle, lost_results
from .deaths import Deaths
from .link import Link
from .local_cluster import Pulse, local_cluster
from .reports import error_of, receipt_of
from .session import DONE, GREW, REPORTED, News, Session
from .workers import Workers

CONNECT_SECONDS = 15.0
"""How long a scheduler is waited for that somebody names."""
_POLL = 0.2


@dataclass(slots=True)
class _Out:
    """A task that has not ended, and its future if it could be submitted."""

    task: Task
    future: Future[None] | None = None
    report: dict[str, Any] | None = None


class OnDask:
    """Submits each task as one call of a top-level function; the model is never in the graph.

    A scheduler that goes away is waited for, and gets again what has not ended: a part that was published by then is
    found, and left untouched.
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
        """`address` is `local`, or a scheduler's address such as tcp://host:8786 or tls://host:8786.

        `security` holds the certificates to show to a scheduler; without it Dask's own configuration is asked. The
        first connection is waited for `connect_seconds`, every later one for `deadlines.pre_running_seconds`.
        """
        self._address, self._cluster, self._security = address, cluster, security
        self._patience = connect_seconds, float(deadlines.pre_running_seconds)
        self._workers = Workers(
            patience=deadlines.pre_running_seconds, are_ours=self.shares_files, allow_version_skew=allow_version_skew
        )
        self._pulse: Pulse | None = None
        self._out: dict[str, _Out] = {}
        self._starts: Counter[str] = Counter()
        self._deaths = Deaths(are_ours=self.shares_files)
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
            # A Dask autoscaler takes a task that it knows nothing of for half a second, and adds a worker for every
            # five seconds of them: fewer tasks would never bring the last worker.
            return max(12 * asked.max, 2 * workers + 2)
        return 2 * max(asked.max, workers) + 2

    @property
    def workers(self) -> int:
        if self._link.present is not None:
            self._workers.look(self._link.present)
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
        """Return once there is a scheduler, or a worker; `tell` what is waited for. Raise ClusterError if none comes."""
        while self._link.session() is None or (for_worker and not self.workers):
            self.take(1.0)
            for note in self.notes():
                tell(note)

    def _calls(self) -> AbstractContextManager[None]:
        """Inside, what calls of the client raise is a ClusterError."""
        return cluster_calls(lambda: self._link.present is None or self._link.present.is_lost)

    def submit(self, task: Task) -> None:
        # Each submission has a key of its own: Dask takes an old one, or another driver's, for the same result.
        key = f"score-{self._id}-{task.partition.number}-{task.partition.id}-{next(self._submissions)}"
        self._out[key] = _Out(task)
        if self._link.present is not None and self._is_open:
            self._send(key, self._link.present)

    def _send(self, key: str, session: Session) -> None:
        self._out[key].future = session.submit(key, *self._call(self._out[key].task))

    def _call(self, task: Task) -> tuple[Any, ...]:
        """The function that gives the receipt of `task`, and its arguments."""
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
            result = self._hear(news)
            if result is not None:
                return result
        self._refuse_dead(session)
        return None

    def _hear(self, news: News) -> Result | None:
        """Take one piece of news; the result of the task that has ended by it, if one has."""
        if news.topic == DONE:
            return self._end(news.message)
        if news.topic == GREW:
            return self._judge_killed(self._deaths.grew(news.message["worker"], news.message["rss"]))
        if news.topic == REPORTED:
            self._hear_report(news.message)
        return None

    def _hear_report(self, message: dict[str, Any]) -> None:
        out = self._out.get(message["key"])
        if out is None:
            # Of another driver, or of a task that was submitted again.
            return
        if "starts" in message:
            self._starts[out.task.partition.id] += 1
            self._deaths.started(message["worker"], message["key"])
        else:
            out.report = message

    def _end(self, key: str) -> Result | None:
        """The result of a task whose future has ended; None if it was lost, and is submitted again."""
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
        begun = max(receipt.begun, self._starts.pop(task.partition.id, 1))
        return Result(task, receipt=replace(receipt, begun=begun))

    def _explained(self, error: BaseException, task: Task) -> BaseException:
        # A worker that dies while it imports what the task needs has not reported its start.
        is_memory = isinstance(error, KilledWorker) and self._deaths.is_killed(error.last_worker.address)
        if is_memory or self._deaths.by_memory(task.partition.id):
            return killed_for_memory(task, self._workers.memory_limit, self._deaths.largest)
        return explained(error, task)

    def _submit_lost(self, task: Task) -> None:
        """Submit again what ended without a report, because its scheduler has gone, or forgot it."""
        session = self._link.present
        if session is not None and session.identity() and not session.is_lost:
            # The scheduler is still the same: it may lose it again.
            self._lost[task.partition.id] += 1
            if self._lost[task.partition.id] == KILLS:
                raise lost_results(task)
        self.submit(replace(task, may_exist=True))

    def _judge_killed(self, key: str | None) -> Result | None:
        """The end of a task that has driven too many workers beyond their memory limit."""
        out = self._out.get(key or "")
        if out is None or not self._deaths.is_too_many(out.task.partition.id):
            return None
        del self._out[key or ""]
        self._cancel(out)
        return Result(out.task, error=killed_for_memory(out.task, self._workers.memory_limit, self._deaths.largest))

    def _cancel(self, *outs: _Out) -> None:
        # Dask cannot stop those that run: they find out for themselves before they publish (outputs.py).
        futures = [out.future for out in outs if out.future is not None]
        if self._link.present is not None:
            self._link.present.cancel(futures)

    def _refuse_dead(self, session: Session) -> None:
        """Raise ClusterError if the cluster will not come back to life."""
        self._workers.look(session)
        if self._deaths.never_end:
            raise killed_idle(self._workers.memory_limit, self._deaths.largest)
        if self._pulse is not None and self._pulse.has_stopped:
            raise ClusterError("every worker process of the local Dask cluster has ended", AGAIN, code="WorkersKilled")
        self._workers.refuse_none()

    def _resume(self, session: Session, *, is_first: bool) -> None:
        """Have this scheduler get what is out, under new keys: the old ones may be known to it."""
        tasks = [out.task for out in self._out.values()]
        self._out.clear()
        self._is_open = False
        for task in tasks:
            self.submit(task if is_first else replace(task, may_exist=True))
        self._workers.restart_wait()
        self._workers.look(session, now=True)
        self._open(session)

    def _open(self, session: Session) -> bool:
        """Whether tasks may go to this scheduler; those that are out do so from then on.

        Unless workers come because of tasks, one is there and was judged: a worker without scoremill dies of a task.
        """
        if self._is_open:
            return True
        asked = self._cluster.bounds
        self._workers.look(session)
        self._is_open = bool(self._workers) or (asked is not None and not asked.min)
        for key in list(self._out) if self._is_open else ():
            self._send(key, session)
        return self._is_open
