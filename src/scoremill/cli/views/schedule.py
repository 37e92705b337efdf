"""A ScoringSchedule as the API gives it, as a line for people and fields for programs; and one made of a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.kubernetes.manifest import refuse_unreachable
from scoremill.kubernetes.objects.scheduled import problem_of
from scoremill.spec import API_VERSION, read_yaml
from scoremill.spec.resources.schedule import ScheduleStatus, ScoringSchedule
from scoremill.spec.resources.status import format_time

Object = dict[str, Any]
TITLES = ["NAME", "SCHEDULE", "TIME ZONE", "SUSPENDED", "LAST", "NEXT", "ACTIVE"]


def is_schedule(path: str | None) -> bool:
    """Whether the file at `path` holds a ScoringSchedule."""
    if path is None or not Path(path).is_file():
        return False
    try:
        found = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and found.get("kind") == "ScoringSchedule"


def read_schedule(path: str) -> Object:
    """The ScoringSchedule in the file at `path`, as it is to be made."""
    found: Object = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    return checked(found, path)


def schedule_of(job: Object, spec: Object) -> Object:
    """The ScoringSchedule that makes jobs as `job`, a ScoringJob, is, with its name and labels."""
    described = {key: job["metadata"][key] for key in ("labels", "annotations") if key in job["metadata"]}
    template = ({"metadata": described} if described else {}) | {"spec": job["spec"]}
    made = {"apiVersion": API_VERSION, "kind": "ScoringSchedule", "metadata": job["metadata"]}
    return checked({**made, "spec": {**spec, "jobTemplate": template}}, "flags")


def checked(made: Object, source: str) -> Object:
    """`made`, without a status; UsageError that lists what is wrong with it."""
    try:
        spec = ScoringSchedule.model_validate(made).spec
    except ValidationError as error:
        problems = [f"{source}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError("\n".join(problems), "docs/reference/job.md lists all fields.") from None
    if problem := problem_of(spec):
        raise UsageError(f"{source}: {problem}")
    refuse_unreachable(spec.job_template.spec)
    return {key: value for key, value in made.items() if key != "status"}


def asks_the_same(one: Object, other: Object) -> bool:
    """Whether two ScoringSchedules ask for the same, whatever defaults are written out and whether or not they wait."""
    asked = [ScoringSchedule.model_validate(each).spec.model_copy(update={"suspend": False}) for each in (one, other)]
    return asked[0] == asked[1]


def document(made: Object) -> Object:
    """What programs are told."""
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
        fields["name"], fields["schedule"], fields["timeZone"], "yes" if fields["suspend"] else "no", *times,
        ", ".join(status.active),
    ]  # fmt: skip


def lines(made: Object) -> Iterator[str]:
    """What people are told of one schedule."""
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
        ("last", status.last_schedule_time), ("complete", status.last_successful_time), ("next", status.next_schedule_time),
    ):  # fmt: skip
        yield f"{title:<10}{format_time(time) if time else 'never' if title != 'next' else 'none'}"
    for name in status.active:
        yield f"runs      {name}"
    if problem := _problem(status):
        yield f"{problem[0]:<10}{problem[1]}"


def _problem(status: ScheduleStatus) -> tuple[str, str] | None:
    """What keeps runs from beginning, beside the user's own wish."""
    conditions = {each.type: each for each in status.conditions}
    invalid, scheduled = conditions.get("Invalid"), conditions.get("Scheduled")
    if invalid and invalid.status == "True":
        return "invalid", invalid.message
    if scheduled and scheduled.status == "False" and scheduled.reason != "Suspended":
        return "held up", scheduled.message
    return None
