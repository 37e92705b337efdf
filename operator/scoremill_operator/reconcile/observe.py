"""What is observed of an object and its children: the only module of the operator that reads from Kubernetes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from scoremill.kubernetes.api import Kube
from scoremill.kubernetes.diagnosis import ObservedCluster, drivers_of
from scoremill.kubernetes.evidence import explained, warnings_of
from scoremill.kubernetes.objects import Resource, age, child_of, names
from scoremill.kubernetes.objects.scheduled import owned

from .observed import Observed, OperatorSettings
from .settled import has_ended, is_finished

_EXPLAIN_AFTER_SECONDS = 10.0
"""Minimum age of a cluster for its wait to be explained."""
_OF_CONTAINER = ("name", "image", "resources")
_LEFT = (
    ("DaskCluster", names.JOB, ""),
    ("Job", names.JOB, "status.successful=0"),
    ("Pod", f"{names.JOB},!{names.DASK_COMPONENT}", "status.phase!=Succeeded,status.phase!=Failed"),
)
"""Kinds, labels and fields of clusters and of live drivers; finished drivers are kept for their logs."""


def observe(
    kube: Kube,
    name: str,
    settings: OperatorSettings,
    now: dt.datetime,
    *,
    refused: str | None = None,
    since: dt.datetime | None = None,
) -> Observed | None:
    """Return what is observed of the ScoringJob `name` and its children now; None if it does not exist."""
    job = kube.find("ScoringJob", name)
    if job is None:
        return None
    child = child_of(job)
    mine = f"{names.JOB}={child}"
    jobs = [*kube.each("Job", mine)]
    pods = [_light(pod) for pod in kube.each("Pod", mine)]
    cluster = _cluster(kube, job, child, now, tuple(pod for pod in pods if pod.component))
    return Observed(
        job=job,
        now=now,
        settings=settings,
        since=since,
        drivers=drivers_of(jobs, pods, lambda job: warnings_of(kube, "Job", job)),
        cluster=cluster,
        autoscaler=kube.find("DaskAutoscaler", child) if cluster and _can_scale(job) else None,
        refused=refused,
    )


def left_over(kube: Kube, *, everywhere: bool) -> Iterator[tuple[str, str]]:
    """Yield namespace and name of each ScoringJob that has a cluster or a live driver, some of them more than once."""
    for kind, labels, fields in _LEFT:
        for child in kube.each(kind, labels, fields=fields, everywhere=everywhere):
            if not has_ended(child):
                yield child.namespace, child.annotations.get(names.JOB_NAME, "")


def observe_schedule(kube: Kube, name: str) -> tuple[Resource, list[Resource], frozenset[str]] | None:
    """Return the ScoringSchedule, the ScoringJobs that it owns, and names of those that ended but have a live driver.

    None if it does not exist.
    """
    schedule = kube.find("ScoringSchedule", name)
    if schedule is None:
        return None
    jobs = owned(schedule, kube.each("ScoringJob", names.SCHEDULE))
    return schedule, jobs, _outlived(kube, [job for job in jobs if is_finished(job)])


def _outlived(kube: Kube, ended: list[Resource]) -> frozenset[str]:
    """Return the names of those jobs of which a driver is alive: an end is written before anything is deleted."""
    if not ended:
        return frozenset()
    children = {child_of(job): job.name for job in ended}
    theirs = f"{names.JOB} in ({','.join(children)}),{names.COMPONENT}={names.DRIVER}"
    jobs, pods = ([*kube.each(kind, theirs)] for kind in ("Job", "Pod"))
    alive = [driver.name.rpartition("-")[0] for driver in drivers_of(jobs, pods) if driver.is_alive]
    return frozenset(children[child] for child in alive if child in children)


def _cluster(
    kube: Kube, job: Resource, child: str, now: dt.datetime, pods: tuple[Resource, ...]
) -> ObservedCluster | None:
    """Return the cluster, if it exists; of one that is up, or not needed any more, no more than is needed."""
    cluster = kube.find("DaskCluster", child)
    if cluster is None:
        return None
    group = kube.find("DaskWorkerGroup", names.group_name(child)) if _can_scale(job) else None
    ready = [pod.component for pod in pods if pod.is_ready]
    observed = ObservedCluster(
        cluster=cluster,
        age=age(cluster, now),
        workers=(group or cluster).replicas,
        registered=ready.count("worker") if "scheduler" in ready else None,
        group=group,
        pods=pods,
    )
    return observed if observed.is_up or is_finished(job) else _explained(kube, child, observed)


def _explained(kube: Kube, child: str, observed: ObservedCluster) -> ObservedCluster:
    """Return the same with what explains why the cluster is not up, as far as the operator can read it."""
    group = observed.group or kube.find("DaskWorkerGroup", names.group_name(child))
    deployments = tuple(kube.each("Deployment", names.selector(child)))
    observed = replace(observed, group=group, deployments=deployments)
    return observed if observed.age < _EXPLAIN_AFTER_SECONDS else explained(kube, observed, "type=Warning")


def _light(pod: Resource) -> Resource:
    """Keep only what is needed of a pod: there can be thousands."""
    containers = [{key: each[key] for key in _OF_CONTAINER if key in each} for each in pod.spec.get("containers", ())]
    return replace(pod, annotations={}, owners=(), spec={"containers": containers})


def _can_scale(job: Resource) -> bool:
    """Return whether the number of workers can differ from that in the DaskCluster, and is still needed."""
    cluster = job.spec.get("cluster") or {}
    is_range = cluster.get("maxWorkers") not in {None, cluster.get("workers", 1)}
    # If the spec never changed, the number is the one that the cluster was created with.
    return (is_range or (job.generation or 1) > 1) and not is_finished(job)
