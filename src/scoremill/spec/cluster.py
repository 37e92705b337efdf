"""The cluster of a job, its deadlines, and what is kept after it has finished."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scoremill.errors import UsageError
from scoremill.units import GIB, MIB, quoted

from .base import Size, Spec
from .secrecy import is_deeper, is_secret, secrets_in

LOCAL_MEMORY = 2 * GIB
"""Memory of a worker of a local cluster if the job does not say."""
_DEEPEST = 50
"""Levels of a template; no manifest needs half of them."""


class Workers(Spec):
    """Minimum and maximum number of workers, from `workers` and `maxWorkers` of a job."""

    min: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Minimum number of workers."""
    max: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Maximum number of workers."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self

    @classmethod
    def of(cls, given: int | str | Workers) -> Workers:
        """Return the bounds in `4` and in `"0:20"`; UsageError for what is neither."""
        if isinstance(given, Workers):
            return given
        least, colon, most = str(given).partition(":")
        try:
            return cls(min=int(least), max=int(most if colon else least))
        except ValueError:
            message = f"{quoted(given)} is neither a number of workers such as 4 nor a range such as 0:20"
            raise UsageError(message) from None


class Cluster(Spec):
    """The Dask cluster of a job. Each worker is one process with one thread."""

    workers: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Number of workers, or the minimum if `maxWorkers` is given. Defaults to one per core on a local cluster and to 1 on Kubernetes."""
    max_workers: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Field(validate_default=True)] = None
    """Maximum number of workers. On Kubernetes the cluster scales with the load; a local cluster starts all of them."""
    cpu: Annotated[float, Field(gt=0)] | None = None
    """CPU cores of a worker."""
    memory: Annotated[Size, Field(ge=64 * MIB)] | None = None
    """Memory of a worker, such as `4GiB`."""
    image: str | None = None
    """Container image of the driver, the scheduler, and the workers."""
    env: dict[str, str] = {}
    """Additional environment variables of workers. Use `credentials` for secrets."""
    service_account: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Service account of the workers, for workload identity. The operator accepts only service accounts listed in its chart values."""
    idle_timeout_seconds: Annotated[int, Field(ge=0)] = 1800
    """Seconds of idleness after which the cluster is deleted; 0 disables this."""
    template: dict[str, Any] = {}
    """Partial DaskCluster manifest, merged into the generated one. By default the operator accepts only fields that grant no privileges."""

    @field_validator("workers", mode="before")
    @classmethod
    def _is_no_range(cls, value: object) -> object:
        if isinstance(value, dict) or (isinstance(value, str) and ":" in value):
            raise ValueError("must be a number; give a range as `workers: 1` and `maxWorkers: 20`")
        return value

    @field_validator("env", "template")
    @classmethod
    def _has_no_secret(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if is_deeper(value, _DEEPEST):
            raise ValueError(f"nested more than {_DEEPEST} levels deep")
        names = filter(is_secret, value) if info.field_name == "env" else secrets_in(value)
        for name in names:
            raise ValueError(
                f"{quoted(name)} looks like a secret; a job never holds one. Put it into a Secret of Kubernetes (kubectl create "
                "secret generic NAME …), and name that in `spec.credentials.secretRef.name`"
            )
        return value

    @field_validator("max_workers")
    @classmethod
    def _is_above_workers(cls, value: int | None, info: ValidationInfo) -> int | None:
        fewest = 1 if (given := info.data.get("workers")) is None else given
        if value is None and fewest == 0:
            raise ValueError("workers is 0, so maxWorkers is needed")
        if value is not None and fewest > value:
            raise ValueError(f"workers ({fewest}) is above maxWorkers ({value})")
        return value

    @property
    def bounds(self) -> Workers | None:
        """Minimum and maximum number of workers; None if the job does not set them."""
        if self.workers is None and self.max_workers is None:
            return None
        fewest = 1 if self.workers is None else self.workers
        # Not validated again: what is wrong with the bounds is reported by the names of the fields.
        return Workers.model_construct(min=fewest, max=fewest if self.max_workers is None else self.max_workers)

    def within(self, bounds: Workers | None) -> Cluster:
        """The same cluster with these bounds; unchanged if there are none."""
        if bounds is None:
            return self
        most = bounds.max if bounds.min < bounds.max else None
        return self.model_copy(update={"workers": bounds.min, "max_workers": most})


class SecretRef(Spec):
    """Reference to a Secret in the namespace of the job."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Secret."""


class Credentials(Spec):
    """Source of the storage credentials of driver and workers on Kubernetes."""

    secret_ref: SecretRef | None = None
    """Secret whose keys become environment variables. Without it, pods use the identity of their service account."""


class Retry(Spec):
    """How many times failed attempts and partitions are retried."""

    backoff_limit: Annotated[int, Field(ge=0, le=100)] = 2
    """Number of times to retry a run after an infrastructure failure."""
    partition_retries: Annotated[int, Field(ge=0, le=100)] = 3
    """Number of times to retry a partition after a storage failure."""


class Deadlines(Spec):
    """Time limits of a run."""

    pre_running_seconds: Annotated[int, Field(ge=1)] = 900
    """Maximum number of seconds from the start of an attempt to the first worker."""
    active_seconds: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of seconds that a run can take. No limit by default."""
    no_progress_seconds: Annotated[int, Field(ge=1)] = 1800
    """Maximum number of seconds without a completed partition."""


class Cleanup(Spec):
    """What to keep of a finished job: its cluster, the job itself, and the logs in its output."""

    on_success: Literal["Delete", "Keep"] = "Delete"
    """What happens to the cluster of a run that succeeded."""
    on_failure: Literal["Delete", "Keep"] = "Keep"
    """What happens to the cluster of a run that failed."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None
    """Number of seconds after which a finished job is deleted. Jobs are not deleted by default."""
    log_history_limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Maximum number of driver logs to keep in the output. The oldest are deleted."""
    log_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = 90
    """Number of days to keep driver logs in the output; null for no limit."""
