"""WHAT has become of a job: its status, as operator and driver write it and everyone reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, PlainSerializer, WithJsonSchema, computed_field

from ..base import Spec


def format_time(time: datetime) -> str:
    """`time` as Kubernetes writes it: RFC 3339, in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    AwareDatetime,
    PlainSerializer(format_time, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment; RFC 3339 outside."""
Count = Annotated[int, Field(ge=0)]
"""How many."""
Text = Annotated[str, Field(max_length=32_768)]
"""What a human reads."""
Name = Annotated[str, Field(max_length=253)]
"""Name of an object on Kubernetes."""
Uri = Annotated[str, Field(max_length=4096)]
"""URI of an object or folder."""

Phase = Literal[
    "Pending", "Planning", "Starting", "Running", "Suspending", "Suspended", "Retrying", "Complete", "Failed"
]
"""Where a job stands; Complete and Failed are for ever."""
ENDS: frozenset[str | None] = frozenset({"Complete", "Failed"})
"""Phases after which nothing more happens."""

Stage = Literal["Planning", "WaitingForCluster", "Scoring"]
"""What a driver does."""
NEEDS_CLUSTER: frozenset[str | None] = frozenset({"WaitingForCluster", "Scoring"})
"""Stages of a driver that has made its plan and asks for workers."""

ConditionType = Literal[
    "Running", "Complete", "Failed", "Suspended", "Invalid", "SpecChanged", "Reconciling", "Stalled"
]
"""The conditions of a job; Reconciling and Stalled are those of kstatus."""


class Reason(StrEnum):
    """Why a condition holds; each has its `meaning`, a sentence."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """The member `value`, which means `meaning`."""
        member = str.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member

    INVALID_SPEC = "InvalidSpec", "The spec, or a template in it, is not one that the operator understands."
    SPEC_CHANGED = "SpecChanged", "The spec is not the one that the job began with, and only `suspend` may change."
    PRE_RUNNING_DEADLINE = (
        "PreRunningDeadline",
        "The driver did not start, or no worker came, within `deadlines.preRunningSeconds`.",
    )
    ACTIVE_DEADLINE = "ActiveDeadline", "The run did not end within `deadlines.activeSeconds`."
    NO_PROGRESS = "NoProgress", "No partition was finished within `deadlines.noProgressSeconds`."
    USAGE = "Usage", "The driver refused what was asked: exit code 2."
    DOES_NOT_FIT = "DoesNotFit", "Model and data do not fit together: exit code 3."
    TOO_MANY_BAD_ROWS = "TooManyBadRows", "More rows were rejected than `errors` allows: exit code 4."
    STORAGE_FAILED = "StorageFailed", "A store could not be read or written: exit code 5."
    CLUSTER_FAILED = "ClusterFailed", "The Dask cluster failed: exit code 6."
    OUTPUT_BUSY = "OutputBusy", "Another run writes to the same output: exit code 6."
    VERIFICATION_FAILED = "VerificationFailed", "Model or output are not what they should be: exit code 7."
    DRIVER_FAILED = "DriverFailed", "The driver ended with an error of its own: exit code 1, or one that is not known."
    DRIVER_LOST = "DriverLost", "The driver's pod went without leaving an exit code."
    DRIVER_OUT_OF_MEMORY = "DriverOutOfMemory", "The driver was killed for exceeding its memory limit."
    WORKER_OUT_OF_MEMORY = "WorkerOutOfMemory", "A partition needs more memory than a worker's limit: exit code 6."

    ALL_ROWS_DONE = "AllRowsDone", "Every row is scored or rejected, and the manifest is written."
    DRIVER_RUNS = "DriverRuns", "The driver is scoring."
    DRIVER_STARTS = "DriverStarts", "The driver is asked for and does not run yet."
    DRIVER_PLANS = "DriverPlans", "The driver checks model, input and output and makes the plan."
    CLUSTER_STARTS = "ClusterStarts", "The Dask cluster is asked for and has no worker yet."
    BACKOFF = "Backoff", "An attempt failed, and the next one waits for its time."
    SUSPEND_ASKED = "SuspendAsked", "`suspend` is true."
    SUSPENDING = "Suspending", "Driver and cluster are about to go, since `suspend` is true."
    VALID = "Valid", "The spec is one that the operator understands."
    FINISHED = "Finished", "The job is complete or has failed: nothing more will happen."

    IDLE = "Idle", "Of a schedule: no run is due."
    SUSPENDED = "Suspended", "Of a schedule: `suspend` is true, and no run begins."
    JOB_ALREADY_ACTIVE = "JobAlreadyActive", "Of a schedule: a run is due, and the last one has not ended."
    JOB_REFUSED = "JobRefused", "Of a schedule: a run is due, and Kubernetes does not take its job."
    MISSED_DEADLINE = "MissedDeadline", "Of a schedule: a run was not begun within `startingDeadlineSeconds`."


REASON_OF_CODE = {
    2: Reason.USAGE,
    3: Reason.DOES_NOT_FIT,
    4: Reason.TOO_MANY_BAD_ROWS,
    5: Reason.STORAGE_FAILED,
    6: Reason.CLUSTER_FAILED,
    7: Reason.VERIFICATION_FAILED,
}
"""Why a job failed whose driver ended with this exit code; DRIVER_FAILED is any other."""
REASON_OF_ERROR = {
    "LeaseError": Reason.OUTPUT_BUSY,
    "StallError": Reason.NO_PROGRESS,
    "DeadlineError": Reason.ACTIVE_DEADLINE,
    "WorkerMemoryError": Reason.WORKER_OUT_OF_MEMORY,
}
"""Why, where the class of its error (`scoremill.errors`) tells more than its code."""


class Status(Spec):
    """A frozen value of which a newer version may know more: unknown fields are ignored, none is required."""

    model_config = {**Spec.model_config, "extra": "ignore"}

    def fields(self) -> dict[str, Any]:
        """As the API holds it: camelCase, times as text, and nothing that is not known.

        An object of which nothing is known is left out: if it replaces one that had fields, a server-side apply makes
        it null, which the API server then refuses.
        """
        return _filled(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without empty objects."""
    inner = {key: _filled(value) if isinstance(value, dict) else value for key, value in fields.items()}
    return {key: value for key, value in inner.items() if value != {}}


class Condition(Status):
    """One aspect of the state, as all of Kubernetes tells it."""

    type: Annotated[str, Field(max_length=316)]
    """Its name, such as `Complete`."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """Why, in one word."""
    message: Text = ""
    """Why, for humans."""
    last_transition_time: Time | None = None
    """When `status` last changed."""
    observed_generation: Count | None = None
    """The generation of the spec that was looked at."""


class PartitionCounts(Status):
    """Partitions of a run."""

    total: Count | None = None
    """Of the whole plan."""
    done: Count | None = None
    """With a receipt in the output, also of earlier attempts."""
    resumed: Count | None = None
    """With a receipt of an earlier attempt or run; `done` is more once this attempt has finished one."""


class RowProgress(Status):
    """Rows of a run."""

    total: Count | None = None
    """Of the whole input; an estimate for CSV."""
    done: Count | None = None
    """In finished partitions, rejected ones among them."""
    rejected: Count | None = None
    """Set aside because they could not be scored."""


class Progress(Status):
    """Figures of the present attempt; the driver alone writes them."""

    attempt: Count | None = None
    """The attempt that these figures are of."""
    stage: Stage | None = None
    """What the driver does; the cluster is created once it waits for it."""
    partitions: PartitionCounts | None = None
    """Partitions."""
    rows: RowProgress | None = None
    """Rows."""
    rows_per_second: Annotated[float, Field(ge=0)] | None = None
    """Rows that a second brings at present."""
    eta_seconds: Annotated[float, Field(ge=0)] | None = None
    """Seconds that are left, at this speed."""
    workers: Count | None = None
    """Workers that are connected."""
    update_time: Time | None = None
    """When these figures were written."""
    progress_time: Time | None = None
    """When the last partition was finished, or else the present stage began."""
    notes: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=20)] = ()
    """What the driver found worth telling."""

    @computed_field
    def summary(self) -> str | None:
        """Finished partitions of all, such as `812/4096`."""
        counts = self.partitions
        return f"{counts.done or 0}/{counts.total}" if counts and counts.total is not None else None


class WorkerCounts(Status):
    """Workers of the cluster."""

    wanted: Count | None = None
    """Asked for."""
    ready: Count | None = None
    """Whose pods are ready."""


class ClusterStatus(Status):
    """The job's Dask cluster."""

    name: Name | None = None
    """Its name."""
    workers: WorkerCounts | None = None
    """Its workers."""
    waiting: Text | None = None
    """What it waits for, and the evidence."""


class DriverStatus(Status):
    """The job's driver."""

    job: Name | None = None
    """The batch Job of the present attempt."""
    pod: Name | None = None
    """Its pod."""


class ModelStatus(Status):
    """The model that was used."""

    digest: Annotated[str, Field(max_length=256)] | None = None
    """Digest of its bundle."""


class RowCounts(Status):
    """Rows of a whole run; scored and rejected are all there are."""

    total: Count | None = None
    """Read."""
    scored: Count | None = None
    """With a prediction in the output."""
    rejected: Count | None = None
    """Set aside because they could not be scored."""


class Outputs(Status):
    """Where the results lie."""

    manifest: Uri | None = None
    """The list of all parts, with rows and hashes."""
    errors: Uri | None = None
    """Folder of the rejected rows."""
    report: Uri | None = None
    """The report."""
    logs: Uri | None = None
    """Folder of the logs of the job's drivers, `ATTEMPT-TIME.log`; of a failed job too."""


class Failure(Status):
    """Why the last failed attempt failed."""

    reason: Annotated[str, Field(max_length=1024)] | None = None
    """In one word."""
    message: Text | None = None
    """For humans."""
    mend: Text | None = None
    """What to do about it."""
    code: Annotated[int, Field(ge=0, le=255)] | None = None
    """Exit code of the driver, the one that `scoremill score` would have ended with."""


class FailedObject(Status):
    """An object that could not be scored."""

    uri: Uri | None = None
    """The object."""
    message: Text | None = None
    """What is wrong with it."""


class JobStatus(Status):
    """What is known of a job; written by the operator, `progress` by the driver."""

    phase: Phase | None = None
    """Where it stands, in one word; conditions tell it to programs."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Running, Complete, Failed, Suspended, Invalid, SpecChanged, and kstatus' Reconciling and Stalled."""
    observed_generation: Count | None = None
    """The generation of the spec that was looked at."""
    spec_hash: Annotated[str, Field(max_length=64)] | None = None
    """SHA-256 of the spec without `suspend` at the first start, in hexadecimal."""
    attempt: Count | None = None
    """Number of the present driver, from 1."""
    failures: Count | None = None
    """Attempts that count against `retry.backoffLimit`."""
    retry_time: Time | None = None
    """When the next attempt begins, or the present one began if it is not the first."""
    start_time: Time | None = None
    """When the first attempt began, or the first since the last resume."""
    running_time: Time | None = None
    """When a driver first had a cluster to score on."""
    completion_time: Time | None = None
    """When it became complete or failed."""
    cluster: ClusterStatus | None = None
    """The Dask cluster."""
    driver: DriverStatus | None = None
    """The driver."""
    model: ModelStatus | None = None
    """The model that was used."""
    rows: RowCounts | None = None
    """Rows, when all is done."""
    rejected_files: Count | None = None
    """Input objects that could not be read and were set aside, when all is done."""
    outputs: Outputs | None = None
    """Where the results lie."""
    failure: Failure | None = None
    """Why the last failed attempt failed."""
    failure_list: Annotated[tuple[FailedObject, ...], Field(max_length=20)] = ()
    """The first objects that could not be scored."""
    progress: Progress | None = None
    """How far the driver is."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in ENDS

    @property
    def needs_cluster(self) -> bool:
        """Whether the driver of the present attempt has made its plan and asks for workers."""
        progress = self.progress
        is_current = progress is not None and progress.attempt == self.attempt
        return is_current and progress is not None and progress.stage in NEEDS_CLUSTER

    def condition(self, name: ConditionType) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((condition for condition in self.conditions if condition.type == name), None)
