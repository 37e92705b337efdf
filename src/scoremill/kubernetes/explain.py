"""Explain why a ScoringJob waits or failed: read its objects from the API and pass them to `diagnosis`."""

from __future__ import annotations

from dataclasses import replace

from .api import Kube, NotPermitted
from .clusters import Named
from .diagnosis import Cause, ObservedCluster, drivers_of, why
from .evidence import each_permitted, warnings_of
from .job import Job
from .objects import child_of, names
from .readiness import observe


def cause_of(kube: Kube, job: Job) -> Cause | None:
    """Return why the job waits, is suspended or failed; None if nothing is wrong. Unreadable objects are ignored."""
    if job.status.is_finished:
        # The status holds the cause; what is left of the cluster does not matter any more.
        return why(job.resource, job.now)
    child = child_of(job.resource)
    jobs, pods = (each_permitted(kube, kind, f"{names.JOB}={child}") for kind in ("Job", "Pod"))
    drivers = drivers_of(jobs, pods, lambda driver: warnings_of(kube, "Job", driver))
    cause = why(job.resource, job.now, _cluster(Named(kube, child)), drivers)
    return cause and replace(cause, hint=cause.hint and cause.hint.replace("NAME", job.name))


def _cluster(at: Named) -> ObservedCluster | None:
    try:
        if at.kube.get("DaskCluster", at.name) is None:
            return None
        with at.forward(names.HTTP_PORT) as http:
            return observe(at, http)
    except NotPermitted:
        return None
