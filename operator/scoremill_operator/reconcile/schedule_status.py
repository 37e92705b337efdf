"""The status of a ScoringSchedule, and the events about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from scoremill.kubernetes.objects import Resource
from scoremill.kubernetes.objects.scheduled import scheduled_name, seen
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.spec.resources.status import Condition, Failure, Reason, format_time

from .job_state import MOST_MESSAGE
from .observed import Decision, Event
from .schedule_run import Run

_EVENTS: dict[str, str] = {
    Reason.INVALID_SPEC: "Warning",
    Reason.MISSED_DEADLINE: "Warning",
    Reason.JOB_ALREADY_ACTIVE: "Normal",
    Reason.JOB_REFUSED: "Warning",
}
"""Types of the events about conditions, by reason."""
VALID = Condition(type="Invalid", status="False", reason=Reason.VALID)


def scheduled(reason: Reason, message: str = "") -> Condition:
    """Return the condition Scheduled, which is true while no run is prevented."""
    holds = reason == Reason.IDLE
    return Condition(
        type="Scheduled", status="True" if holds else "False", reason=reason, message=message[:MOST_MESSAGE]
    )


def invalid(error: ValueError) -> list[Condition]:
    """Return the conditions of a spec that is not accepted."""
    found = Condition(type="Invalid", status="True", reason=Reason.INVALID_SPEC, message=str(error)[:MOST_MESSAGE])
    return [found, found.model_copy(update={"type": "Stalled"})]


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
            why = run.status.failure or Failure()
            yield Event("Warning", "JobFailed", f"job {run.name} failed: {why.reason}: {why.message}")
        is_new = stored.last_schedule_time is None or run.at > stored.last_schedule_time
        if is_new and run.name == scheduled_name(schedule.name, run.at):
            yield Event("Normal", "Created", f"created job {run.name} for {format_time(run.at)}")


def written(
    schedule: Resource, stored: ScheduleStatus, new: ScheduleStatus, conditions: Sequence[Condition], now: datetime
) -> Decision:
    """Return the status, if it differs from the stored one, and events of conditions that are new."""
    before = {condition.type: condition for condition in stored.conditions}
    held = tuple(_dated(schedule, before.get(condition.type), condition, now) for condition in conditions)
    events = tuple(_event(condition) for condition in held if _is_news(before.get(condition.type), condition))
    status = new.model_copy(update={"conditions": held, "observed_generation": schedule.generation})
    return Decision(None if status.fields() == stored.fields() else status.fields(), events=events)


def _dated(schedule: Resource, before: Condition | None, condition: Condition, now: datetime) -> Condition:
    since = before.last_transition_time if before and before.status == condition.status else now
    return condition.model_copy(update={"last_transition_time": since, "observed_generation": schedule.generation})


def _is_news(before: Condition | None, condition: Condition) -> bool:
    is_new = before is None or (before.reason, before.message) != (condition.reason, condition.message)
    return is_new and condition.type != "Stalled" and condition.reason in _EVENTS


def _event(condition: Condition) -> Event:
    return Event(_EVENTS[condition.reason], condition.reason, condition.message)
