"""The status of clusters on Kubernetes, as values for tables and JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from scoremill.errors import UsageError
from scoremill.units import quoted

from .api import Kube, Object
from .clusters import Named
from .diagnosis import diagnose
from .objects import Resource, age, names
from .port_forward import Forward
from .readiness import ask, observe, read

_DASHBOARD, _PAGES = "/status", "/info/main/workers.html"
"""Path of Dask's dashboard, which needs bokeh in the image, and of the plain pages of every scheduler."""


def clusters(kube: Kube, *, everywhere: bool = False) -> list[dict[str, Any]]:
    """List the clusters that scoremill has created, sorted by name."""
    selector, now = names.selector(), dt.datetime.now(dt.UTC)
    kinds = ("DaskCluster", "DaskWorkerGroup", "DaskAutoscaler", "Deployment")
    parts = {
        (kind, part.namespace, part.name): part
        for kind in kinds
        for part in kube.each(kind, selector, everywhere=everywhere)
    }
    found = []
    for cluster in (part for part in parts.values() if part.kind == "DaskCluster"):
        name, place = cluster.name, cluster.namespace
        scheduler = parts.get(("Deployment", place, names.scheduler_name(name)))
        group = parts.get(("DaskWorkerGroup", place, names.group_name(name)), cluster)
        document = {
            "name": name,
            "namespace": place,
            "age": round(age(cluster, now)),
            "workers": _range(parts.get(("DaskAutoscaler", place, name))) or str(group.replicas),
            "ready": bool(scheduler and scheduler.status.get("readyReplicas")),
        }
        found.append(document)
    return sorted(found, key=lambda each: (each["namespace"], each["name"]))


def _range(scaler: Resource | None) -> str | None:
    return f"{scaler.spec['minimum']}:{scaler.spec['maximum']}" if scaler else None


def status(at: Named) -> dict[str, Any]:
    """Return the state, the workers with their nodes and memory, and the tasks of one cluster."""
    with at.forward(names.HTTP_PORT) as forward:
        seen = observe(at, forward)
        identity = ask(forward, "/json/identity.json") or {}
        counts = ask(forward, "/json/counts.json") or {}
    cause = diagnose(seen)
    nodes = {pod.name: pod.spec.get("nodeName", "") for pod in seen.pods}
    return {
        "name": at.name,
        "namespace": at.kube.namespace,
        "state": "up" if cause is None else "waiting",
        "waitsFor": cause.evidence if cause else None,
        "image": seen.cluster.spec["scheduler"]["spec"]["containers"][0]["image"] if seen.cluster else None,
        "wanted": seen.workers,
        "range": _range(at.kube.find("DaskAutoscaler", at.name)),
        "tasks": {key: counts[key] for key in ("processing", "waiting", "memory", "erred") if key in counts},
        "workers": [_worker(worker, nodes) for worker in identity.get("workers", {}).values()],
    }


def _worker(worker: Object, nodes: dict[str, str]) -> dict[str, Any]:
    metrics = worker.get("metrics", {})
    node = next((node for pod, node in nodes.items() if pod.startswith(f"{worker['name']}-")), "")
    return {
        "name": worker["name"],
        "node": node,
        "memory": metrics.get("memory", 0),
        "limit": worker.get("memory_limit") or 0,
        "executing": metrics.get("task_counts", {}).get("executing", 0),
    }


def logs(at: Named, worker: str | None, tail: int) -> Iterator[tuple[str, str]]:
    """Yield the name and the last lines of the scheduler's pod, of one worker's pod, or of all workers' pods."""
    at.exists()
    component = "worker" if worker else "scheduler"
    pods = [pod.name for pod in at.kube.each("Pod", names.selector(at.name, component))]
    if worker and worker != "all":
        known = [pod.rsplit("-", 2)[0] for pod in pods]
        pods = [pod for pod, name in zip(pods, known, strict=True) if name.endswith(worker) or pod == worker]
        if not pods:
            hint = f"Choose one of {', '.join(known)}." if known else "Wait until the cluster has started a worker."
            raise UsageError(f"cluster {at.name} has no worker {quoted(worker)}", hint)
    for pod in pods:
        yield pod, (at.kube.log(pod, tail) or "").rstrip("\n")


def front_page(forward: Forward) -> str | None:
    """Return the path of the dashboard, or of the plain pages without bokeh; None if the scheduler does not answer."""
    page = read(forward, _DASHBOARD)
    if page is None:
        return None
    return _PAGES if b"needs bokeh" in page else _DASHBOARD
