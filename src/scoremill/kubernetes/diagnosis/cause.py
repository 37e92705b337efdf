"""Find the most probable cause why a cluster is not up yet, from its objects and their events."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..objects import names
from ..objects.resource import Resource
from .quantities import asked, largest_node

Fields = Mapping[str, Any]

OPERATOR_SECONDS = 15.0
"""Seconds within which a running dask-kubernetes operator creates the scheduler's Deployment."""
_CONNECT_SECONDS = 10.0
"""Seconds after a scheduler is ready in which a worker can still exit because it did not find it."""
_NOTES = "kopf.zalando.org/"
"""Prefix of the annotations in which kopf, the framework of dask-kubernetes' operator, records failed attempts."""
_VALUE = re.compile(r"\{.*\}")
"""The invalid object that is written out at the beginning of an error message."""
_PREEMPTION = re.compile(r"\.( no new claims to deallocate,)? preemption: .*", re.DOTALL)
"""The part of a scheduler's message about preemption, after the cause."""
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: ErrImagePull: )?')
"""Prefix of the last attempt's message while the next one is pending."""


@dataclass(frozen=True)
class ObservedCluster:
    """The observed state of one cluster; what the caller is not permitted to read is empty."""

    cluster: Resource | None
    """The DaskCluster; None if only a driver is diagnosed."""
    age: float
    """Seconds since the DaskCluster was created."""
    workers: int
    """Desired number of workers."""
    registered: int | None = None
    """Number of workers that have registered at the scheduler; None if it does not answer."""
    group: Resource | None = None
    """The DaskWorkerGroup."""
    deployments: tuple[Resource, ...] = ()
    pods: tuple[Resource, ...] = ()
    events: tuple[Fields, ...] = ()
    """Events of the cluster's objects, oldest first."""
    nodes: tuple[Resource, ...] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    """The last log lines of crashing pods, by name."""

    @property
    def is_up(self) -> bool:
        """True if the scheduler answers and all desired workers have registered."""
        return self.registered is not None and self.registered >= self.workers


@dataclass(frozen=True)
class Cause:
    """Why something waits or failed."""

    reason: str
    """A CamelCase word, like the reasons of Kubernetes."""
    evidence: str
    """The observation that shows the cause."""
    hint: str | None = None
    """What the user can do; None if waiting might be enough."""
    pod: str | None = None
    """Name of the pod whose log has more details."""


def diagnose(seen: ObservedCluster) -> Cause | None:
    """Return the most probable cause why the cluster is not up; None if it is up.

    The scheduler comes before workers, and causes that waiting does not solve come before those that might pass.
    """
    if seen.is_up:
        return None
    for check in (_operator_error, _operator, _refused_pods, _broken_pods, _mounts, _unschedulable):
        cause = check(seen)
        if cause:
            return cause
    return _progress(seen)


def diagnose_driver(pods: Iterable[Resource], events: Iterable[Fields] = ()) -> Cause | None:
    """Return what keeps a driver from starting; None if no cause is known."""
    seen = ObservedCluster(None, 0, 0, pods=tuple(pods), events=tuple(events))
    causes = (check(seen) for check in (_broken_pods, _mounts, _unschedulable))
    return next((cause for cause in causes if cause), None)


def diagnose_refusal(events: Iterable[Fields]) -> Cause | None:
    """Return why Kubernetes creates no pod for a driver's Job, from the Job's warning events, oldest first."""
    refused = [event.get("message", "") for event in events if event.get("reason") == "FailedCreate"]
    return _refusal("the driver", refused[-1]) if refused else None


def _operator_error(seen: ObservedCluster) -> Cause | None:
    """Return the error that keeps dask-kubernetes' operator from creating a Deployment, from its annotations."""
    if len(seen.deployments) > seen.workers:
        return None
    for made in filter(None, (seen.cluster, seen.group)):
        for key, note in made.annotations.items():
            handler = json.loads(note) if key.startswith(_NOTES) and note.startswith("{") else {}
            if handler.get("success") is False and handler.get("message"):
                return Cause(
                    "OperatorError",
                    f"dask-kubernetes' operator could not create the cluster: {_VALUE.sub('{…}', handler['message'])}",
                    "Correct what the message names, such as a field of --template.",
                )
    return None


