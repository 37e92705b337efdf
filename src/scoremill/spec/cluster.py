"""Where a job runs, how long it may take, and what is left when it has ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scoremill.units import MIB

from .base import Size, Spec
from .secrecy import is_deeper, is_secret, secrets_in

_DEEPEST = 50
"""Levels of a template; no manifest needs half of them."""


class Workers(Spec):
    """Bounds of the number of workers, as `workers` and `maxWorkers` of a job give them."""

    min: Annotated[int, Field(ge=0, le=10_000)] = 1
    """The fewest workers."""
    max: Annotated[int, Field(ge=1, le=10_000)] = 1
    """The most workers."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class Cluster(Spec):
    """The Dask cluster that a job asks for; each worker is one process with one thread."""

    workers: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Number of workers, or the fewest if `maxWorkers` is given; without it one per core on a local cluster, else 1."""
    max_workers: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Field(validate_default=True)] = None
    """Most workers; on Kubernetes their number then follows the load. A local cluster starts all of them."""
    cpu: Annotated[float, Field(gt=0)] | None = None
    """Cores of a worker."""
    memory: Annotated[Size, Field(ge=64 * MIB)] | None = None
    """Memory of a worker."""
    image: str | None = None
    """Container image of driver, scheduler and workers."""
    env: dict[str, str] = {}
    """Further environment of workers; secrets come from `credentials`."""
    service_account: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Service account of workers, for a bucket's workload identity. The operator accepts those that its chart lists."""
    idle_timeout_seconds: Annotated[int, Field(ge=0)] = 1800
    """After so long without work the cluster is removed; never where it is 0."""
    template: dict[str, Any] = {}
    """A part of a DaskCluster, merged over the one that is made. By default the operator accepts only fields that give no rights."""

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
                f"{name!r} looks like a secret; a job never holds one. Put it into a Secret of Kubernetes (kubectl create "
                "secret generic NAME …), and name that in `credentials` (--secret NAME)"
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
        """The fewest and the most workers; None if the job does not say."""
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
    """A Secret in the job's own namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""


class Credentials(Spec):
    """Where driver and workers get their credentials on Kubernetes."""

    secret_ref: SecretRef | None = None
    """A Secret whose keys become environment variables; the service account's own identity without it."""


class Retry(Spec):
    """How often what failed is tried again."""

    backoff_limit: Annotated[int, Field(ge=0, le=100)] = 2
    """Further attempts of a whole run whose infrastructure failed."""
    partition_retries: Annotated[int, Field(ge=0, le=100)] = 3
    """Further attempts of one partition after a fault of the store."""


class Deadlines(Spec):
    """When to give up."""

    pre_running_seconds: Annotated[int, Field(ge=1)] = 900
    """From the request of a cluster to its first worker."""
    active_seconds: Annotated[int, Field(ge=1)] | None = None
    """From the start of a run to its end."""
    no_progress_seconds: Annotated[int, Field(ge=1)] = 1800
    """From one finished partition to the next."""


class Cleanup(Spec):
    """What is left of a job on Kubernetes: its cluster, the job itself, and the logs in its output."""

    on_success: Literal["Delete", "Keep"] = "Delete"
    """The cluster of a complete run."""
    on_failure: Literal["Delete", "Keep"] = "Keep"
    """The cluster of a failed run."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None
    """When the job itself goes; never where it is not given."""
    log_history_limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most logs of drivers that the output keeps; the newest are kept."""
    log_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = 90
    """Days for which the output keeps the log of a driver; null for no limit."""
