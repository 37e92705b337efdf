"""A ScoringJob as it was read from the API, and when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from scoremill.errors import (
    ClusterError,
    FitError,
    RejectLimitError,
    ScoremillError,
    StorageError,
    UsageError,
    VerificationError,
)
from scoremill.spec import JobSpec, parse_job
from scoremill.spec.resources.status import JobStatus, Reason

from .objects import Resource, age

_OF_CODE: dict[int | None, type[ScoremillError]] = {
    error.exit_code: error
    for error in (UsageError, FitError, RejectLimitError, StorageError, ClusterError, VerificationError)
}
_OF_REASON: dict[str | None, type[ScoremillError]] = {
    Reason.INVALID_SPEC: UsageError,
    Reason.SPEC_CHANGED: UsageError,
    Reason.DRIVER_FAILED: ScoremillError,
}
"""Error class of failures without a documented exit code; all others are ClusterError."""


@dataclass(frozen=True)
class Job:
    """A ScoringJob as observed at the time `now`."""

    resource: Resource
    now: dt.datetime

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def output(self) -> str:
        return str(self.resource.spec["output"]["uri"])

    @property
    def spec(self) -> JobSpec:
        """The parsed spec; UsageError if it has fields that this version of scoremill does not know."""
        return parse_job({"spec": self.resource.spec}, f"ScoringJob {self.name}").spec

    @cached_property
    def status(self) -> JobStatus:
        return JobStatus.model_validate(self.resource.status)

    @property
    def phase(self) -> str:
        return self.status.phase or "Pending"

    @property
    def age(self) -> float:
        """Seconds since the job was created."""
        return age(self.resource, self.now)


def waiting(job: Job) -> str | None:
    """Return what the job waits for; None if it does not wait."""
    status = job.status
    if job.phase == "Retrying" and status.retry_time:
        return f"attempt {(status.attempt or 0) + 1} at {status.retry_time:%H:%M:%S}"
    if job.phase in {"Pending", "Planning", "Starting", "Running"}:
        return status.cluster.waiting if status.cluster and status.cluster.waiting else _unreconciled(job)
    return None


def _unreconciled(job: Job) -> str | None:
    if job.status.phase is None and not job.resource.spec.get("managedBy"):
        return "scoremill's operator"
    return None


def refuse_failed(job: Job) -> None:
    """Raise the error that `scoremill score` would have ended with, unless the job is complete."""
    if job.phase == "Suspended":
        raise ClusterError(
            f"job {job.name} is suspended", f"Resume it with `scoremill job resume {job.name}`.", code="JobNotFinished"
        )
    if job.phase != "Complete":
        raise failure_of(job)


def failure_of(job: Job) -> ScoremillError:
    """Return the error, with its exit code, that `scoremill score` would have ended with."""
    failure = job.status.failure
    reason, code = (failure.reason, failure.exit_code) if failure else (None, None)
    kind = _OF_CODE.get(code) or _OF_REASON.get(reason, ClusterError)
    message = f": {reason}: {failure.message}" if failure else ""
    hint, error_code = (failure.hint, failure.code) if failure else (None, None)
    return kind(f"job {job.name} failed{message}", hint, error_code)
