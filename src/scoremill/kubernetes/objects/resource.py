"""A Kubernetes object, parsed once from an answer of the API or a watch event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from .names import DASK_COMPONENT

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Owner:
    """A reference to an owner of an object."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True)
class Resource:
    """A Kubernetes object as the API server returned it."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    api_version: str = ""
    version: str = ""
    """`metadata.resourceVersion`."""
    generation: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: dt.datetime | None = None
    is_deleting: bool = False
    """True if the deletion of the object was requested."""
    finalizers: Sequence[str] = ()
    owners: tuple[Owner, ...] = ()
    spec: Fields = field(default_factory=dict)
    status: Fields = field(default_factory=dict)

    @classmethod
    def of(cls, body: Fields, kind: str = "") -> Self:
        """Parse an object; `kind` is needed for items of a list, which do not have one."""
        metadata, created = body["metadata"], body["metadata"].get("creationTimestamp")
        return cls(
            kind=kind or body.get("kind", ""),
            name=metadata.get("name", ""),
            namespace=metadata.get("namespace", ""),
            uid=metadata.get("uid", ""),
            api_version=body.get("apiVersion", ""),
            version=metadata.get("resourceVersion", ""),
            generation=metadata.get("generation"),
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            created=dt.datetime.fromisoformat(created) if created else None,
            is_deleting="deletionTimestamp" in metadata,
            finalizers=metadata.get("finalizers") or (),
            owners=tuple(
                Owner(each["kind"], each["name"], each["uid"]) for each in metadata.get("ownerReferences") or ()
            ),
            spec=body.get("spec") or {},
            status=body.get("status") or {},
        )

    @property
    def phase(self) -> str | None:
        return self.status.get("phase")

    @property
    def component(self) -> str | None:
        """The component of a DaskCluster's pod, `scheduler` or `worker`."""
        return self.labels.get(DASK_COMPONENT)

    @property
    def containers(self) -> Sequence[Fields]:
        """The statuses of a pod's containers."""
        return self.status.get("containerStatuses") or ()

    @property
    def is_ready(self) -> bool:
        """True if the pod is ready and not being deleted."""
        return self.true_condition("Ready") is not None and not self.is_deleting

    @property
    def replicas(self) -> int:
        """Desired number of workers of a DaskCluster or DaskWorkerGroup."""
        return int(self.spec["worker"].get("replicas", 1))

    def true_condition(self, *types: str) -> Fields | None:
        """Return the first condition of one of these types that is true."""
        conditions = self.status.get("conditions") or ()
        return next((each for each in conditions if each["type"] in types and each["status"] == "True"), None)

    def container_state(self, name: str) -> Fields:
        """Return the state of the pod's container `name`; empty if it has none yet."""
        return next((each.get("state") or {} for each in self.containers if each["name"] == name), {})


def age(resource: Resource, now: dt.datetime) -> float:
    """Return the seconds since the object was created."""
    return (now - resource.created).total_seconds() if resource.created else 0.0


def owned_by(child: Fields, owner: Resource, *, blocks: bool = False) -> dict[str, Any]:
    """Return the manifest `child` with an owner reference, so that Kubernetes deletes it with `owner`.

    If it `blocks`, foreground deletion keeps the owner until the child is deleted.
    """
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        **({"blockOwnerDeletion": True} if blocks else {}),
    }
    return {**child, "metadata": {**child["metadata"], "ownerReferences": [reference]}}
