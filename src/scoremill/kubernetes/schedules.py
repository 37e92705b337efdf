"""A job of a ScoringSchedule, made by hand."""

from __future__ import annotations

import datetime as dt
import secrets

from scoremill.errors import ClusterError, UsageError
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.spec.resources.status import ENDS

from .jobs import Ours
from .objects import Resource
from .objects.scheduled import SCHEDULE, owned, schedule_label, scheduled_job, seen, takes_what_is_new

_LONGEST = 240
"""Of a schedule's name, what a job's name takes over."""


def run_now(ours: Ours, name: str, since: dt.datetime | None = None) -> str:
    """Create a job from the schedule's template, for the present time, and return its name.

    If `since` is given, a template with `since: LastSuccess` takes objects modified from then on. Raises ClusterError
    while another run is active, unless the schedule allows it: they would score the same objects.
    """
    schedule = Resource.of(ours.find(name))
    if since is not None and not takes_what_is_new(schedule):
        raise UsageError(
            f"schedule {name} does not have input.since: LastSuccess, so its runs take no time",
            "Leave out --since.",
        )
    selector = f"{SCHEDULE}={schedule_label(name)}"
    jobs = owned(schedule, (Resource.of(each, "ScoringJob") for each in ours.kube.each("ScoringJob", selector)))
    if schedule.spec.get("concurrencyPolicy") != "Allow":
        _refuse_second(name, jobs)
    status = ScheduleStatus.model_validate(schedule.status)
    job = f"{name[:_LONGEST].rstrip('-.')}-{secrets.token_hex(3)}"
    # To the second: an API server keeps no more, and objects are told apart by it.
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ours.kube.create(scheduled_job(schedule, now, seen(schedule, status, jobs), job, since))
    return job


def _refuse_second(schedule: str, jobs: list[Resource]) -> None:
    going_on = [job.name for job in jobs if job.phase not in ENDS]
    if going_on:
        raise ClusterError(
            f"a run of schedule {schedule} goes on: {', '.join(going_on)}",
            f"Wait for it: scoremill job wait {going_on[0]}. `concurrencyPolicy: Allow` lets runs go on side by side.",
        )
