"""The job that a schedule makes for one of its times; pure, shared by operator and command line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from scoremill.spec import API_VERSION, parse_job
from scoremill.spec.schedule import ScheduleSpec, ScheduleStatus
from scoremill.spec.status import format_time

Object = dict[str, Any]

SCHEDULE = "scoremill.dev/schedule"
"""Label of the jobs of a schedule: `schedule_label` of its name."""
SCHEDULED_TIME = "scoremill.dev/scheduled-time"
"""Annotation of such a job: the time that it was made for, RFC 3339."""
PLACEHOLDER = "{scheduledTime}"
"""In `output.uri` of a template: the time of the run."""
_LONGEST_NAME, _LONGEST_LABEL = 253, 63


def scheduled_job(schedule: Mapping[str, Any], at: datetime, since: datetime | None, name: str | None = None) -> Object:
    """The ScoringJob of `schedule`, as the API gave it, for the time `at`.

    With `input.since: LastSuccess` it takes objects that were modified from `since`, the time of the last complete
    run, to before `at`; all before `at` where there is none. `name` is by default that of `scheduled_name`.
    UsageError where the template is no job.
    """
    metadata = schedule["metadata"]
    template = schedule["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    return {
        "apiVersion": API_VERSION,
        "kind": "ScoringJob",
        "metadata": {
            "name": name or scheduled_name(metadata["name"], at),
            "namespace": metadata["namespace"],
            "labels": {**(given.get("labels") or {}), SCHEDULE: schedule_label(metadata["name"])},
            "annotations": {**(given.get("annotations") or {}), SCHEDULED_TIME: format_time(at)},
            "ownerReferences": [_owner(schedule)],
        },
        "spec": _spec(template["spec"], at, since),
    }


def owned(schedule: Mapping[str, Any], jobs: Iterable[Object]) -> list[Object]:
    """Those of `jobs` that `schedule` owns; not those of an earlier one of its name."""
    uid = schedule["metadata"]["uid"]
    return [job for job in jobs if any(owner["uid"] == uid for owner in job["metadata"].get("ownerReferences") or ())]


def made_for(job: Object) -> datetime:
    """The time that a job of a schedule was made for."""
    metadata = job["metadata"]
    annotations = metadata.get("annotations") or {}
    return datetime.fromisoformat(annotations.get(SCHEDULED_TIME) or metadata["creationTimestamp"])


def last_success(status: ScheduleStatus, jobs: Iterable[Object]) -> datetime | None:
    """The time of the last complete run, by what is stored and by the jobs of the schedule themselves."""
    complete = [made_for(job) for job in jobs if job.get("status", {}).get("phase") == "Complete"]
    return max((time for time in [status.last_successful_time, *complete] if time), default=None)


def problem_of(spec: ScheduleSpec) -> str | None:
    """Why no run of it could end well although each part is valid; None where nothing is wrong."""
    job = spec.job_template.spec
    if job.input.since == "LastSuccess":
        if PLACEHOLDER not in job.output.uri:
            return f"each run with input.since: LastSuccess needs an output of its own: put {PLACEHOLDER} in output.uri"
        if job.input.until is not None:
            return "input.until is set by the schedule where input.since is LastSuccess; leave it out"
    return None


def scheduled_name(schedule: str, at: datetime) -> str:
    """The name of the job for the time `at`, the same each time: the schedule's and the minutes since 1970."""
    minutes = f"-{int(at.timestamp()) // 60}"
    return _cut(schedule, _LONGEST_NAME - len(minutes)) + minutes


def schedule_label(schedule: str) -> str:
    """The value of the label SCHEDULE on jobs of `schedule`: its name, or the beginning of it and a hash."""
    return _cut(schedule, _LONGEST_LABEL)


def stamp(at: datetime) -> str:
    """`at` as it stands in names of outputs: 20261121T0300Z, or with the seconds of a run by hand 20261121T030012Z."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ" if at.second else "%Y%m%dT%H%MZ")


def _spec(template: Mapping[str, Any], at: datetime, since: datetime | None) -> Object:
    # In the one form that the API server takes, where a file may have several.
    asked = parse_job({"spec": template}, "spec.jobTemplate").spec
    spec: Object = asked.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec["output"]["uri"] = spec["output"]["uri"].replace(PLACEHOLDER, stamp(at))
    if asked.input.since == "LastSuccess":
        del spec["input"]["since"]
        # A run of a later time may have been complete before: then nothing is left for this one.
        spec["input"] |= {"until": format_time(at)} | ({"since": format_time(min(since, at))} if since else {})
    return spec


def _owner(schedule: Mapping[str, Any]) -> Object:
    name, uid = schedule["metadata"]["name"], schedule["metadata"]["uid"]
    owner = {"apiVersion": API_VERSION, "kind": "ScoringSchedule", "name": name, "uid": uid}
    return {**owner, "controller": True, "blockOwnerDeletion": True}


def _cut(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