def _operator(seen: ObservedCluster) -> Cause | None:
    if seen.cluster is not None and seen.cluster.phase == "Error":
        evidence = "dask-kubernetes' operator rejected the cluster's name"
        return Cause("InvalidCluster", evidence, "Choose another name.")
    if seen.deployments or seen.age < OPERATOR_SECONDS:
        return None
    return Cause(
        "OperatorNotRunning",
        "no operator reconciles the DaskCluster",
        "Check that dask-kubernetes' operator is running and watches this namespace: kubectl get pods --all-namespaces "
        f"--selector {names.APP}={names.DASK_OPERATOR}.",
    )


def _refused_pods(seen: ObservedCluster) -> Cause | None:
    """Return why the API server rejects the pods of a ReplicaSet."""
    return next((_refusal(part, message) for part, message in _refusals(seen)), None)


def _refusal(part: str, message: str) -> Cause:
    evidence = f"Kubernetes rejected {part}: {_FORBIDDEN.sub('', message)}"
    for words, reason, hint in _REFUSALS:
        if all(word in message for word in words):
            return Cause(reason, evidence, hint)
    return Cause("PodsRefused", evidence, "Change what the message names, for example by --template.")


_REFUSALS = (
    (
        ("exceeded quota",),
        "QuotaExceeded",
        "Request less (--workers, --memory, --cpu), or ask the cluster's administrator for a larger quota.",
    ),
    (
        ("failed quota", "must specify"),
        "QuotaAsksForMore",
        "Set the resources that the quota requires by --template (resources.limits), or create a LimitRange with "
        "defaults in the namespace.",
    ),
    (("usage per Container",), "LimitRange", "Request what the namespace's LimitRange allows (--memory, --cpu)."),
    (("usage per Pod",), "LimitRange", "Request what the namespace's LimitRange allows (--memory, --cpu)."),
    (
        ("violates PodSecurity",),
        "PodSecurityViolation",
        "Remove from --template what the namespace's Pod Security level forbids.",
    ),
    (
        ("serviceaccount", "not found"),
        "MissingServiceAccount",
        "Create the service account, or choose another with --service-account.",
    ),
)
_FORBIDDEN = re.compile(r'^.*?pods "[^"]*" is forbidden: (error looking up service account \S+: )?')


def _refusals(seen: ObservedCluster) -> Iterator[tuple[str, str]]:
    """Yield the part whose pods are rejected, and the message."""
    for deployment in seen.deployments:
        if failure := deployment.true_condition("ReplicaFailure"):
            yield _part_of(deployment), failure.get("message", "")
    if len(seen.pods) < len(seen.deployments):
        for event in reversed(seen.events):
            if event.get("reason") == "FailedCreate":
                yield "a pod", event.get("message", "")


def _broken_pods(seen: ObservedCluster) -> Cause | None:
    """Return why a container does not start, or does not keep running."""
    for pod in _by_part(seen.pods):
        for container in pod.containers:
            cause = _waiting(pod, container, seen) or _ended(pod, container, seen)
            if cause:
                return cause
    return None


def _waiting(pod: Resource, container: Fields, seen: ObservedCluster) -> Cause | None:
    waiting = container.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}:
        return Cause(
            "ImagePull",
            f"{_part(pod)}: could not pull image {container['image']}: {_BACK_OFF.sub('', message) or reason}",
            "Choose an --image that the nodes can pull, and set imagePullSecrets by --template if its registry requires "
            "credentials.",
        )
    if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        is_secret = "secret" in message
        hint = (
            "Create the Secret in the cluster's namespace, or choose another with --secret."
            if is_secret
            else "Correct what the message names, in the image or by --template."
        )
        name = "MissingSecret" if is_secret and "not found" in message else reason
        return Cause(name, f"{_part(pod)}: {message or reason}", hint)
    return None


