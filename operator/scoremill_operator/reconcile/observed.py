"""What is seen of one ScoringJob, and what is decided upon it: values, filled and carried out by `cluster`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from scoremill.kubernetes import diagnosis, objects

Object = dict[str, Any]


class Key(NamedTuple):
    """An object that the operator looks after."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Settings:
    """What whoever runs the operator has set."""

    image: str
    """Of driver, scheduler and workers where a job names none."""
    driver_resources: Mapping[str, Any] = field(default_factory=dict)
    """`resources` of the driver's container, laid over its own."""
    template: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """A part of a DaskCluster, laid under what each job says itself."""
    reserved: frozenset[str] = frozenset()
    """Service accounts as NAMESPACE/NAME that no job may run as: the operator's own, and others with more rights."""
    templates: Literal["Restricted", "Any"] = "Restricted"
    """Whether `spec.cluster` may ask only for what gives no rights (`objects.forbidden_fields`, `accounts`), or for anything."""
    accounts: frozenset[str] = frozenset()
    """Service accounts as NAMESPACE/NAME that jobs may run as if templates are restricted."""
    network: objects.Network = field(default_factory=objects.Network)
    """What pods of jobs reach."""
    issue: Callable[[str, str], objects.Certificates] = objects.issue
    """New certificates of a cluster in a namespace; the one thing that is not the same each time."""


@dataclass(frozen=True)
class Observed:
    """All that a decision rests on, read in one go; no caches."""

    job: Object
    """The ScoringJob as the API gives it, with its status."""
    now: dt.datetime
    """With its zone (UTC)."""
    settings: Settings
    drivers: tuple[diagnosis.Driver, ...] = ()
    """`diagnosis.drivers_of` all batch Jobs and pods with label `scoremill.dev/job=<child name>`, finished ones too."""
    cluster: diagnosis.Observed | None = None
    """The DaskCluster named as the child name; `registered` is the number of its ready worker pods, None while its
    scheduler's pod is not ready. Its `pods` are those with label `dask.org/cluster-name`."""
    autoscaler: Object | None = None
    """The DaskAutoscaler of that cluster; read only if the number of workers is a range, or may have been changed."""
    refused: str | None = None
    """What the API server said (400, 403, 422) to the last Create for this job; None once Creates go through."""
    since: dt.datetime | None = None
    """When this process began to look; None: long ago."""


@dataclass(frozen=True)
class Create:
    """Make the object; one of that name and kind being there is as good."""

    made: Object = field(repr=False)  # may hold a key


@dataclass(frozen=True)
class Delete:
    """Have the object of that uid go, and first all that it owns (Foreground); its being gone is as good."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True)
class Patch:
    """Merge the change into the object; one that is gone is as good."""

    kind: str
    name: str
    change: Object


Action = Create | Delete | Patch


@dataclass(frozen=True)
class Event:
    """Told of the ScoringJob, on transitions only."""

    type: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """What is to be done now: the status first, then events of it, then the actions in their order; a failure ends it.

    The status is applied with the observed `metadata.resourceVersion`: one decided upon an older look is refused (409),
    and the job is looked at again.
    """

    status: Object | None = None
    """All that the operator owns of the status (never `progress`); None where it is as it was."""
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    again: float | None = None
    """Seconds until the next look; None where only an event or the resync brings one."""
