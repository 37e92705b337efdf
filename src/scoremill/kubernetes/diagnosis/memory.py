"""What the kubelet says of containers that were killed for their memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scoremill.spec.resources.status import Reason

from ..objects.resource import Resource
from .outcome import Outcome
from .quantities import memory_limit

OUT_OF_MEMORY = "OOMKilled"
_WORKERS_DIED = "KilledWorkerError"
"""The class of a driver's error: several workers ended while they scored one partition."""
_HINT = (
    "Give workers more memory (cluster.memory), or lower model.batchRows, which needs another output or "
    "output.mode Overwrite."
)


def explained_by_kubelet(outcome: Outcome, pods: Iterable[Resource]) -> Outcome:
    """Return the outcome with the workers among `pods` that the kubelet says were killed for their memory.

    If workers ended on one partition, again and again, that is why: a further attempt of the same size would end alike.
    """
    if outcome.reason not in {Reason.CLUSTER_FAILED, Reason.WORKER_OUT_OF_MEMORY}:
        return outcome
    evidence = killed_worker(pods)
    if evidence is None:
        return outcome
    outcome = replace(outcome, message=f"{outcome.message}; {evidence}")
    if outcome.told.get("error") != _WORKERS_DIED:
        return outcome
    return replace(outcome, reason=Reason.WORKER_OUT_OF_MEMORY, hint=_HINT)


def killed_worker(pods: Iterable[Resource]) -> str | None:
    """Return what the kubelet says of workers that were killed: the first one, its limit, and how many others."""
    killed = [pod for pod in pods if _is_worker(pod) and was_killed(pod, "worker")]
    if not killed:
        return None
    first, *others = killed
    limit = memory_limit(first, "worker")
    return (
        f"the kubelet reports {OUT_OF_MEMORY} for worker pod {first.name}"
        + (f", whose memory limit is {limit}" if limit else "")
        + (f", and for {len(others)} more" if others else "")
    )


def was_killed(pod: Resource, container: str) -> bool:
    """Whether the last end of the container was for its memory."""
    for each in pod.containers:
        ends = (each.get(state, {}).get("terminated") or {} for state in ("state", "lastState"))
        if each["name"] == container and any(end.get("reason") == OUT_OF_MEMORY for end in ends):
            return True
    return False


def _is_worker(pod: Resource) -> bool:
    return pod.component == "worker"
