"""One ScoringJob as the policies see it, and the transition that a policy decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scoremill.kubernetes import diagnosis, objects
from scoremill.kubernetes.objects import Resource
from scoremill.spec import JobSpec
from scoremill.spec.resources.status import ConditionType, Failure, JobProgress, JobStatus, Phase

from .desired import NOTHING_DESIRED, Desired
from .job_reasons import Explanation
from .observed import Action, Delete, Observed

MOST_MESSAGE = 4096
"""Characters of a message in a status: the source can be a whole log."""
POLL_SECONDS = 10.0
"""Seconds until the next reconcile while waiting for something that might cause no event."""


@dataclass(frozen=True)
class JobState:
    """The observed state with spec and status parsed, and the desired state."""

    observed: Observed
    spec: JobSpec
    status: JobStatus
    desired: Desired = NOTHING_DESIRED

    @property
    def job(self) -> Resource:
        return self.observed.job

    @property
    def now(self) -> dt.datetime:
        return self.observed.now

    @property
    def attempt(self) -> int:
        return self.status.attempt or 0

    @cached_property
    def child(self) -> str:
        return objects.child_of(self.job)

    @cached_property
    def driver(self) -> diagnosis.Driver | None:
        """Driver of the current attempt."""
        name = objects.names.driver_name(self.child, self.attempt)
        return next((driver for driver in self.observed.drivers if driver.name == name), None)

    @property
    def live_drivers(self) -> tuple[diagnosis.Driver, ...]:
        """Drivers of any attempt that run or can still start."""
        return tuple(driver for driver in self.observed.drivers if driver.is_alive)

    @property
    def progress(self) -> JobProgress | None:
        """Progress that the driver of the current attempt reported; None if it reported nothing yet."""
        progress = self.status.progress
        return progress if progress is not None and progress.attempt == self.attempt else None

    @property
    def waits_for(self) -> diagnosis.Cause | None:
        return diagnosis.waits_for(self.status, self.observed.cluster, self.driver, self.observed.refused)

    def delete_drivers(self) -> tuple[Action, ...]:
        """Delete all live drivers; finished ones are kept for their logs."""
        jobs = [driver.job for driver in self.live_drivers if driver.job]
        return tuple(Delete.of(job) for job in jobs if not job.is_deleting)

    def delete_cluster(self) -> tuple[Action, ...]:
        """Delete the cluster, if it is not being deleted already."""
        cluster = self.observed.dask_cluster
        return () if cluster is None or cluster.is_deleting else (Delete.of(cluster),)


@dataclass(frozen=True)
class Transition:
    """Decision of a policy: the next phase, its reason, and the actions."""

    phase: Phase
    why: Explanation
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the JobStatus."""
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    conditions: tuple[ConditionType, ...] = ()
    """Further conditions that are true."""


def after(moment: dt.datetime, seconds: float) -> dt.datetime:
    """Return the time so many seconds later; one beyond the calendar is far in the future."""
    return moment + dt.timedelta(seconds=min(seconds, 10**9))


def failure_of(why: Explanation) -> Failure:
    """Return a failure, shortened to fit into a status."""
    hint = why.hint and why.hint[:MOST_MESSAGE]
    message = why.message[:MOST_MESSAGE]
    return Failure(reason=why.reason, code=why.code, message=message, hint=hint, exit_code=why.exit_code)


def failed(
    state: JobState, why: Explanation, *, conditions: tuple[ConditionType, ...] = (), **changes: Any
) -> Transition:
    """Return the transition to Failed. It deletes nothing: that is decided once it is stored."""
    end = {"failure": failure_of(why), "completion_time": state.now, "retry_time": None, **changes}
    return Transition("Failed", why, end, requeue_after=0, conditions=conditions)
