"""A ScoringJob as the API gives it, at the time at which it was read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from scoremill.spec.resources.status import JobStatus

from .client import Object


@dataclass(frozen=True)
class Job:
    """One ScoringJob, as it is seen now."""

    made: Object
    now: dt.datetime

    @property
    def name(self) -> str:
        return str(self.made["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.made["metadata"]["namespace"])

    @property
    def output(self) -> str:
        return str(self.made["spec"]["output"]["uri"])

    @property
    def status(self) -> JobStatus:
        return JobStatus.model_validate(self.made.get("status") or {})

    @property
    def phase(self) -> str:
        return self.status.phase or "Pending"

    @property
    def age(self) -> float:
        """Seconds since it was made."""
        return (self.now - dt.datetime.fromisoformat(self.made["metadata"]["creationTimestamp"])).total_seconds()


def waiting(job: Job) -> str | None:
    """What the job waits for, if it does."""
    status = job.status
    if job.phase == "Retrying" and status.retry_time:
        return f"attempt {(status.attempt or 0) + 1} at {status.retry_time:%H:%M:%S}"
    if job.phase in {"Pending", "Planning", "Starting", "Running"}:
        return status.cluster.waiting if status.cluster and status.cluster.waiting else _unreconciled(job)
    return None


def _unreconciled(job: Job) -> str | None:
    if job.status.phase is None and not job.made["spec"].get("managedBy"):
        return "scoremill's operator to take it up"
    return None