def _ended(pod: Resource, container: Fields, seen: ObservedCluster) -> Cause | None:
    """Return why a container ended that has not become ready again."""
    if container.get("ready") and not container.get("state", {}).get("terminated"):
        return None
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended:
        return None
    if ended.get("reason") == "OOMKilled":
        return Cause(
            "OOMKilled",
            f"{_part(pod)} was killed for exceeding its memory limit of {asked(pod, 'memory')}",
            "Increase --memory, or for the scheduler its memory limit by --template.",
        )
    if (not container.get("restartCount") and not ended.get("exitCode")) or _had_no_scheduler(pod, ended, seen):
        return None
    tail = seen.logs.get(pod.name, "").strip()
    return Cause(
        "CrashLoop",
        f"{_part(pod)} exited with code {ended.get('exitCode')}"
        + (f"; the last lines of its log:\n{tail}" if tail else ""),
        "Check the --image: it needs the same versions of Python, dask and scoremill as this installation.",
        pod.name,
    )


def _had_no_scheduler(pod: Resource, ended: Fields, seen: ObservedCluster) -> bool:
    """Return whether a worker exited because the scheduler was not ready; Kubernetes restarts it."""
    if pod.component != "worker":
        return False
    since = max((_ready_since(each) for each in seen.pods if not _is_worker(each)), default="")
    if not since or "finishedAt" not in ended:
        return not since
    waited = dt.datetime.fromisoformat(ended["finishedAt"]) - dt.datetime.fromisoformat(since)
    return waited.total_seconds() < _CONNECT_SECONDS


def _ready_since(pod: Resource) -> str:
    """Return since when the pod has been ready; an empty string if it is not."""
    return str((pod.true_condition("Ready") or {}).get("lastTransitionTime", ""))


def _mounts(seen: ObservedCluster) -> Cause | None:
    pending = {pod.name for pod in seen.pods if pod.phase == "Pending"}
    for event in reversed(seen.events):
        pod = event.get("involvedObject", {}).get("name")
        if event.get("reason") in {"FailedMount", "FailedAttachVolume"} and pod in pending:
            return Cause(
                "FailedMount",
                f"pod {pod}: {event.get('message', '')}",
                "Create the object that the volume refers to, or change the volume by --template.",
            )
    return None


def _unschedulable(seen: ObservedCluster) -> Cause | None:
    for pod in _by_part(seen.pods):
        for condition in pod.status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                has = largest_node(seen.nodes)
                return Cause(
                    "Unschedulable",
                    f"{_part(pod)} requests {asked(pod, 'cpu')} CPU and {asked(pod, 'memory')}: "
                    f"{_PREEMPTION.sub('', condition.get('message', 'no node fits'))}"
                    + (f"; the largest node has {has}" if has else ""),
                    _ROOM[_part_of(pod) == "the driver"],
                )
    return None


_ROOM = (
    "Request less (--cpu, --memory, --workers), or add nodes.",
    "Request fewer or smaller workers (--workers, --cpu, --memory) or a smaller driver (operator.driverResources of the "
    "chart), or add nodes.",
)
"""Hints for a pod of the cluster, and for the driver's."""


def _progress(seen: ObservedCluster) -> Cause:
    """Return the current step of the start if nothing is wrong."""
    if not seen.deployments:
        return Cause("Accepting", "dask-kubernetes' operator has not created the scheduler yet")
    for pod in _by_part(seen.pods):
        name = pod.name
        if pod.phase == "Pending":
            last = [event for event in seen.events if event.get("involvedObject", {}).get("name") == name][-1:]
            if last and last[0].get("reason") == "Pulling":
                return Cause("Pulling", f"{_part(pod)}: {last[0].get('message', '')}")
            return Cause("Starting", f"{_part(pod)} is starting")
    if seen.registered is None:
        return Cause("Scheduler", "the scheduler is not ready")
    return Cause("Workers", f"{seen.registered} of {seen.workers} workers have registered")


def _by_part(pods: tuple[Resource, ...]) -> list[Resource]:
    return sorted((pod for pod in pods if not pod.is_deleting), key=_is_worker)


def _is_worker(pod: Resource) -> bool:
    return pod.component != "scheduler"


def _part(pod: Resource) -> str:
    return f"{_part_of(pod)} (pod {pod.name})"


def _part_of(made: Resource) -> str:
    if made.labels.get(names.COMPONENT) == names.DRIVER:
        return "the driver"
    return "a worker" if _is_worker(made) else "the scheduler"
