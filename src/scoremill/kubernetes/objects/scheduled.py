"""Render the job that a schedule creates for one of its times; pure, used by the operator and the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from scoremill.spec import API_VERSION, parse_job
from scoremill.spec.resources.schedule import LOOK_BACK_SECONDS, ScheduleSpec, ScheduleStatus
from scoremill.spec.resources.status import format_time

from .names import SCHEDULE, SCHEDULED_TIME
from .resource import Resource
from .unscored import outputs_after, what_is_new

Object = dict[str, Any]

PLACEHOLDER = "{scheduledTime}"
"""Placeholder in the `output.uri` of a template for the scheduled time."""
_LONGEST_NAME, _LONGEST_LABEL = 253, 63


def scheduled_job(
    schedule: Resource,
    at: datetime,
    status: ScheduleStatus,
    name: str | None = None,
    since: datetime | None = None,
) -> Object:
    """Render the ScoringJob of `schedule` for the time `at`.

    With `input.since: LastSuccess` it takes the objects that no run in `status` has scored, or those modified since
    `since` if that is given. The default of `name` is `scheduled_name`. Raises UsageError if the template is not a
    valid job.
    """
    template = schedule.spec["jobTemplate"]
    given = template.get("metadata") or {}
    return {
        "apiVersion": API_VERSION,
        "kind": "ScoringJob",
        "metadata": {
            "name": name or scheduled_name(schedule.name, at),
            "namespace": schedule.namespace,
            "labels": {**(given.get("labels") or {}), SCHEDULE: schedule_label(schedule.name)},
            "annotations": {**(given.get("annotations") or {}), SCHEDULED_TIME: format_time(at)},
            "ownerReferences": [_owner(schedule)],
        },
        "spec": _spec(schedule, at, status, since),
    }


def owned(schedule: Resource, jobs: Iterable[Resource]) -> list[Resource]:
    """Return those of `jobs` that `schedule` owns, but not those of an earlier schedule of the same name."""
    return [job for job in jobs if any(owner.uid == schedule.uid for owner in job.owners)]


def made_for(job: Resource) -> datetime:
    """Return the time that a job of a schedule was created for."""
    annotated = job.annotations.get(SCHEDULED_TIME)
    return datetime.fromisoformat(annotated) if annotated else job.created or datetime.min.replace(tzinfo=UTC)


def last_success(status: ScheduleStatus, jobs: Iterable[Resource]) -> datetime | None:
    """Return the time of the last complete run, from the status of the schedule and its jobs."""
    complete = [made_for(job) for job in jobs if job.phase == "Complete"]
    return max((time for time in [status.last_successful_time, *complete] if time), default=None)


def seen(schedule: Resource, status: ScheduleStatus, jobs: Sequence[Resource]) -> ScheduleStatus:
    """Return the stored `status` of a schedule, updated from its own `jobs`."""
    outputs = outputs_after(status.outputs, sorted(jobs, key=made_for)) if takes_what_is_new(schedule) else ()
    return status.model_copy(update={"last_successful_time": last_success(status, jobs), "outputs": outputs})


def announced(schedule: Resource, status: ScheduleStatus, job: Object, now: datetime) -> ScheduleStatus:
    """Return `status` with the output of a job before its creation, in case the job is deleted before it is observed."""
    if not takes_what_is_new(schedule) or any(one.uri == job["spec"]["output"]["uri"] for one in status.outputs):
        return status
    created = replace(Resource.of(job), created=now.replace(microsecond=0))
    return status.model_copy(update={"outputs": outputs_after(status.outputs, [created])})


def takes_what_is_new(schedule: Resource) -> bool:
    """Return whether the template has `input.since: LastSuccess`, even if it is invalid otherwise."""
    template = schedule.spec["jobTemplate"].get("spec")
    given = template.get("input") if isinstance(template, dict) else None
    return isinstance(given, dict) and given.get("since") == "LastSuccess"


def problem_of(spec: ScheduleSpec) -> str | None:
    """Return why no run of the schedule could succeed, although each field is valid; None if nothing is wrong."""
    job = spec.job_template.spec
    if job.input.since == "LastSuccess":
        if PLACEHOLDER not in job.output.uri:
            return f"each run with input.since: LastSuccess needs an output of its own: put {PLACEHOLDER} in output.uri"
        if job.input.until is not None:
            return "input.until cannot be combined with input.since: LastSuccess; leave it out"
        if spec.concurrency_policy == "Allow":
            return (
                "with concurrencyPolicy: Allow, runs with input.since: LastSuccess would score the same objects at the "
                "same time; use Forbid or Replace"
            )
    return None


def scheduled_name(schedule: str, at: datetime) -> str:
    """Return the name of the job for the time `at`: the schedule's name and the minutes since 1970."""
    minutes = f"-{int(at.timestamp()) // 60}"
    return _cut(schedule, _LONGEST_NAME - len(minutes)) + minutes


def schedule_label(schedule: str) -> str:
    """Return the value of the label SCHEDULE: the schedule's name, or its beginning and a hash if it is long."""
    return _cut(schedule, _LONGEST_LABEL)


def stamp(at: datetime) -> str:
    """Format `at` for names of outputs: 20261121T0300Z, or with seconds for a manual run 20261121T030012Z."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ" if at.second else "%Y%m%dT%H%MZ")


def _spec(schedule: Resource, at: datetime, status: ScheduleStatus, since: datetime | None) -> Object:
    # Normalized, because the API server accepts only one of the forms that a job file can use.
    asked = parse_job({"spec": schedule.spec["jobTemplate"]["spec"]}, "spec.jobTemplate").spec
    spec: Object = asked.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec["output"]["uri"] = spec["output"]["uri"].replace(PLACEHOLDER, stamp(at))
    if asked.input.since == "LastSuccess":
        del spec["input"]["since"]
        given = spec["input"].pop("notScoredBy", [])
        new = what_is_new(status, schedule.spec.get("lookBackSeconds", LOOK_BACK_SECONDS), since)
        named = [*given, *new.pop("notScoredBy", [])]
        spec["input"] |= new | ({"notScoredBy": named} if named else {})
    return spec


def _owner(schedule: Resource) -> Object:
    owner = {"apiVersion": API_VERSION, "kind": "ScoringSchedule", "name": schedule.name, "uid": schedule.uid}
    return {**owner, "controller": True, "blockOwnerDeletion": True}


def _cut(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
