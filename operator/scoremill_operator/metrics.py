"""The operator's Prometheus metrics."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import ENDS

disable_created_metrics()  # type: ignore[no-untyped-call]
JOBS = Gauge("scoremill_jobs", "Number of ScoringJobs by phase.", ["phase"])
ROWS = Counter("scoremill_rows", "Total number of rows scored or rejected by jobs.")
REJECTED = Counter("scoremill_rejected_rows", "Total number of rows rejected by jobs.")
PARTITIONS = Counter("scoremill_partitions", "Total number of partitions completed by jobs.")
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RECONCILE = Histogram(
    "scoremill_reconcile_seconds", "Duration of a reconciliation in seconds.", ["kind"], buckets=_BUCKETS
)
ERRORS = Counter("scoremill_reconcile_errors", "Total number of failed reconciliations.", ["kind"])
CALLS = Counter("scoremill_api_calls", "Total number of Kubernetes API calls.", ["method"])
QUEUE = Gauge("scoremill_queue_length", "Number of objects waiting to be reconciled.")
QUEUE_AGE = Gauge(
    "scoremill_queue_age_seconds", "Seconds for which the oldest object has been waiting to be reconciled."
)
WATCH_AGE = Gauge("scoremill_watch_age_seconds", "Seconds since the API last answered the quietest watch.")
LEADER = Gauge("scoremill_leader", "1 if this process holds the Lease, else 0.")


class _Last(NamedTuple):
    uid: str
    phase: str
    rows: int
    rejected: int
    partitions: int


_COUNTERS = {"rows": ROWS, "rejected": REJECTED, "partitions": PARTITIONS}


class Jobs:
    """Updates `JOBS` and the counters from the jobs that are reconciled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[Hashable, _Last] = {}

    def note(self, key: Hashable, job: Resource) -> None:
        """Count what changed since the last call for the job; the first call counts nothing."""
        now = _read(job)
        with self._lock:
            before = self._last.get(key, now)
            if key not in self._last or before.phase != now.phase:
                self._leave(key)
                JOBS.labels(now.phase).inc()
            most = before if before.uid == now.uid else now
            # A new attempt reports 0 until it has read the receipts of earlier ones.
            self._last[key] = now._replace(**{name: max(getattr(most, name), getattr(now, name)) for name in _COUNTERS})
        for name, counter in _COUNTERS.items():
            counter.inc(max(0, getattr(now, name) - getattr(most, name)))

    def has_ended(self, key: Hashable) -> bool:
        """Return whether the job was last seen as finished."""
        last = self._last.get(key)
        return last is not None and last.phase in ENDS

    def forget(self, key: Hashable) -> None:
        """Stop counting a deleted job."""
        with self._lock:
            self._leave(key)
            self._last.pop(key, None)

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all jobs but these."""
        for key in {*self._last} - {*keys}:
            self.forget(key)

    def _leave(self, key: Hashable) -> None:
        if key in self._last:
            JOBS.labels(self._last[key].phase).dec()


def _read(job: Resource) -> _Last:
    progress, rows = job.status.get("progress") or {}, job.status.get("rows") or {}
    done = progress.get("rows") or {}
    return _Last(
        uid=job.uid,
        phase=job.phase or "Pending",
        rows=rows.get("total") or done.get("done") or 0,
        rejected=rows.get("rejected") or done.get("rejected") or 0,
        partitions=(progress.get("partitions") or {}).get("done") or 0,
    )
