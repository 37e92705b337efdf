"""The only module that asks the API and changes anything by it: what is seen of an object, and a decision carried out."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scoremill.errors import ScoremillError, UsageError
from scoremill.kubernetes.client import Conflict, Kube, NoPlace, NotPermitted, Object, connect
from scoremill.kubernetes.diagnosis import Observed as SeenCluster
from scoremill.kubernetes.diagnosis import drivers_of
from scoremill.kubernetes.evidence import explained
from scoremill.kubernetes.objects import child_of, is_ready, names
from scoremill.kubernetes.objects.scheduled import SCHEDULE, owned

from .. import metrics
from ..log import logger
from .observed import Create, Decision, Delete, Event, Observed, Patch, Settings
from .rest import has_ended, is_finished

MANAGER = "scoremill-operator"
"""Field manager of the operator's part of a status, and source of its events."""
_EXPLAIN_AFTER_SECONDS = 10.0
"""Age of a cluster from which on it is worth asking why it is not up."""
_OF_METADATA = ("name", "uid", "labels", "creationTimestamp", "deletionTimestamp")
_OF_CONTAINER = ("name", "image", "resources")
_LEFT = (
    ("DaskCluster", names.JOB, ""),
    ("Job", names.JOB, "status.successful=0"),
    ("Pod", f"{names.JOB},!{names.DASK_COMPONENT}", "status.phase!=Succeeded,status.phase!=Failed"),
)
"""Kinds, labels and fields of clusters and of drivers that live; a driver that has ended stays, for its log."""


