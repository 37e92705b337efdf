"""What tells why a cluster is not up: asked of Kubernetes where it is needed, and left out where it may not be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from scoremill.errors import ClusterError

from .client import Kube, event_time
from .diagnosis import Observed, diagnose
from .objects import names

Object = Mapping[str, Any]

_LOG_LINES, _LOG_SECONDS = 15, 5.0


def explained(kube: Kube, seen: Observed, events: str = "") -> Observed:
    """`seen` with the events that the field selector `events` picks, and with the nodes or logs that its cause needs."""
    seen = replace(seen, events=tuple(_events(kube, seen.cluster, events)))
    cause = diagnose(seen)
    if cause and cause.reason == "Unschedulable":
        return replace(seen, nodes=tuple(kube.select_if_allowed("Node")))
    return replace(seen, logs={cause.pod: _last_words(kube, cause.pod)}) if cause and cause.pod else seen


def _events(kube: Kube, cluster: Object, fields: str) -> list[Object]:
    """Events of the objects that dask-kubernetes makes for this cluster, oldest first."""
    name, made = cluster["metadata"]["name"], dt.datetime.fromisoformat(cluster["metadata"]["creationTimestamp"])
    parts = (f"{names.scheduler_name(name)}-", f"{names.group_name(name)}-worker-")
    found = [
        event
        for event in kube.select_if_allowed("Event", fields=fields)
        if event["involvedObject"].get("name", "").startswith(parts) and event_time(event) >= made
    ]
    return sorted(found, key=event_time)


def _last_words(kube: Kube, pod: str) -> str:
    """The tail of the log of a container that ended; empty where there is none, or its node does not answer."""
    kube = kube.hurried(_LOG_SECONDS)
    with suppress(ClusterError):
        return kube.log(pod, _LOG_LINES, previous=True) or kube.log(pod, _LOG_LINES) or ""
    return ""
