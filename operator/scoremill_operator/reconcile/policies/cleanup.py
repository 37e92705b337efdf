"""What is left of a job whose end is stored: as `cleanup` of its spec says. The end itself never changes."""

from __future__ import annotations

from scoremill.kubernetes.objects import Resource

from ..job_state import POLL_SECONDS, JobState, after
from ..observed import Decision, Delete


def clean_up(state: JobState) -> Decision:
    """Delete drivers that are still alive, then the cluster, finally the job itself."""
    if state.live_drivers:
        return Decision(actions=state.delete_drivers(), requeue_after=POLL_SECONDS)
    cleanup = state.spec.cleanup
    policy = cleanup.on_success if state.status.phase == "Complete" else cleanup.on_failure
    kept = _seconds_left(state, _kept_seconds(state))
    life = _seconds_left(state, cleanup.ttl_seconds_after_finished)
    if state.observed.cluster is not None and (policy == "Delete" or (kept is not None and kept <= 0)):
        return Decision(actions=state.delete_cluster(), requeue_after=POLL_SECONDS)
    if life is not None and life <= 0:
        return Decision(actions=(Delete.of(state.job),))
    return Decision(requeue_after=min((left for left in (kept, life) if left is not None), default=None))


def _kept_seconds(state: JobState) -> int | None:
    """For how long a cluster is kept whose scheduler never ran: one that did ends it when it is idle."""
    idle = state.spec.cluster.idle_timeout_seconds
    has_run = any(map(_scheduler_ran, state.observed.cluster_pods))
    return idle if state.observed.cluster is not None and idle and not has_run else None


def _scheduler_ran(pod: Resource) -> bool:
    """Return whether the pod is a scheduler's whose container has ever started."""
    return pod.component == "scheduler" and any(
        each.get("restartCount") or each.get("state", {}).keys() & {"running", "terminated"} for each in pod.containers
    )


def _seconds_left(state: JobState, seconds: int | None) -> float | None:
    """Return the time until so many seconds after the end; None if there is no such limit."""
    ended = state.status.completion_time
    if seconds is None or ended is None:
        return None
    return (after(ended, seconds) - state.now).total_seconds()
