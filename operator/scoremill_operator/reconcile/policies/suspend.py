"""A suspended job holds nothing: the driver is deleted, then the cluster. It counts as no failure."""

from __future__ import annotations

from ..job_reasons import CLUSTER_STOPS, DRIVER_STOPS, SUSPENDED
from ..job_state import POLL_SECONDS, JobState, Transition

_FORGOTTEN = ("cluster", "driver", "failure", "retry_time", "running_time")


def suspend(state: JobState) -> Transition | None:
    """Suspending until nothing is left, even if `suspend` became false meanwhile, then Suspended."""
    if not state.spec.suspend and state.status.phase != "Suspending":
        return None
    if state.live_drivers:
        return Transition("Suspending", DRIVER_STOPS, actions=state.delete_drivers(), requeue_after=POLL_SECONDS)
    if state.observed.cluster is not None:
        return Transition("Suspending", CLUSTER_STOPS, actions=state.delete_cluster(), requeue_after=POLL_SECONDS)
    changes = {**dict.fromkeys(_FORGOTTEN), "failed_attempts": 0, "failed_objects": ()}
    return Transition("Suspended", SUSPENDED, changes, requeue_after=None if state.spec.suspend else 0.0)
