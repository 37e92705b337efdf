"""Wait until a cluster is up, reporting what it waits for, or until all of it is deleted."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any

from scoremill.errors import ClusterError
from scoremill.units import format_seconds

from .clusters import Named
from .diagnosis import Cause, ObservedCluster, diagnose
from .evidence import explained
from .objects import Resource, age, names
from .port_forward import Forward

OURS = (
    "DaskCluster",
    "DaskAutoscaler",
    "DaskWorkerGroup",
    "Deployment",
    "Pod",
    "Service",
    "Secret",
    "NetworkPolicy",
    "PodDisruptionBudget",
)
"""Kinds of the objects that make up a cluster."""
_POLL = 1.0


def observe(at: Named, http: Forward) -> ObservedCluster:
    """Return the observed state of the cluster."""
    cluster = at.exists()
    deployments, pods = (tuple(at.kube.each(kind, names.selector(at.name))) for kind in ("Deployment", "Pod"))
    seen = ObservedCluster(
        cluster=cluster,
        age=age(cluster, dt.datetime.now(dt.UTC)),
        workers=at.wanted(),
        group=at.kube.find("DaskWorkerGroup", names.group_name(at.name)),
        registered=_registered(http) if any(pod.is_ready for pod in pods) else None,
        deployments=deployments,
        pods=pods,
    )
    return explained(at.kube, seen)


def ask(http: Forward, path: str) -> Any:
    """Return the answer of the scheduler's HTTP API, or None if it does not answer."""
    page = read(http, path)
    return None if page is None else json.loads(page)


def read(http: Forward, path: str) -> bytes | None:
    """Return a page of the scheduler, or None if it does not answer with 200."""
    connection = HTTPConnection("127.0.0.1", http.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _registered(forward: Forward) -> int | None:
    answer = ask(forward, "/api/v1/get_workers")
    return None if answer is None else int(answer["num_workers"])


def wait_until_up(at: Named, seconds: float, say: Callable[[str], None]) -> ObservedCluster:
    """Return the cluster once it is up, reporting what it waits for; raise ClusterError with the cause at the deadline."""
    deadline, reported = time.monotonic() + seconds, set[str]()
    with at.forward(names.HTTP_PORT) as http:
        while True:
            seen = observe(at, http)
            cause = diagnose(seen)
            if cause is None:
                return seen
            if cause.evidence not in reported:
                reported.add(cause.evidence)
                say(f"waiting: {cause.evidence}")
            if time.monotonic() > deadline:
                raise _timed_out(at, seconds, cause, http)
            time.sleep(_POLL)


def _timed_out(at: Named, seconds: float, cause: Cause, http: Forward) -> ClusterError:
    why = f" ({http.error})" if cause.reason == "Scheduler" and http.error else ""
    return ClusterError(
        f"cluster {at.name} was not up within {format_seconds(seconds)}: {cause.reason}: {cause.evidence}{why}",
        cause.hint or "Allow more time with `timeout=`.",
        code="ClusterNotReady",
    )


def remove(at: Named, seconds: float, say: Callable[[str], None]) -> bool:
    """Delete the cluster and wait until all of its objects are deleted; return False if there were none.

    Objects that no cluster owns, for example after a killed process, are found and deleted by their label.
    """
    deadline, reported = time.monotonic() + seconds, set[str]()
    found = False
    while left := _left(at):
        found = True
        for each in left:
            # Kubernetes deletes Pods, Deployments and Services with the cluster; deleting them here would race with it.
            if not each.is_deleting and (each.kind == "DaskCluster" or not each.owners):
                at.kube.delete(each.kind, each.name)
        text = f"waiting for Kubernetes to delete {_counted(left)}"
        if text not in reported:
            reported.add(text)
            say(text)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"cluster {at.name} still has {_counted(left)} after {format_seconds(seconds)}",
                _stuck(left),
                code="BeingDeleted",
            )
        time.sleep(_POLL)
    return found


def _left(at: Named) -> list[Resource]:
    return [each for kind in OURS for each in at.kube.each(kind, names.selector(at.name))]


def _counted(left: list[Resource]) -> str:
    """Return the number of objects of each kind, such as `1 DaskCluster and 2 Pods`."""
    kinds = Counter(each.kind for each in left)
    *parts, last = [f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in kinds.items()]
    return f"{', '.join(parts)} and {last}" if parts else last


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _stuck(left: list[Resource]) -> str:
    held = [each for each in left if any("kopf" in name for name in each.finalizers)]
    if held:
        return (
            f"Check that dask-kubernetes' operator is running: {held[0].kind} {held[0].name} has a finalizer that only "
            "it removes."
        )
    return "Check their finalizers and the state of the nodes with `kubectl describe`."
