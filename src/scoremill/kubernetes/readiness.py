"""A cluster on Kubernetes, watched: until it is up, with the cause of every wait, and until nothing of it is left."""

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
from .diagnosis import Cause, Observed, diagnose
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
"""Kinds of the objects of a cluster."""
_POLL = 1.0


def observe(at: Named, http: Forward) -> Observed:
    """What can be seen of the cluster now."""
    cluster = at.exists()
    deployments, pods = (
        tuple(Resource.of(each, kind) for each in at.kube.each(kind, names.selector(at.name)))
        for kind in ("Deployment", "Pod")
    )
    group = at.kube.get("DaskWorkerGroup", names.group_name(at.name))
    seen = Observed(
        cluster=cluster,
        age=age(cluster, dt.datetime.now(dt.UTC)),
        workers=at.wanted(),
        group=Resource.of(group) if group else None,
        registered=_registered(http) if any(pod.is_ready for pod in pods) else None,
        deployments=deployments,
        pods=pods,
    )
    return explained(at.kube, seen)


def ask(http: Forward, path: str) -> Any:
    """The answer of the scheduler's HTTP API; None where it gives none."""
    page = read(http, path)
    return None if page is None else json.loads(page)


def read(http: Forward, path: str) -> bytes | None:
    """A page of the scheduler; None where it gives none."""
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


def wait_until_up(at: Named, seconds: float, say: Callable[[str], None]) -> Observed:
    """The cluster once it is up; says what it waits for when that changes; ClusterError with the cause at the end."""
    deadline, told = time.monotonic() + seconds, set[str]()
    with at.forward(names.HTTP_PORT) as http:
        while True:
            seen = observe(at, http)
            cause = diagnose(seen)
            if cause is None:
                return seen
            if cause.evidence not in told:
                told.add(cause.evidence)
                say(f"waiting: {cause.evidence}")
            if time.monotonic() > deadline:
                raise _given_up(at, seconds, cause, http)
            time.sleep(_POLL)


def _given_up(at: Named, seconds: float, cause: Cause, http: Forward) -> ClusterError:
    why = f" ({http.error})" if cause.reason == "Scheduler" and http.error else ""
    return ClusterError(
        f"cluster {at.name} is not up after {format_seconds(seconds)}: {cause.reason}: {cause.evidence}{why}",
        cause.hint or "Give it more time: --timeout.",
    )


def remove(at: Named, seconds: float, say: Callable[[str], None]) -> bool:
    """Removes the cluster and returns when nothing of it is left; False where there was nothing.

    Objects that the cluster does not own, left by a run that was killed or by hand, are removed by their label.
    """
    deadline, told = time.monotonic() + seconds, set[str]()
    found = False
    while left := _left(at):
        found = True
        for each in left:
            # Pods, Deployments and Services follow the cluster; asking for them too would be a race with it.
            if not each.is_deleting and (each.kind == "DaskCluster" or not each.owners):
                at.kube.delete(each.kind, each.name)
        text = f"waiting for Kubernetes to remove {_counted(left)}"
        if text not in told:
            told.add(text)
            say(text)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"cluster {at.name} still has {_counted(left)} after {format_seconds(seconds)}", _stuck(left)
            )
        time.sleep(_POLL)
    return found


def _left(at: Named) -> list[Resource]:
    return [Resource.of(each, kind) for kind in OURS for each in at.kube.each(kind, names.selector(at.name))]


def _counted(left: list[Resource]) -> str:
    """How many objects of which kinds, such as `1 DaskCluster and 2 Pods`."""
    kinds = Counter(each.kind for each in left)
    *parts, last = [f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in kinds.items()]
    return f"{', '.join(parts)} and {last}" if parts else last


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _stuck(left: list[Resource]) -> str:
    held = [each for each in left if any("kopf" in name for name in each.finalizers)]
    if held:
        return (
            f"{held[0].kind} {held[0].name} waits for dask-kubernetes' operator, which removes its "
            "finalizer: check that it runs."
        )
    return "Look at their finalizers and at the nodes: kubectl describe."
