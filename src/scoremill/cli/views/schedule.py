"""A ScoringSchedule as a line for people and as fields for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill.spec.resources.status import format_time

Object = dict[str, Any]
TITLES = ["NAME", "SCHEDULE", "TIME ZONE", "SUSPENDED", "LAST", "NEXT", "ACTIVE"]


def document(made: Object) -> Object:
    """Return the fields of the JSON output."""
    spec, status = made["spec"], ScheduleStatus.model_validate(made.get("status") or {})
    return {
        "name": made["metadata"]["name"],
        "namespace": made["metadata"]["namespace"],
        "schedule": spec["schedule"],
        "timeZone": spec.get("timeZone", "UTC"),
        "suspend": bool(spec.get("suspend")),
        "status": status.fields(),
    }


def row(made: Object) -> list[str]:
    """A line of the table below TITLES."""
    fields, status = document(made), ScheduleStatus.model_validate(made.get("status") or {})
    times = [format_time(time) if time else "" for time in (status.last_schedule_time, status.next_schedule_time)]
    if (problem := _problem(status)) and problem[0] == "invalid":
        times[1] = "invalid"
    return [
        fields["name"],
        fields["schedule"],
        fields["timeZone"],
        "yes" if fields["suspend"] else "no",
        *times,
        ", ".join(status.active),
    ]


def lines(made: Object) -> Iterator[str]:
    """Yield the lines of text that describe a schedule."""
    fields, status = document(made), ScheduleStatus.model_validate(made.get("status") or {})
    template = made["spec"]["jobTemplate"].get("spec")
    concurrency = made["spec"].get("concurrencyPolicy", "Forbid")
    suspended = "; suspended" if fields["suspend"] else ""
    yield f"{fields['name']} in {fields['namespace']}: {fields['schedule']} in {fields['timeZone']}, {concurrency}{suspended}"
    for part in ("model", "output"):
        # The API server keeps any template; the operator judges it.
        with suppress(KeyError, TypeError):
            yield f"{part:<10}{template[part]['uri']}"
    for title, time in (
        ("last", status.last_schedule_time),
        ("complete", status.last_successful_time),
        ("next", status.next_schedule_time),
    ):
        yield f"{title:<10}{format_time(time) if time else 'never' if title != 'next' else 'none'}"
    for name in status.active:
        yield f"runs      {name}"
    if problem := _problem(status):
        yield f"{problem[0]:<10}{problem[1]}"


def _problem(status: ScheduleStatus) -> tuple[str, str] | None:
    """Return what keeps runs from starting, other than a suspension by the user."""
    conditions = {each.type: each for each in status.conditions}
    invalid, scheduled = conditions.get("Invalid"), conditions.get("Scheduled")
    if invalid and invalid.status == "True":
        return "invalid", invalid.message
    if scheduled and scheduled.status == "False" and scheduled.reason != "Suspended":
        return "held up", scheduled.message
    return None
