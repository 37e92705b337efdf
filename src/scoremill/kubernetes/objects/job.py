"""Render the cluster of a ScoringJob, and what must exist before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scoremill.spec import JobSpec, Workers

from . import policy, tls
from .cluster import autoscaler, dask_cluster
from .driver import child_of, job_child
from .network import DEFAULT, Network
from .resource import Resource, owned_by

Object = dict[str, Any]


def workers_of(spec: JobSpec) -> Workers:
    """Return the minimum and maximum number of a job's workers."""
    return spec.cluster.bounds or Workers()


def job_support(
    job: Resource, issue: Callable[[str, str], tls.Certificates] = tls.issue, network: Network = DEFAULT
) -> list[Object]:
    """Render what the driver's pod and the cluster need to start: certificates and policies.

    They exist until the job is deleted, so that its next cluster uses the same certificates.
    """
    child, namespace = child_of(job), job.namespace
    made = [
        tls.secret(child, namespace, issue(child, namespace)),
        *policy.network_policies(child, namespace, network),
        policy.disruption_budget(child, namespace),
    ]
    return [job_child(each, job) for each in made]


def job_cluster(job: Resource, spec: JobSpec, image: str) -> Object:
    """Render the DaskCluster of the ScoringJob; `image` is used unless the job names one."""
    made = dask_cluster(child_of(job), job.namespace, image, spec.cluster, spec.credentials)
    return job_child(made, job)


def job_autoscaler(job: Resource, spec: JobSpec, cluster: Resource) -> Object | None:
    """Render the DaskAutoscaler of the job's cluster; return None if the number of workers is fixed."""
    workers = workers_of(spec)
    if workers.min >= workers.max:
        return None
    made = autoscaler(child_of(job), job.namespace, workers)
    return owned_by(job_child(made, job), cluster)
