"""Find containers that the kubelet reports as killed for exceeding their memory limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scoremill.errors import WorkerMemoryError
from scoremill.spec.resources.status import Reason

from ..objects.resource import Resource
from .outcome import Outcome
from .quantities import memory_limit

OUT_OF_MEMORY = "OOMKilled"
_WORKERS_DIED = "KilledWorkerError"
"""The class of a driver's error if several workers died while they scored the same partition."""
_HINT = "Increase `spec.cluster.memory`, or decrease `spec.model.batchRows`, which needs another output or `spec.output.mode: Overwrite`."


def explained_by_kubelet(outcome: Outcome, pods: Iterable[Resource]) -> Outcome:
    """Return the outcome with the workers among `pods` that were killed for exceeding their memory limit.

    If several workers died on the same partition, that is the cause, and an attempt of the same size would fail too.
    """
    if outcome.reason not in {Reason.CLUSTER_FAILED, Reason.WORKER_OUT_OF_MEMORY}:
        return outcome
    evidence = killed_worker(pods)
    if evidence is None:
        return outcome
    outcome = replace(outcome, message=f"{outcome.message}; {evidence}")
    if outcome.termination.get("error") != _WORKERS_DIED:
        return outcome
    termination = {**outcome.termination, "code": WorkerMemoryError.code}
    return replace(outcome, reason=Reason.WORKER_OUT_OF_MEMORY, hint=_HINT, termination=termination)


def killed_worker(pods: Iterable[Resource]) -> str | None:
    """Return a sentence about the workers that the kubelet reports as killed; None if there are none."""
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
    """Return whether the container was last killed for exceeding its memory limit."""
    for each in pod.containers:
        ends = (each.get(state, {}).get("terminated") or {} for state in ("state", "lastState"))
        if each["name"] == container and any(end.get("reason") == OUT_OF_MEMORY for end in ends):
            return True
    return False


def _is_worker(pod: Resource) -> bool:
    return pod.component == "worker"
