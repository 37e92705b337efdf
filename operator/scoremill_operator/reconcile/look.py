"""One ScoringJob as the policies see it, and what a policy answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scoremill.kubernetes import diagnosis, objects
from scoremill.spec import JobSpec
from scoremill.spec.resources.status import ConditionType, Failure, JobStatus, Phase, Progress, Reason

from .observed import Action, Delete, Observed

MOST_MESSAGE = 4096
"""Characters of a message in a status: what is told may hold a whole log."""
SOON = 10.0
"""Seconds until the next look while something is awaited that no event may tell."""


@dataclass(frozen=True)
class Look:
    """What was observed, with spec and status understood."""

    seen: Observed
    spec: JobSpec
    status: JobStatus

    @property
    def now(self) -> dt.datetime:
        return self.seen.now

    @property
    def attempt(self) -> int:
        return self.status.attempt or 0

    @cached_property
    def child(self) -> str:
        return objects.child_of(self.seen.job)

    @cached_property
    def driver(self) -> diagnosis.Driver | None:
        """That of the present attempt."""
        name = objects.names.driver_name(self.child, self.attempt)
        return next((driver for driver in self.seen.drivers if driver.name == name), None)

    @property
    def alive(self) -> tuple[diagnosis.Driver, ...]:
        """Drivers of any attempt that run, or may yet."""
        return tuple(driver for driver in self.seen.drivers if driver.is_alive)

    @property
    def progress(self) -> Progress | None:
        """What the driver of the present attempt has reported; None if it has reported nothing yet."""
        progress = self.status.progress
        return progress if progress is not None and progress.attempt == self.attempt else None

    @property
    def waits_for(self) -> diagnosis.Cause | None:
        return diagnosis.waits_for(self.status, self.seen.cluster, self.driver, self.seen.refused)

    def without_drivers(self) -> tuple[Action, ...]:
        """Has every driver that lives go, and leaves those that have ended for their logs."""
        return tuple(
            Delete("Job", driver.name, driver.uid)
            for driver in self.alive
            if driver.uid and "deletionTimestamp" not in driver.job["metadata"]
        )

    def without_cluster(self) -> tuple[Action, ...]:
        """Has the cluster go."""
        if self.seen.cluster is None or "deletionTimestamp" in self.seen.cluster.cluster["metadata"]:
            return ()
        return (Delete("DaskCluster", self.child, self.seen.cluster.cluster["metadata"]["uid"]),)


@dataclass(frozen=True)
class Step:
    """What a policy answers: where the job stands from now on, and what is done about it."""

    phase: Phase
    reason: Reason
    message: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the JobStatus."""
    actions: tuple[Action, ...] = ()
    again: float | None = None
    holds: tuple[ConditionType, ...] = ()
    """Further conditions that are true."""


def after(moment: dt.datetime, seconds: float) -> dt.datetime:
    """So long after; a moment beyond the calendar never comes."""
    return moment + dt.timedelta(seconds=min(seconds, 10**9))


def failure_of(reason: Reason, message: str, hint: str | None, exit_code: int | None) -> Failure:
    """What is told of a failure, as long as a status may hold it."""
    return Failure(
        reason=reason, message=message[:MOST_MESSAGE], hint=hint and hint[:MOST_MESSAGE], exit_code=exit_code
    )


def failed(
    look: Look, reason: Reason, message: str, hint: str | None = None, *, exit_code: int | None = None,
    holds: tuple[ConditionType, ...] = (), **changes: Any,
) -> Step:  # fmt: skip
    """The terminal Step of failure. Nothing is torn down by it: that is decided once it is written."""
    failure = failure_of(reason, message, hint, exit_code)
    changes = {"failure": failure, "completion_time": look.now, "retry_time": None, **changes}
    return Step("Failed", reason, message, changes, again=0, holds=holds)
