"""What is left of a job whose end is written: as `cleanup` of its spec says. The end itself never changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoremill.kubernetes import objects
from scoremill.spec.cluster import Cleanup

from ..look import SOON, Look, after
from ..observed import Decision, Delete


def clean_up(look: Look, cleanup: Cleanup) -> Decision:
    """First drivers that still live, then the cluster, at last the job itself."""
    if look.alive:
        return Decision(actions=look.without_drivers(), again=SOON)
    asked = cleanup.on_success if look.status.phase == "Complete" else cleanup.on_failure
    kept, life = _seconds_left(look, _kept_seconds(look)), _seconds_left(look, cleanup.ttl_seconds_after_finished)
    if look.seen.cluster is not None and (asked == "Delete" or (kept is not None and kept <= 0)):
        return Decision(actions=look.without_cluster(), again=SOON)
    if life is not None and life <= 0:
        metadata = look.seen.job["metadata"]
        return Decision(actions=(Delete("ScoringJob", metadata["name"], metadata["uid"]),))
    return Decision(again=min((left for left in (kept, life) if left is not None), default=None))


def _kept_seconds(look: Look) -> int | None:
    """For how long a cluster is kept whose scheduler never ran: one that did ends it when it is idle."""
    cluster, idle = look.seen.cluster, look.spec.cluster.idle_timeout_seconds
    return idle if cluster is not None and idle and not any(map(_ran, cluster.pods)) else None


def _ran(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is a scheduler's whose container has ever started."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    is_scheduler = pod["metadata"].get("labels", {}).get(objects.names.DASK_COMPONENT) == "scheduler"
    return is_scheduler and any(
        each.get("restartCount") or each.get("state", {}).keys() & {"running", "terminated"} for each in statuses
    )


def _seconds_left(look: Look, seconds: int | None) -> float | None:
    """Until so long after the end; None where there is no such limit."""
    ended = look.status.completion_time
    if seconds is None or ended is None:
        return None
    return (after(ended, seconds) - look.now).total_seconds()
