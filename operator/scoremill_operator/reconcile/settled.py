"""What needs no reconcile, decided by the object alone as a list or an event shows it: no API call is spent on it."""

from __future__ import annotations

import datetime as dt
import json

from scoremill.kubernetes.diagnosis.why import OURS
from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import ENDS, NEEDS_CLUSTER

_ENDED = {"Succeeded", "Failed"}
"""Phases of a Pod that ran to an end."""


def is_ours(job: Resource) -> bool:
    """Return whether the operator reconciles the ScoringJob: owner references take care of one that is deleted."""
    return not job.is_deleting and job.spec.get("managedBy") in {None, OURS}


def is_finished(job: Resource) -> bool:
    """Return whether the ScoringJob's end is stored."""
    return job.phase in ENDS


def is_corrected(job: Resource) -> bool:
    """Return whether the ScoringJob's spec has changed since it was refused before anything was done for it."""
    is_refused = job.phase == "Failed" and "startTime" not in job.status
    return is_refused and job.status.get("observedGeneration") != job.generation


def is_settled(job: Resource, until: dt.datetime) -> bool:
    """Return whether nothing has to be done about the ScoringJob before `until`, if no child of it is left."""
    if not is_ours(job):
        return True
    if is_corrected(job):
        return False
    if is_finished(job):
        ttl, ended = (job.spec.get("cleanup") or {}).get("ttlSecondsAfterFinished"), job.status.get("completionTime")
        return ttl is None or ended is None or (until - dt.datetime.fromisoformat(ended)).total_seconds() < ttl
    is_current = job.status.get("observedGeneration") == job.generation
    return bool(job.phase == "Suspended" and job.spec.get("suspend") and is_current)


def fingerprint(job: Resource) -> int:
    """Return the same for two states of a ScoringJob between which nothing has to be decided: only progress differs.

    Of progress only the request for a cluster counts. All else delays a deadline, and the reconcile that is scheduled
    for that will find it.
    """
    identity = [job.uid, job.generation, job.is_deleting]
    progress = job.status.get("progress") or {}
    status = {key: value for key, value in job.status.items() if key != "progress"}
    asks = progress.get("attempt") if progress.get("stage") in NEEDS_CLUSTER else None
    return hash(json.dumps([identity, status, asks], sort_keys=True))


def has_ended(child: Resource) -> bool:
    """Return whether the Job or Pod ran to an end, as it stays for its logs; a DaskCluster never has."""
    return child.phase in _ENDED or child.true_condition("Complete", "Failed") is not None
