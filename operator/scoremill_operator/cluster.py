"""The only module that asks the API and changes anything by it: what is seen of an object, and a decision carried out."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scoremill.deploy import Observed as SeenCluster
from scoremill.deploy import diagnose, drivers_of, is_ready, names
from scoremill.deploy.scheduled import SCHEDULE
from scoremill.errors import ScoremillError, UsageError
from scoremill.kube import Conflict, Kube, NoPlace, NotPermitted, Object, connect

from . import metrics
from .log import logger
from .observed import Create, Decision, Event, Observed, Settings
from .rest import has_ended, is_finished

MANAGER = "scoremill-operator"
"""Field manager of the operator's part of a status, and source of its events."""
_EXPLAIN_AFTER_SECONDS = 10.0
"""Age of a cluster from which on it is worth asking why it is not up."""
_LOG_LINES = 15
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


def observe(kube: Kube, name: str, settings: Settings, refused: str | None) -> Observed | None:
    """What can be seen of the ScoringJob `name` and its children now; None where it is gone."""
    job = kube.get("ScoringJob", name)
    if job is None:
        return None
    now = dt.datetime.now(dt.UTC)
    child = names.child_name(name, job["metadata"]["uid"])
    mine = f"{names.JOB}={child}"
    jobs, pods = kube.select("Job", mine), kube.select("Pod", mine)
    cluster = _cluster(kube, job, child, now, [pod for pod in pods if names.DASK_COMPONENT in _labels(pod)])
    return Observed(
        job=job,
        now=now,
        settings=settings,
        drivers=drivers_of(jobs, pods),
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


def observe_schedule(kube: Kube, name: str) -> tuple[Object, list[Object]] | None:
    """The ScoringSchedule and the ScoringJobs that it owns; None where it is gone."""
    schedule = kube.get("ScoringSchedule", name)
    if schedule is None:
        return None
    return schedule, _owned(kube.select("ScoringJob", SCHEDULE), schedule["metadata"]["uid"])


def apply(kube: Kube, of: Object, decision: Decision) -> bool:
    """Status, then actions, then events; the first failure ends it. `of` is the object as it was observed.

    False where it has changed since then, or is gone: nothing was done.
    """
    if store(kube, of, decision) is None:
        return False
    act(kube, of, decision)
    return True


def store(kube: Kube, of: Object, decision: Decision) -> Object | None:
    """The object as it is stored, its status written; None where it has changed since it was observed, or is gone."""
    if decision.status is None:
        return of
    name, uid, version = (of["metadata"][key] for key in ("name", "uid", "resourceVersion"))
    try:
        return kube.apply_status(of["kind"], name, decision.status, manager=MANAGER, uid=uid, version=version)
    except Conflict:
        return None


def act(kube: Kube, of: Object, decision: Decision) -> None:
    """Actions, then events."""
    for action in decision.actions:
        if isinstance(action, Create):
            _create(kube, action.made)
        else:
            kube.delete(action.kind, action.name, uid=action.uid)
    for event in decision.events:
        _tell(kube, of, event)


def _create(kube: Kube, made: Object) -> None:
    try:
        kube.create(made)
    except (UsageError, NotPermitted, NoPlace) as error:
        raise RefusedError(f"{made['kind']} {made['metadata']['name']}: {error.message}", error.mend) from error


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


def _owned(found: list[Object], uid: str) -> list[Object]:
    return [each for each in found if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", []))]


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
    child, made = seen.cluster["metadata"]["name"], seen.cluster["metadata"]["creationTimestamp"]
    group = seen.group or kube.get("DaskWorkerGroup", names.group_name(child)) or {}
    seen = replace(seen, group=group, deployments=tuple(kube.select("Deployment", names.selector(child))))
    if seen.age < _EXPLAIN_AFTER_SECONDS:
        return seen
    events = kube.select_if_allowed("Event", fields="type=Warning")
    parts = (f"{names.scheduler_name(child)}-", f"{names.group_name(child)}-worker-")
    mine = [each for each in events if each["involvedObject"].get("name", "").startswith(parts) and _when(each) >= made]
    seen = replace(seen, events=tuple(sorted(mine, key=_when)))
    cause = diagnose(seen)
    if cause and cause.reason == "Unschedulable":
        return replace(seen, nodes=tuple(kube.select_if_allowed("Node")))
    if cause and cause.reason == "CrashLoop":
        return replace(seen, logs={pod["metadata"]["name"]: _last_words(kube, pod) for pod in seen.pods})
    return seen


def _last_words(kube: Kube, pod: Mapping[str, Any]) -> str:
    """The tail of the log of a container that ended; empty where there is none."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    try:
        if any(status.get("restartCount") for status in statuses):
            return kube.log(pod["metadata"]["name"], _LOG_LINES, previous=True) or ""
        if any("terminated" in status.get("state", {}) for status in statuses):
            return kube.log(pod["metadata"]["name"], _LOG_LINES) or ""
    except NotPermitted:
        pass
    return ""


def _when(event: Mapping[str, Any]) -> str:
    """RFC 3339 in UTC, to the second: it sorts as text."""
    text = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return f"{text[:19]}Z"


def _labels(made: Object) -> Object:
    return made["metadata"].get("labels") or {}


def _may_scale(job: Object) -> bool:
    """Whether the cluster of the job may be of a size that its DaskCluster does not tell, and still matters."""
    workers = (job["spec"].get("cluster") or {}).get("workers")
    return isinstance(workers, dict) and workers.get("min") != workers.get("max") and not is_finished(job)
