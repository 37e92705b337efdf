"""A job of a ScoringSchedule, made by hand."""

from __future__ import annotations

import datetime as dt
import secrets

from scoremill.deploy.scheduled import scheduled_job
from scoremill.spec.schedule import ScheduleStatus

from .kube_job import Ours

_LONGEST = 240
"""Of a schedule's name, what a job's name takes over."""


def run_now(ours: Ours, name: str) -> str:
    """The name of the job that was made of the schedule's template, for the present time."""
    schedule = ours.find(name)
    status = ScheduleStatus.model_validate(schedule.get("status") or {})
    job = f"{name[:_LONGEST].rstrip('-.')}-{secrets.token_hex(3)}"
    # To the second: an API server keeps no more, and objects are told apart by it.
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ours.kube.create(scheduled_job(schedule, now, status.last_successful_time, job))
    return job
