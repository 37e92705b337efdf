"""A run of a ScoringSchedule: one of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.scheduled import made_for
from scoremill.spec.resources.schedule import ScheduleSpec
from scoremill.spec.resources.status import JobStatus

from .observed import Delete


@dataclass(frozen=True)
class Run:
    """A job of the schedule."""

    job: Resource
    is_outlived: bool = False
    """True if the job has finished, but its driver still runs."""

    @property
    def name(self) -> str:
        return self.job.name

    @cached_property
    def at(self) -> datetime:
        """The time that it was created for."""
        return made_for(self.job)

    @cached_property
    def status(self) -> JobStatus:
        return JobStatus.model_validate(self.job.status)

    @property
    def is_finished(self) -> bool:
        return self.status.is_finished

    def __str__(self) -> str:
        return f"{self.name}, whose driver is still active" if self.is_outlived else self.name


def beyond_history(spec: ScheduleSpec, runs: Sequence[Run]) -> Iterator[Delete]:
    """Yield the deletions of finished jobs above the limits, the oldest first."""
    limits = {"Complete": spec.successful_jobs_history_limit, "Failed": spec.failed_jobs_history_limit}
    for phase, limit in limits.items():
        ended = [run.job for run in runs if run.status.phase == phase and not run.job.is_deleting]
        yield from map(Delete.of, ended[: max(0, len(ended) - limit)])
