"""The status of a job, as the operator and the driver write it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, PlainSerializer, WithJsonSchema, computed_field

from ..base import Spec


def format_time(time: datetime) -> str:
    """Return `time` as Kubernetes writes it: RFC 3339, in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    AwareDatetime,
    PlainSerializer(format_time, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time; RFC 3339 in JSON."""
Count = Annotated[int, Field(ge=0)]
"""A number of things."""
Text = Annotated[str, Field(max_length=32_768)]
"""Text for people."""
Name = Annotated[str, Field(max_length=253)]
"""Name of a Kubernetes object."""
Uri = Annotated[str, Field(max_length=4096)]
"""URI of an object or folder."""

Phase = Literal[
    "Pending", "Planning", "Starting", "Running", "Suspending", "Suspended", "Retrying", "Complete", "Failed"
]
"""State of a job. Complete and Failed are final."""
ENDS: frozenset[str | None] = frozenset({"Complete", "Failed"})
"""Final phases."""

Stage = Literal["Planning", "WaitingForCluster", "Scoring"]
"""What a driver is doing."""
NEEDS_CLUSTER: frozenset[str | None] = frozenset({"WaitingForCluster", "Scoring"})
"""Stages of a driver that has its plan and needs workers."""

ConditionType = Literal[
    "Running", "Complete", "Failed", "Finished", "Suspended", "Invalid", "SpecChanged", "Reconciling", "Stalled"
]
"""The conditions of a job. Reconciling and Stalled are those of kstatus."""


class Reason(StrEnum):
    """Reason of a condition, with its `meaning` as a sentence."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Create the member `value` with its meaning."""
        member = str.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member

    INVALID_SPEC = "InvalidSpec", "The spec, or a template in it, is invalid."
    SPEC_CHANGED = "SpecChanged", "The spec was changed after the job started. Only `suspend` can be changed."
    PRE_RUNNING_DEADLINE = (
        "PreRunningDeadline",
        "The driver did not start, or no worker connected, within `deadlines.preRunningSeconds`.",
    )
    ACTIVE_DEADLINE = "ActiveDeadline", "The run did not finish within `deadlines.activeSeconds`."
    NO_PROGRESS = "NoProgress", "No partition was completed within `deadlines.noProgressSeconds`."
    USAGE = "Usage", "The job cannot be run as specified: exit code 2."
    DOES_NOT_FIT = "DoesNotFit", "The model and the input do not fit together: exit code 3."
    TOO_MANY_REJECTED_ROWS = "TooManyRejectedRows", "More rows were rejected than `errors` allows: exit code 4."
    STORAGE_FAILED = "StorageFailed", "An object store could not be read or written: exit code 5."
    CLUSTER_FAILED = "ClusterFailed", "The Dask cluster failed: exit code 6."
    OUTPUT_BUSY = "OutputBusy", "Another run writes to the same output: exit code 6."
    VERIFICATION_FAILED = "VerificationFailed", "The model or the output failed verification: exit code 7."
    DRIVER_FAILED = "DriverFailed", "The driver failed with an internal error: exit code 1 or an unknown one."
    DRIVER_LOST = "DriverLost", "The pod of the driver disappeared without an exit code."
    DRIVER_OUT_OF_MEMORY = "DriverOutOfMemory", "The driver was killed because it exceeded its memory limit."
    WORKER_OUT_OF_MEMORY = "WorkerOutOfMemory", "A partition needs more memory than a worker has: exit code 6."

    ALL_ROWS_DONE = "AllRowsDone", "Every row was scored or rejected, and the manifest was written."
    DRIVER_RUNS = "DriverRuns", "The driver is scoring."
    DRIVER_STARTS = "DriverStarts", "The driver was created and is not running yet."
    DRIVER_PLANS = "DriverPlans", "The driver is checking model, input, and output and computing the plan."
    CLUSTER_STARTS = "ClusterStarts", "The Dask cluster was created and has no worker yet."
    BACKOFF = "Backoff", "An attempt failed, and the next one is waiting for its backoff time."
    SUSPEND_ASKED = "SuspendAsked", "`suspend` is true."
    SUSPENDING = "Suspending", "Driver and cluster are being deleted because `suspend` is true."
    VALID = "Valid", "The spec is valid."
    FINISHED = "Finished", "The job is complete or has failed."

    IDLE = "Idle", "For a schedule: no run is due."
    SUSPENDED = "Suspended", "For a schedule: `suspend` is true, and no jobs are created."
    JOB_ALREADY_ACTIVE = "JobAlreadyActive", "For a schedule: a run is due, and the previous one has not finished."
    JOB_REFUSED = "JobRefused", "For a schedule: a run is due, and Kubernetes rejected its job."
    MISSED_DEADLINE = "MissedDeadline", "For a schedule: a run was not started within `startingDeadlineSeconds`."


REASON_OF_CODE = {
    2: Reason.USAGE,
    3: Reason.DOES_NOT_FIT,
    4: Reason.TOO_MANY_REJECTED_ROWS,
    5: Reason.STORAGE_FAILED,
    6: Reason.CLUSTER_FAILED,
    7: Reason.VERIFICATION_FAILED,
}
"""Reason of a failure by exit code of the driver. DRIVER_FAILED stands for any other code."""
REASON_OF_ERROR = {
    "LeaseError": Reason.OUTPUT_BUSY,
    "StallError": Reason.NO_PROGRESS,
    "DeadlineError": Reason.ACTIVE_DEADLINE,
    "WorkerMemoryError": Reason.WORKER_OUT_OF_MEMORY,
}
"""Reason of a failure by class of its error (`scoremill.errors`), if it says more than the exit code."""


class Status(Spec):
    """A frozen value. Unknown fields, of a newer version, are ignored; no field is required."""

    model_config = {**Spec.model_config, "extra": "ignore"}

    def fields(self) -> dict[str, Any]:
        """Return the fields as the API stores them: camelCase, times as text, and no empty fields.

        Empty objects are omitted: server-side apply would set one that replaces an object with fields to null, which the
        API server then rejects.
        """
        return _filled(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without empty objects."""
    inner = {key: _filled(value) if isinstance(value, dict) else value for key, value in fields.items()}
    return {key: value for key, value in inner.items() if value != {}}


class Condition(Status):
    """A condition, as everywhere in Kubernetes."""

    type: Annotated[str, Field(max_length=316)]
    """Type of the condition, such as `Complete`."""
    status: Literal["True", "False", "Unknown"]
    """`True` if the condition is met; `False` if it is not."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """Reason of the last transition, in CamelCase."""
    message: Text = ""
    """Message for people."""
    last_transition_time: Time | None = None
    """Time at which `status` last changed."""
    observed_generation: Count | None = None
    """Generation of the spec that this describes."""


class PartitionCounts(Status):
    """Numbers of partitions of a run."""

    total: Count | None = None
    """Number of partitions in the plan."""
    done: Count | None = None
    """Number of completed partitions, including those of earlier attempts."""
    resumed: Count | None = None
    """Number of partitions completed by earlier attempts or runs."""


class RowProgress(Status):
    """Numbers of rows of a run."""

    total: Count | None = None
    """Number of rows in the input; an estimate for CSV."""
    done: Count | None = None
    """Number of rows in completed partitions, including rejected rows."""
    rejected: Count | None = None
    """Number of rows that could not be scored."""


class JobProgress(Status):
    """Progress of the current attempt, written by the driver."""

    attempt: Count | None = None
    """Number of the attempt that this progress describes."""
    stage: Stage | None = None
    """What the driver is doing. The cluster is created when the driver waits for it."""
    partitions: PartitionCounts | None = None
    """Numbers of partitions."""
    rows: RowProgress | None = None
    """Numbers of rows."""
    rows_per_second: Annotated[float, Field(ge=0)] | None = None
    """Current number of rows per second."""
    eta_seconds: Annotated[float, Field(ge=0)] | None = None
    """Estimated number of seconds until the run finishes."""
    workers: Count | None = None
    """Number of connected workers."""
    update_time: Time | None = None
    """Time at which this progress was written."""
    progress_time: Time | None = None
    """Time at which the last partition was completed, or the current stage started."""
    notes: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=20)] = ()
    """Notes of the driver, such as warnings about the input."""

    @computed_field
    def summary(self) -> str | None:
        """Completed and total partitions, such as `812/4096`."""
        counts = self.partitions
        return f"{counts.done or 0}/{counts.total}" if counts and counts.total is not None else None


class WorkerCounts(Status):
    """Numbers of workers of the cluster."""

    wanted: Count | None = None
    """Desired number of workers."""
    ready: Count | None = None
    """Number of ready workers."""


class JobClusterStatus(Status):
    """State of the Dask cluster of the job."""

    name: Name | None = None
    """Name of the DaskCluster."""
    workers: WorkerCounts | None = None
    """Numbers of workers."""
    waiting: Text | None = None
    """What the cluster is waiting for, with the evidence."""


class DriverStatus(Status):
    """State of the driver of the job."""

    job: Name | None = None
    """Name of the batch Job of the current attempt."""
    pod: Name | None = None
    """Name of the pod of the driver."""


class ModelStatus(Status):
    """The model that was used."""

    digest: Annotated[str, Field(max_length=256)] | None = None
    """Digest of the model bundle."""


class RowCounts(Status):
    """Numbers of rows of a complete run: total = scored + rejected."""

    total: Count | None = None
    """Number of rows read."""
    scored: Count | None = None
    """Number of rows with a prediction in the output."""
    rejected: Count | None = None
    """Number of rows that could not be scored."""


class Outputs(Status):
    """Where the results are."""

    manifest: Uri | None = None
    """URI of the manifest, which lists all objects of the output."""
    errors: Uri | None = None
    """URI of the folder with the rejected rows."""
    report: Uri | None = None
    """URI of the report."""
    logs: Uri | None = None
    """URI of the folder with the logs of the drivers, `ATTEMPT-TIME.log`."""


class Failure(Status):
    """Why the last failed attempt failed."""

    reason: Annotated[str, Field(max_length=1024)] | None = None
    """Reason of the failure, in CamelCase."""
    code: Annotated[str, Field(max_length=1024)] | None = None
    """Code of the error, more precise than the reason; `scoremill explain CODE` describes it."""
    message: Text | None = None
    """Message for people."""
    hint: Text | None = None
    """What to do about the failure."""
    exit_code: Annotated[int, Field(ge=0, le=255)] | None = None
    """Exit code of the driver, the same as that of `scoremill score`."""


class FailedObject(Status):
    """An object that could not be scored."""

    uri: Uri | None = None
    """URI of the object."""
    message: Text | None = None
    """Why the object could not be scored."""


class JobStatus(Status):
    """Observed state of a job, written by the operator; `progress` is written by the driver."""

    phase: Phase | None = None
    """State of the job as one word. Programs should use `conditions`."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Conditions of the job: Running, Complete, Failed, Finished (complete or failed), Suspended, Invalid, SpecChanged, Reconciling, and Stalled."""
    observed_generation: Count | None = None
    """Generation of the spec that this describes."""
    spec_hash: Annotated[str, Field(max_length=64)] | None = None
    """SHA-256 of the spec without `suspend` at the first start, in hexadecimal digits."""
    attempt: Count | None = None
    """Number of the current attempt, starting at 1."""
    failed_attempts: Count | None = None
    """Number of failed attempts, as `retry.backoffLimit` counts them."""
    retry_time: Time | None = None
    """Time at which the next attempt starts, or at which the current retry started."""
    start_time: Time | None = None
    """Time at which the first attempt started, or the first one since the job was last resumed."""
    running_time: Time | None = None
    """Time at which scoring first started."""
    completion_time: Time | None = None
    """Time at which the job completed or failed."""
    cluster: JobClusterStatus | None = None
    """State of the Dask cluster."""
    driver: DriverStatus | None = None
    """State of the driver."""
    model: ModelStatus | None = None
    """The model that was used."""
    rows: RowCounts | None = None
    """Numbers of rows, set when the job is complete."""
    rejected_files: Count | None = None
    """Number of input objects that could not be read, set when the job is complete."""
    outputs: Outputs | None = None
    """Where the results are."""
    failure: Failure | None = None
    """Why the last failed attempt failed."""
    failed_objects: Annotated[tuple[FailedObject, ...], Field(max_length=20)] = ()
    """The first objects that could not be scored, up to 20."""
    progress: JobProgress | None = None
    """How far the driver is."""

    @property
    def is_finished(self) -> bool:
        """True if nothing more will happen."""
        return self.phase in ENDS

    @property
    def needs_cluster(self) -> bool:
        """True if the driver of the present attempt has made its plan and asks for workers."""
        progress = self.progress
        is_current = progress is not None and progress.attempt == self.attempt
        return is_current and progress is not None and progress.stage in NEEDS_CLUSTER

    def condition(self, name: ConditionType) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((condition for condition in self.conditions if condition.type == name), None)
