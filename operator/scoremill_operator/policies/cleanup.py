"""What is left of a job whose end is written: as `cleanup` of its spec says. The end itself never changes."""

from __future__ import annotations

import datetime as dt

from scoremill.spec.cluster import Cleanup

from ..look import SOON, Look
from ..observed import Decision, Delete


def clean_up(look: Look, cleanup: Cleanup) -> Decision:
    """First drivers that still live, then the cluster, at last the job itself."""
    if look.alive:
        return Decision(actions=look.without_drivers(), again=SOON)
    asked = cleanup.on_success if look.status.phase == "Complete" else cleanup.on_failure
    if asked == "Delete" and look.seen.cluster is not None:
        return Decision(actions=look.without_cluster(), again=SOON)
    ended, ttl = look.status.completion_time, cleanup.ttl_seconds_after_finished
    if ttl is None or ended is None:
        return Decision()
    left = (ended + dt.timedelta(seconds=min(ttl, 10**9)) - look.now).total_seconds()
    if left > 0:
        return Decision(again=left)
    metadata = look.seen.job["metadata"]
    return Decision(actions=(Delete("ScoringJob", metadata["name"], metadata["uid"]),))
