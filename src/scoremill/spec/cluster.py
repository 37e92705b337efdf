"""Where a job runs, how long it may take, and what is left when it has ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from scoremill.units import MIB

from .base import Size, Spec


class Workers(Spec):
    """Bounds of the number of workers; `scoremill` takes a plain number for both, Kubernetes only `{min, max}`."""

    min: Annotated[int, Field(ge=0, le=10_000)] = 1
    """The fewest workers."""
    max: Annotated[int, Field(ge=1, le=10_000)] = 1
    """The most workers."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


def _or_a_number(schema: dict[str, Any]) -> None:
    """Adds the plain number, which becomes a range before anything is checked, to what the schema allows."""
    schema["anyOf"].insert(0, {"type": "integer", "minimum": 1, "maximum": 10_000})


class Cluster(Spec):
    """The Dask cluster that a job asks for; each worker is one process with one thread."""

    workers: Annotated[Workers | None, Field(json_schema_extra=_or_a_number)] = None
    """Worker processes; one a core on a local cluster where it is not given."""
    cpu: Annotated[float, Field(gt=0)] | None = None
    """Cores of a worker."""
    memory: Annotated[Size, Field(ge=64 * MIB)] | None = None
    """Memory of a worker."""
    image: str | None = None
    """Container image of driver, scheduler and workers."""
    env: dict[str, str] = {}
    """Further environment of workers; secrets come from `credentials`."""
    service_account: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Service account of workers, for a bucket's workload identity."""
    idle_timeout_seconds: Annotated[int, Field(ge=0)] = 1800
    """After so long without work the cluster is removed; never where it is 0."""
    template: dict[str, Any] = {}
    """Anything else, merged over the DaskCluster that is made."""

    @field_validator("workers", mode="before")
    @classmethod
    def _from_number(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"min": value, "max": value}
        return value


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
    """What happens to the cluster afterwards."""

    on_success: Literal["Delete", "Keep"] = "Delete"
    """The cluster of a complete run."""
    on_failure: Literal["Delete", "Keep"] = "Keep"
    """The cluster of a failed run."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None
    """When the job itself goes; never where it is not given."""
