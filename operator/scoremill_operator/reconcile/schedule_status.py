"""The status of a ScoringSchedule, and when to report what is new in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.scheduled import scheduled_name, seen
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.spec.resources.status import Condition

from .observed import Decision, Event
from .schedule_reasons import event_of, job_created, job_failed
from .schedule_run import Run


def with_runs(schedule: Resource, stored: ScheduleStatus, runs: Sequence[Run]) -> ScheduleStatus:
    """Return the stored status with what the jobs show."""
    # Jobs that a user created between times are runs, but of no time of the cron line.
    of_times = [run.at for run in runs if run.name == scheduled_name(schedule.name, run.at)]
    last = max((time for time in [stored.last_schedule_time, *of_times] if time), default=None)
    active = tuple(run.name for run in runs if not run.is_finished)[:1000]
    shown = seen(schedule, stored, [run.job for run in runs])
    return shown.model_copy(update={"last_schedule_time": last, "active": active})


def events_of_runs(schedule: Resource, stored: ScheduleStatus, runs: Sequence[Run]) -> Iterator[Event]:
    """Yield events of runs once they are observed, not when they are requested; and of those that have failed since."""
    for run in runs:
        if run.status.phase == "Failed" and run.name in stored.active:
            yield job_failed(run)
        is_new = stored.last_schedule_time is None or run.at > stored.last_schedule_time
        if is_new and run.name == scheduled_name(schedule.name, run.at):
            yield job_created(run)


def written(
    schedule: Resource, stored: ScheduleStatus, new: ScheduleStatus, conditions: Sequence[Condition], now: datetime
) -> Decision:
    """Return the status, if it differs from the stored one, and events of conditions that are new."""
    before = {condition.type: condition for condition in stored.conditions}
    held = tuple(_dated(schedule, before.get(condition.type), condition, now) for condition in conditions)
    events = filter(None, (event_of(condition) for condition in held if _is_news(before, condition)))
    status = new.model_copy(update={"conditions": held, "observed_generation": schedule.generation})
    return Decision(None if status.fields() == stored.fields() else status.fields(), events=tuple(events))


def _dated(schedule: Resource, before: Condition | None, condition: Condition, now: datetime) -> Condition:
    since = before.last_transition_time if before and before.status == condition.status else now
    return condition.model_copy(update={"last_transition_time": since, "observed_generation": schedule.generation})


def _is_news(before: Mapping[str, Condition], condition: Condition) -> bool:
    known = before.get(condition.type)
    return known is None or (known.reason, known.message) != (condition.reason, condition.message)
