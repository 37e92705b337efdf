"""A suspended job holds nothing: the driver goes, then the cluster. It counts for nothing."""

from __future__ import annotations

from scoremill.spec.resources.status import Reason

from ..look import SOON, Look, Step

_FORGOTTEN = ("cluster", "driver", "failure", "retry_time", "running_time")


def suspend(look: Look) -> Step | None:
    """Suspending until nothing is left, also where `suspend` was taken back meanwhile, then Suspended."""
    if not look.spec.suspend and look.status.phase != "Suspending":
        return None
    if look.alive:
        return Step(
            "Suspending", Reason.SUSPENDING, "the driver is stopped", actions=look.without_drivers(), again=SOON
        )
    if look.seen.cluster is not None:
        return Step(
            "Suspending", Reason.SUSPENDING, "the cluster is removed", actions=look.without_cluster(), again=SOON
        )
    changes = {**dict.fromkeys(_FORGOTTEN), "failed_attempts": 0, "failed_objects": ()}
    again = None if look.spec.suspend else 0.0
    return Step("Suspended", Reason.SUSPEND_ASKED, "the job holds nothing", changes, again=again)
