"""A schedule that creates scoring jobs, as a CronJob creates Jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, WithJsonSchema, field_validator

from scoremill.units import quoted

from ..base import Spec
from ..job import JobSpec, Metadata
from .status import Condition, Count, Name, Status, Time, Uri

LOOK_BACK_SECONDS = 7 * 24 * 3600


class JobTemplateMetadata(Spec):
    """Labels and annotations of the created jobs."""

    labels: dict[str, str] = {}
    """Labels of the created jobs."""
    annotations: dict[str, str] = {}
    """Annotations of the created jobs."""


class JobTemplate(Spec):
    """Template of the created jobs."""

    metadata: JobTemplateMetadata = JobTemplateMetadata()
    """Labels and annotations of the created jobs."""
    # The API server keeps it as it is: of each run, the operator and this model judge it.
    spec: Annotated[JobSpec, WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
    """Specification of the created ScoringJobs. `{scheduledTime}` in `output.uri` is replaced by the time of the run, such as `20261121T0300Z`."""


class ScheduleSpec(Spec):
    """Specification of a schedule."""

    schedule: Annotated[str, Field(min_length=1, max_length=256)]
    """Cron expression with five fields, such as `0 3 * * *`, or `@hourly`, `@daily`, `@weekly`, `@monthly`, or `@yearly`."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Time zone of `schedule`, such as `Europe/Vienna`. Defaults to UTC."""
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Forbid"
    """What to do when a run is due and the previous one has not finished: Allow starts it as well; Forbid waits for the
    previous one to finish and then starts the latest run that is due; Replace deletes the previous one and starts it."""
    starting_deadline_seconds: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of seconds that a run can start late. No limit by default."""
    look_back_seconds: Annotated[int, Field(ge=0, le=10 * 366 * 24 * 3600)] = LOOK_BACK_SECONDS
    """With `since: LastSuccess`: number of seconds before the last complete run in which to look for objects not yet scored.

    It must exceed the time between the modification time of an object and its appearance in the store, as in a multipart upload.
    """
    suspend: bool = False
    """Suspend the schedule: no further jobs are created."""
    successful_jobs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 3
    """Number of complete jobs to keep."""
    failed_jobs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 3
    """Number of failed jobs to keep."""
    job_template: JobTemplate
    """Template of the jobs to create."""

    @field_validator("schedule")
    @classmethod
    def _is_a_cron_line(cls, schedule: str) -> str:
        if "TZ=" in schedule:
            raise ValueError("a schedule holds no time zone; `timeZone` does")
        if not schedule.startswith("@") and len(schedule.split()) != 5:
            raise ValueError("a schedule has five fields: minute, hour, day of the month, month, day of the week")
        return schedule

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ValueError, OSError, KeyError):
                raise ValueError(f"{quoted(name)} is not a time zone that is known here") from None
        return name


class RunOutput(Status):
    """The output of a run, as later runs need it."""

    uri: Uri
    """URI of the output."""
    complete: bool = False
    """True if the run is complete."""
    since: Time | None = None
    """`input.since` of the run. The output does not record objects modified earlier."""
    created: Time | None = None
    """Time at which the job of the run was created."""


class ScheduleStatus(Status):
    """Observed state of a schedule, written by the operator."""

    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Conditions of the schedule: Invalid, Scheduled (false while a due run cannot start), and Stalled."""
    observed_generation: Count | None = None
    """Generation of the spec that this status describes."""
    last_schedule_time: Time | None = None
    """Scheduled time of the last run."""
    last_successful_time: Time | None = None
    """Scheduled time of the last complete run. With `since: LastSuccess`, the next run looks back from it."""
    next_schedule_time: Time | None = None
    """Scheduled time of the next run."""
    outputs: Annotated[tuple[RunOutput, ...], Field(max_length=100)] = ()
    """With `since: LastSuccess`: outputs of the last complete run and those after it, whose objects the next run skips."""
    active: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """Names of the jobs that have not finished."""


class ScoringSchedule(Spec):
    """A schedule that creates scoring jobs at set times."""

    api_version: Literal["scoremill.dev/v1alpha1"] = "scoremill.dev/v1alpha1"
    """API version of this format."""
    kind: Literal["ScoringSchedule"] = "ScoringSchedule"
    """Always `ScoringSchedule`."""
    metadata: Metadata = Metadata()
    """Kubernetes object metadata."""
    spec: ScheduleSpec
    """Specification of the schedule."""
    status: dict[str, Any] | None = Field(default=None, exclude=True)
    """Status of the schedule, written by the operator. Ignored in files."""
