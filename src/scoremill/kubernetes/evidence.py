"""Read what explains why a cluster is not up; what the caller is not permitted to read is omitted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from scoremill.errors import ClusterError

from .api import Kube, NotPermitted
from .diagnosis import ObservedCluster, diagnose
from .objects import Resource, names

Object = Mapping[str, Any]

_LOG_LINES, _LOG_SECONDS = 15, 5.0


def each_permitted(kube: Kube, kind: str, selector: str = "") -> list[Resource]:
    """Return the selected objects, or an empty list if reading them is not permitted."""
    try:
        return [*kube.each(kind, selector)]
    except NotPermitted:
        return []


def warnings_of(kube: Kube, kind: str, name: str) -> list[Object]:
    """Return the warning events of one object, oldest first; an empty list if reading them is not permitted."""
    return _permitted_events(kube, f"type=Warning,involvedObject.kind={kind},involvedObject.name={name}")


def explained(kube: Kube, seen: ObservedCluster, events: str = "") -> ObservedCluster:
    """Return `seen` with the selected events, and with the nodes or logs that explain its cause."""
    seen = replace(seen, events=tuple(_events(kube, seen.cluster, events)) if seen.cluster else ())
    cause = diagnose(seen)
    if cause and cause.reason == "Unschedulable":
        return replace(seen, nodes=tuple(each_permitted(kube, "Node")))
    return replace(seen, logs={cause.pod: _last_words(kube, cause.pod)}) if cause and cause.pod else seen


def _events(kube: Kube, cluster: Resource, fields: str) -> list[Object]:
    """Return the events of the objects that dask-kubernetes creates for this cluster, oldest first."""
    parts = (f"{names.scheduler_name(cluster.name)}-", f"{names.group_name(cluster.name)}-worker-")
    return [
        event
        for event in _permitted_events(kube, fields)
        if event["involvedObject"].get("name", "").startswith(parts)
        and (cluster.created is None or _time_of(event) >= cluster.created)
    ]


def _permitted_events(kube: Kube, fields: str) -> list[Object]:
    try:
        return sorted(kube.select("Event", fields=fields), key=_time_of)
    except NotPermitted:
        return []


def _time_of(event: Object) -> dt.datetime:
    """Return when an Event was last observed, or else when it was created."""
    text = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return dt.datetime.fromisoformat(text)


def _last_words(kube: Kube, pod: str) -> str:
    """Return the tail of the log of a container that ended; empty if it has none or its node does not answer."""
    kube = kube.hurried(_LOG_SECONDS)
    with suppress(ClusterError):
        return kube.log(pod, _LOG_LINES, previous=True) or kube.log(pod, _LOG_LINES) or ""
    return ""
