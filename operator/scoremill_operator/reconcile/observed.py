"""What is observed of one ScoringJob, and what is decided about it: values, filled by `observe`, carried out by `apply`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from scoremill.kubernetes import diagnosis, objects
from scoremill.kubernetes.objects import Resource

Object = dict[str, Any]


class Key(NamedTuple):
    """An object that the operator reconciles."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class OperatorSettings:
    """What the administrator of the operator has configured."""

    image: str
    """Image of driver, scheduler and workers of jobs that name none."""
    driver_resources: Mapping[str, Any] = field(default_factory=dict)
    """`resources` of the driver's container, merged into the default ones."""
    template: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """A part of a DaskCluster, into which the template of each job is merged."""
    reserved: frozenset[str] = frozenset()
    """Service accounts as NAMESPACE/NAME that no job can run as: the operator's own, and others with more rights."""
    templates: Literal["Restricted", "Any"] = "Restricted"
    """What `spec.cluster` can set: only what gives no rights (`objects.forbidden_fields`, `accounts`), or anything."""
    accounts: frozenset[str] = frozenset()
    """Service accounts as NAMESPACE/NAME that jobs can run as if templates are restricted."""
    network: objects.Network = field(default_factory=objects.Network)
    """What pods of jobs reach."""
    issue: Callable[[str, str], objects.Certificates] = objects.issue
    """Issues the certificates of a cluster in a namespace; the only thing that differs each time."""


@dataclass(frozen=True)
class Observed:
    """Everything that a decision is based on, read in one go; no caches."""

    job: Resource
    """The ScoringJob, with its status."""
    now: dt.datetime
    """The time of the observation (UTC)."""
    settings: OperatorSettings
    drivers: tuple[diagnosis.Driver, ...] = ()
    """`diagnosis.drivers_of` all batch Jobs and pods with label `scoremill.dev/job=<child name>`, finished ones too."""
    cluster: diagnosis.ObservedCluster | None = None
    """The DaskCluster with the child name; `registered` is the number of its ready worker pods, None while its
    scheduler's pod is not ready. Its `pods` are those with label `dask.org/cluster-name`."""
    autoscaler: Resource | None = None
    """The DaskAutoscaler of that cluster; read only if the number of workers is a range or might have been changed."""
    refused: str | None = None
    """Why the API server refused (400, 403, 422) the last Create for this job; None once Creates succeed."""
    since: dt.datetime | None = None
    """When this process began to reconcile; None: long ago."""

    @property
    def dask_cluster(self) -> Resource | None:
        """The DaskCluster itself."""
        return self.cluster.cluster if self.cluster else None

    @property
    def cluster_pods(self) -> tuple[Resource, ...]:
        return self.cluster.pods if self.cluster else ()


@dataclass(frozen=True)
class Create:
    """Create the object; nothing is done if one of that kind and name exists."""

    manifest: Object = field(repr=False)  # can contain a key


@dataclass(frozen=True)
class Delete:
    """Delete the object with that uid, and first all that it owns (Foreground); nothing is done if it does not exist."""

    kind: str
    name: str
    uid: str

    @classmethod
    def of(cls, resource: Resource) -> Delete:
        """Return the deletion of an observed object."""
        return cls(resource.kind, resource.name, resource.uid)


@dataclass(frozen=True)
class Patch:
    """Merge the change into the object; nothing is done if it does not exist."""

    kind: str
    name: str
    change: Object


Action = Create | Delete | Patch


@dataclass(frozen=True)
class Event:
    """An Event about the object, on transitions only."""

    type: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """What to do now: write the status, create its events, then run the actions in order; the first failure ends it.

    The status is applied with the observed `metadata.resourceVersion`: if the object has changed since, the API server
    refuses it (409), and the object is reconciled again.
    """

    status: Object | None = None
    """All fields of the status that the operator owns (never `progress`); None if nothing changes."""
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    """Seconds until the next reconcile; None if only an event or the resync causes one."""
