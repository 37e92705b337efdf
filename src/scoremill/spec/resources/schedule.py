"""When jobs are made: a schedule, as a CronJob is one, of scoring jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, WithJsonSchema, field_validator

from ..base import Spec
from ..job import JobSpec, Metadata
from .status import Condition, Count, Name, Status, Time, Uri

LOOK_BACK_SECONDS = 7 * 24 * 3600


class JobTemplateMetadata(Spec):
    """What the jobs bear beside their names."""

    labels: dict[str, str] = {}
    """Their labels."""
    annotations: dict[str, str] = {}
    """Their annotations."""


class JobTemplate(Spec):
    """What each run is made of."""

    metadata: JobTemplateMetadata = JobTemplateMetadata()
    """Labels and annotations of the jobs."""
    # The API server keeps it as it is: of each run, the operator and this model judge it.
    spec: Annotated[JobSpec, WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
    """Their spec, that of a ScoringJob; `{scheduledTime}` in `output.uri` is the run's time, such as 20261121T0300Z."""


class ScheduleSpec(Spec):
    """When a job is made, and of what."""

    schedule: Annotated[str, Field(min_length=1, max_length=256)]
    """Five fields as cron has them, such as `0 3 * * *`; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Name of the time zone that `schedule` is in, such as `Europe/Vienna`; UTC where it is not given."""
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Forbid"
    """What to do when a run is due and the previous one has not finished: Allow starts it as well; Forbid waits for the
    previous one to finish and then starts the latest run that is due; Replace deletes the previous one and starts it."""
    starting_deadline_seconds: Annotated[int, Field(ge=0)] | None = None
    """How late a run may begin; any lateness where it is not given."""
    look_back_seconds: Annotated[int, Field(ge=0, le=10 * 366 * 24 * 3600)] = LOOK_BACK_SECONDS
    """With `since: LastSuccess`: seconds before the last complete run from which on objects are looked for that no run has scored.

    It must be longer than an object takes from its modification time to its appearance, such as a multipart upload.
    """
    suspend: bool = False
    """Whether no further runs begin."""
    successful_jobs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 3
    """Complete jobs that are left."""
    failed_jobs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 3
    """Failed jobs that are left."""
    job_template: JobTemplate
    """The job to make."""

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
                raise ValueError(f"{name!r} is not a time zone that is known here") from None
        return name


class RunOutput(Status):
    """The output of a run, for the runs that follow it."""

    uri: Uri
    """URI of the output."""
    complete: bool = False
    """Whether the run is known to be complete."""
    since: Time | None = None
    """The run's `input.since`; objects modified before are not remembered by the output."""
    created: Time | None = None
    """When the run's job was created."""


class ScheduleStatus(Status):
    """What is known of a schedule; the operator writes it."""

    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Invalid, Scheduled (True while no due run is held up), and kstatus' Stalled."""
    observed_generation: Count | None = None
    """The generation of the spec that was looked at."""
    last_schedule_time: Time | None = None
    """The time that the last run was made for."""
    last_successful_time: Time | None = None
    """The time that the last complete run was made for; with `since: LastSuccess`, the next run looks back from it."""
    next_schedule_time: Time | None = None
    """The time of the next run."""
    outputs: Annotated[tuple[RunOutput, ...], Field(max_length=100)] = ()
    """With `since: LastSuccess`: outputs of the runs from the last complete one on, whose objects the next run leaves out."""
    active: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """The jobs that have not ended."""


class ScoringSchedule(Spec):
    """Scoring jobs at the times of a clock."""

    api_version: Literal["scoremill.dev/v1alpha1"] = "scoremill.dev/v1alpha1"
    """Version of this format."""
    kind: Literal["ScoringSchedule"] = "ScoringSchedule"
    """Always `ScoringSchedule`."""
    metadata: Metadata = Metadata()
    """Name and labels."""
    spec: ScheduleSpec
    """What is asked."""
    status: dict[str, Any] | None = Field(default=None, exclude=True)
    """Written by the operator; ignored in files."""
