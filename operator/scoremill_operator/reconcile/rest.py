"""What asks for nothing, told from the object alone as a listing or an event shows it: no call is spent on it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from scoremill.kubernetes.diagnosis.why import OURS
from scoremill.spec.resources.status import ENDS, NEEDS_CLUSTER

_ENDED = {"Succeeded", "Failed"}
_ENDINGS = {"Complete", "Failed"}
"""Phases of a Pod, and conditions of a Job."""


def is_ours(job: Mapping[str, Any]) -> bool:
    """Whether the operator has anything to do with the ScoringJob: owner references take care of one that goes."""
    return "deletionTimestamp" not in job["metadata"] and job.get("spec", {}).get("managedBy") in {None, OURS}


def is_finished(job: Mapping[str, Any]) -> bool:
    """Whether the ScoringJob's end is stored."""
    return (job.get("status") or {}).get("phase") in ENDS


def is_mended(job: Mapping[str, Any]) -> bool:
    """Whether the ScoringJob's spec is another than the one that was refused before anything was done for it."""
    status = job.get("status") or {}
    is_refused = status.get("phase") == "Failed" and "startTime" not in status
    return is_refused and status.get("observedGeneration") != job["metadata"].get("generation")


def rests(job: Mapping[str, Any], until: dt.datetime) -> bool:
    """Whether nothing is to be done about the ScoringJob before `until`, if no child of it is left."""
    spec, status = job.get("spec", {}), job.get("status") or {}
    if not is_ours(job):
        return True
    if is_mended(job):
        return False
    if is_finished(job):
        ttl, ended = (spec.get("cleanup") or {}).get("ttlSecondsAfterFinished"), status.get("completionTime")
        return ttl is None or ended is None or (until - dt.datetime.fromisoformat(ended)).total_seconds() < ttl
    is_told = status.get("observedGeneration") == job["metadata"].get("generation")
    return bool(status.get("phase") == "Suspended" and spec.get("suspend") and is_told)


def gist(job: Mapping[str, Any]) -> int:
    """The same for two states of a ScoringJob between which nothing is to be decided: only its progress differs.

    Of progress only the request for a cluster counts. All else puts off a deadline, and the look that was promised for
    that will find it.
    """
    metadata = [job["metadata"].get(key) for key in ("uid", "generation", "deletionTimestamp")]
    status = job.get("status") or {}
    told, progress = {key: value for key, value in status.items() if key != "progress"}, status.get("progress") or {}
    asks = progress.get("attempt") if progress.get("stage") in NEEDS_CLUSTER else None
    return hash(json.dumps([metadata, told, asks], sort_keys=True))


def has_ended(child: Mapping[str, Any]) -> bool:
    """Whether the Job or Pod ran to an end, as it stays for its logs; a DaskCluster never has."""
    status = child.get("status") or {}
    ends = (each["type"] in _ENDINGS and each["status"] == "True" for each in status.get("conditions") or ())
    return status.get("phase") in _ENDED or any(ends)
