"""Read what explains why a cluster is not up; what the caller is not permitted to read is omitted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from scoremill.errors import ClusterError

from .client import Kube, event_time
from .diagnosis import Observed, diagnose
from .objects import Resource, names

Object = Mapping[str, Any]

_LOG_LINES, _LOG_SECONDS = 15, 5.0


def explained(kube: Kube, seen: Observed, events: str = "") -> Observed:
    """Return `seen` with the selected events, and with the nodes or logs that explain its cause."""
    seen = replace(seen, events=tuple(_events(kube, seen.cluster, events)) if seen.cluster else ())
    cause = diagnose(seen)
    if cause and cause.reason == "Unschedulable":
        nodes = (Resource.of(each, "Node") for each in kube.select_if_allowed("Node"))
        return replace(seen, nodes=tuple(nodes))
    return replace(seen, logs={cause.pod: _last_words(kube, cause.pod)}) if cause and cause.pod else seen


def _events(kube: Kube, cluster: Resource, fields: str) -> list[Object]:
    """Return the events of the objects that dask-kubernetes creates for this cluster, oldest first."""
    parts = (f"{names.scheduler_name(cluster.name)}-", f"{names.group_name(cluster.name)}-worker-")
    found = [
        event
        for event in kube.select_if_allowed("Event", fields=fields)
        if event["involvedObject"].get("name", "").startswith(parts)
        and (cluster.created is None or event_time(event) >= cluster.created)
    ]
    return sorted(found, key=event_time)


def _last_words(kube: Kube, pod: str) -> str:
    """Return the tail of the log of a container that ended; empty if it has none or its node does not answer."""
    kube = kube.hurried(_LOG_SECONDS)
    with suppress(ClusterError):
        return kube.log(pod, _LOG_LINES, previous=True) or kube.log(pod, _LOG_LINES) or ""
    return ""
