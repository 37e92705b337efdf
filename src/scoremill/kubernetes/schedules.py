"""Create a job from a ScoringSchedule outside its schedule."""

from __future__ import annotations

import datetime as dt
import secrets

from scoremill.errors import ClusterError, UsageError
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.spec.resources.status import ENDS

from .jobs import Ours
from .objects import Resource, names
from .objects.scheduled import owned, schedule_label, scheduled_job, seen, takes_what_is_new

_LONGEST = 240
"""How many characters of the schedule's name the job's name keeps."""


def run_now(ours: Ours, name: str, since: dt.datetime | None = None) -> str:
    """Create a job from the schedule's template for the current time, and return its name.

    If `since` is given, a template with `since: LastSuccess` takes objects modified from then on. Raises ClusterError
    if another run is active, which would score the same objects, unless the schedule allows it.
    """
    schedule = Resource.of(ours.find(name))
    if since is not None and not takes_what_is_new(schedule):
        raise UsageError(
            f"schedule {name} does not use input.since: LastSuccess, so `since=` has no effect",
            "Run the command without `since=`.",
        )
    selector = f"{names.SCHEDULE}={schedule_label(name)}"
    jobs = owned(schedule, ours.kube.each("ScoringJob", selector))
    if schedule.spec.get("concurrencyPolicy") != "Allow":
        _refuse_second(name, jobs)
    status = ScheduleStatus.model_validate(schedule.status)
    job = f"{name[:_LONGEST].rstrip('-.')}-{secrets.token_hex(3)}"
    # Whole seconds, because the API server stores no fractions.
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ours.kube.create(scheduled_job(schedule, now, seen(schedule, status, jobs), job, since))
    return job


def _refuse_second(schedule: str, jobs: list[Resource]) -> None:
    active = [job.name for job in jobs if job.phase not in ENDS]
    if active:
        raise ClusterError(
            f"a run of schedule {schedule} is still active: {', '.join(active)}",
            f"Wait for it with `scoremill job wait {active[0]}`, or set concurrencyPolicy: Allow in the schedule.",
            code="JobNotFinished",
        )