class Counted(Kube):
    """The API with its calls counted."""

    def _request(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        metrics.CALLS.labels(method).inc()
        return super()._request(method, *arguments, **keywords)


class RefusedError(ScoremillError):
    """The API server does not take an object that was to be made, and says why."""


def connect_counted(namespace: str | None) -> Kube:
    """The API of the pod's own Kubernetes, or of KUBECONFIG's, working in `namespace`."""
    found = connect(namespace=namespace)
    return Counted(found.configuration, found.namespace)


def observe(
    kube: Kube, name: str, settings: Settings, refused: str | None = None, since: dt.datetime | None = None
) -> Observed | None:
    """What can be seen of the ScoringJob `name` and its children now; None where it is gone."""
    job = kube.get("ScoringJob", name)
    if job is None:
        return None
    now = dt.datetime.now(dt.UTC)
    child = names.child_name(name, job["metadata"]["uid"])
    mine = f"{names.JOB}={child}"
    jobs, pods = kube.select("Job", mine), [_light(pod) for pod in kube.each("Pod", mine)]
    cluster = _cluster(kube, job, child, now, [pod for pod in pods if names.DASK_COMPONENT in _labels(pod)])
    return Observed(
        job=job,
        now=now,
        settings=settings,
        since=since,
        drivers=drivers_of(jobs, pods, lambda job: kube.warnings_of("Job", job)),
        cluster=cluster,
        autoscaler=kube.get("DaskAutoscaler", child) if cluster and _may_scale(job) else None,
        refused=refused,
    )


def left_over(kube: Kube, *, everywhere: bool) -> Iterator[tuple[str, str]]:
    """Namespace and name of each ScoringJob that has a cluster or a live driver, some of them more than once."""
    for kind, labels, fields in _LEFT:
        for each in kube.each(kind, labels, fields=fields, everywhere=everywhere):
            if not has_ended(each):
                metadata = each["metadata"]
                yield metadata["namespace"], metadata.get("annotations", {}).get(names.JOB_NAME, "")


def observe_schedule(kube: Kube, name: str) -> tuple[Object, list[Object], frozenset[str]] | None:
    """The ScoringSchedule, the ScoringJobs that it owns, and names of those that have ended but for their driver.

    None where it is gone.
    """
    schedule = kube.get("ScoringSchedule", name)
    if schedule is None:
        return None
    jobs = owned(schedule, kube.select("ScoringJob", SCHEDULE))
    return schedule, jobs, _outlived(kube, [job for job in jobs if is_finished(job)])


def _outlived(kube: Kube, ended: list[Object]) -> frozenset[str]:
    """Names of those jobs of which a driver lives, or may yet: an end is written before anything is torn down."""
    if not ended:
        return frozenset()
    children = {child_of(job): job["metadata"]["name"] for job in ended}
    theirs = f"{names.JOB} in ({','.join(children)}),app.kubernetes.io/component={names.DRIVER}"
    alive = [one for one in drivers_of(kube.select("Job", theirs), kube.select("Pod", theirs)) if one.is_alive]
    return frozenset(children[child] for one in alive if (child := one.name.rpartition("-")[0]) in children)


def apply(kube: Kube, of: Object, decision: Decision) -> Object | None:
    """The object as it is stored once the status is written, its events are told and the actions done, in this order.

    None where it has changed since it was observed as `of`, or is gone: nothing was done. The first failure ends it.
    """
    stored = of if decision.status is None else _write_status(kube, of, decision.status)
    if stored is None:
        return None
    for event in decision.events:
        _tell(kube, stored, event)
    for action in decision.actions:
        match action:
            case Create():
                _create(kube, action.made)
            case Patch():
                kube.patch(action.kind, action.name, action.change)
            case Delete():
                kube.delete(action.kind, action.name, uid=action.uid)
    return stored


def _write_status(kube: Kube, of: Object, status: Object) -> Object | None:
    name, uid, version = (of["metadata"][key] for key in ("name", "uid", "resourceVersion"))
    try:
        return kube.apply_status(of["kind"], name, status, manager=MANAGER, uid=uid, version=version)
    except Conflict:
        return None


def _create(kube: Kube, made: Object) -> None:
    try:
        kube.create(made)
    except (UsageError, NotPermitted, NoPlace) as error:
        raise RefusedError(f"{made['kind']} {made['metadata']['name']}: {error.message}", error.hint) from error


def _tell(kube: Kube, of: Object, event: Event) -> None:
    """Makes the Event; one that cannot be made is no failure."""
    logger.info("%s: %s", event.reason, event.message)
    meta, now = of["metadata"], dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": meta["name"], "namespace": meta["namespace"]}
    made = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name'][:200].rstrip('-.')}.{time.time_ns():x}", "namespace": meta["namespace"]},
        "involvedObject": {**about, "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
    }
    try:
        kube.create(made)
    except ScoremillError as error:
        logger.warning("event %s could not be made: %s", event.reason, error)


def _cluster(kube: Kube, job: Object, child: str, now: dt.datetime, pods: list[Object]) -> SeenCluster | None:
    """The cluster, if there is one; of one that is up, or not needed any more, no more than is needed."""
    cluster = kube.get("DaskCluster", child)
    if cluster is None:
        return None
    made = dt.datetime.fromisoformat(cluster["metadata"]["creationTimestamp"])
    group = (kube.get("DaskWorkerGroup", names.group_name(child)) if _may_scale(job) else None) or {}
    ready = [_labels(pod)[names.DASK_COMPONENT] for pod in pods if is_ready(pod)]
    seen = SeenCluster(
        cluster=cluster,
        age=(now - made).total_seconds(),
        workers=int((group or cluster)["spec"]["worker"].get("replicas", 1)),
        registered=ready.count("worker") if "scheduler" in ready else None,
        group=group,
        pods=tuple(pods),
    )
    return seen if seen.is_up or is_finished(job) else _explained(kube, seen)


def _explained(kube: Kube, seen: SeenCluster) -> SeenCluster:
    """With what tells why the cluster is not up, as far as it may be read."""
    child = seen.cluster["metadata"]["name"]
    group = seen.group or kube.get("DaskWorkerGroup", names.group_name(child)) or {}
    seen = replace(seen, group=group, deployments=tuple(kube.select("Deployment", names.selector(child))))
    return seen if seen.age < _EXPLAIN_AFTER_SECONDS else explained(kube, seen, "type=Warning")


def _light(pod: Object) -> Object:
    """What of a pod tells how it fares: there may be thousands."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    containers = [{key: each[key] for key in _OF_CONTAINER if key in each} for each in spec.get("containers", ())]
    light_meta = {key: meta[key] for key in _OF_METADATA if key in meta}
    return {"metadata": light_meta, "spec": {"containers": containers}, "status": pod.get("status") or {}}


def _labels(made: Object) -> Object:
    return made["metadata"].get("labels") or {}


def _may_scale(job: Object) -> bool:
    """Whether the cluster may have another number of workers than its DaskCluster says, and that still matters."""
    cluster = job["spec"].get("cluster") or {}
    is_range = cluster.get("maxWorkers") not in {None, cluster.get("workers", 1)}
    # Of a spec that never changed, the number is the one that the cluster was created with.
    return (is_range or job["metadata"].get("generation", 1) > 1) and not is_finished(job)
