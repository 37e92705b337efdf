"""Why a cluster is not up yet: the one most probable cause, from what Kubernetes says about its objects."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..objects.policy import OPERATOR
from ..objects.resource import Resource
from .quantities import asked, largest_node

Fields = Mapping[str, Any]

OPERATOR_SECONDS = 15.0
"""Time in which dask-kubernetes' operator, if it runs, has made the scheduler's Deployment."""


_CONNECT_SECONDS = 10.0
"""After a scheduler is ready, time in which a worker may still end because it found none."""
_NOTES = "kopf.zalando.org/"
"""Where kopf, of which dask-kubernetes' operator is made, writes of attempts that failed."""
_VALUE = re.compile(r"\{.*\}")
"""An invalid object, written out before the words that say what is wrong with it."""
_PREEMPTION = re.compile(r"\.( no new claims to deallocate,)? preemption: .*", re.DOTALL)
"""What is said, after the cause, of pods that might have made room."""
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: ErrImagePull: )?')
"""What is laid before the message of the last attempt while the next is waited for."""


@dataclass(frozen=True)
class Observed:
    """What can be seen of one cluster; what may not be read is empty."""

    cluster: Resource | None
    """The DaskCluster; None where only a driver is looked at."""
    age: float
    """Seconds since it was created."""
    workers: int
    """Workers that are wanted."""
    registered: int | None = None
    """Workers that the scheduler knows; None where it does not answer."""
    group: Resource | None = None
    """The DaskWorkerGroup."""
    deployments: tuple[Resource, ...] = ()
    pods: tuple[Resource, ...] = ()
    events: tuple[Fields, ...] = ()
    """Of the cluster's objects, oldest first."""
    nodes: tuple[Resource, ...] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    """The tails of pods that crash, by name."""

    @property
    def is_up(self) -> bool:
        """Whether the scheduler answers and all wanted workers have registered."""
        return self.registered is not None and self.registered >= self.workers


@dataclass(frozen=True)
class Cause:
    """What is waited for."""

    reason: str
    """One word, as Kubernetes' reasons are."""
    evidence: str
    hint: str | None = None
    """What the user can do; None while patience may be enough."""
    pod: str | None = None
    """The pod whose log tells more."""


def diagnose(seen: Observed) -> Cause | None:
    """The most probable cause of a wait; None when the cluster is up.

    The scheduler comes before workers, and what nobody can hint by waiting before what may pass.
    """
    if seen.is_up:
        return None
    for look in (_operator_error, _operator, _refused_pods, _broken_pods, _mounts, _unschedulable):
        cause = look(seen)
        if cause:
            return cause
    return _progress(seen)


def diagnose_driver(pods: Iterable[Resource], events: Iterable[Fields] = ()) -> Cause | None:
    """What keeps a driver from starting; None where nothing is known to."""
    seen = Observed(None, 0, 0, pods=tuple(pods), events=tuple(events))
    causes = (look(seen) for look in (_broken_pods, _mounts, _unschedulable))
    return next((cause for cause in causes if cause), None)


def diagnose_refusal(events: Iterable[Fields]) -> Cause | None:
    """Why Kubernetes makes no pod of a driver's Job, from the warnings about it, oldest first."""
    refused = [event.get("message", "") for event in events if event.get("reason") == "FailedCreate"]
    return _refusal("the driver", refused[-1]) if refused else None


def _operator_error(seen: Observed) -> Cause | None:
    """What keeps dask-kubernetes' operator from making a Deployment, from the notes that it keeps between attempts."""
    if len(seen.deployments) > seen.workers:
        return None
    for made in filter(None, (seen.cluster, seen.group)):
        for key, note in made.annotations.items():
            handler = json.loads(note) if key.startswith(_NOTES) and note.startswith("{") else {}
            if handler.get("success") is False and handler.get("message"):
                return Cause(
                    "OperatorError",
                    f"dask-kubernetes' operator cannot make the cluster: {_VALUE.sub('{…}', handler['message'])}",
                    "See --template, and what its operator may do: kubectl logs of it.",
                )
    return None


def _operator(seen: Observed) -> Cause | None:
    if seen.cluster is not None and seen.cluster.phase == "Error":
        return Cause("InvalidCluster", "dask-kubernetes' operator refuses the cluster's name", "Give another name.")
    if seen.deployments or seen.age < OPERATOR_SECONDS:
        return None
    return Cause(
        "OperatorNotRunning",
        "nothing takes up the DaskCluster",
        "Check that dask-kubernetes' operator runs and watches this namespace: kubectl get pods --all-namespaces "
        f"--selector app.kubernetes.io/name={OPERATOR}.",
    )


def _refused_pods(seen: Observed) -> Cause | None:
    """Pods that the API server does not let a ReplicaSet make."""
    return next((_refusal(part, message) for part, message in _refusals(seen)), None)


def _refusal(part: str, message: str) -> Cause:
    evidence = f"Kubernetes refuses {part}: {_FORBIDDEN.sub('', message)}"
    for words, reason, hint in _REFUSALS:
        if all(word in message for word in words):
            return Cause(reason, evidence, hint)
    return Cause("PodsRefused", evidence, "The cluster's rules refuse such pods; see --template.")


_REFUSALS = (
    (("exceeded quota",), "QuotaExceeded", "Ask for less (--workers, --memory, --cpu), or for a larger quota."),
    (
        ("failed quota", "must specify"),
        "QuotaAsksForMore",
        "Give what the quota asks for by --template (resources.limits), or have the namespace a LimitRange with defaults.",
    ),
    (("usage per Container",), "LimitRange", "Ask for what the namespace's LimitRange admits (--memory, --cpu)."),
    (("usage per Pod",), "LimitRange", "Ask for what the namespace's LimitRange admits (--memory, --cpu)."),
    (
        ("violates PodSecurity",),
        "PodSecurityViolation",
        "Take out of --template what the namespace's Pod Security forbids.",
    ),
    (("serviceaccount", "not found"), "MissingServiceAccount", "Create it, or give another --service-account."),
)
_FORBIDDEN = re.compile(r'^.*?pods "[^"]*" is forbidden: (error looking up service account \S+: )?')


def _refusals(seen: Observed) -> Iterator[tuple[str, str]]:
    """The part whose pods are refused, and the words in which."""
    for deployment in seen.deployments:
        if failure := deployment.true_condition("ReplicaFailure"):
            yield _part_of(deployment), failure.get("message", "")
    if len(seen.pods) < len(seen.deployments):
        for event in reversed(seen.events):
            if event.get("reason") == "FailedCreate":
                yield "a pod", event.get("message", "")


def _broken_pods(seen: Observed) -> Cause | None:
    """Containers that do not start, or do not stay."""
    for pod in _by_part(seen.pods):
        for container in pod.containers:
            cause = _waiting(pod, container, seen) or _ended(pod, container, seen)
            if cause:
                return cause
    return None


def _waiting(pod: Resource, container: Fields, seen: Observed) -> Cause | None:
    waiting = container.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}:
        return Cause(
            "ImagePull",
            f"{_part(pod)}: image {container['image']} cannot be had: {_BACK_OFF.sub('', message) or reason}",
            "Give an --image that the nodes can pull, and pull secrets by --template if its registry asks for them.",
        )
    if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        hint = "Create it in the cluster's namespace, or give another --secret." if "secret" in message else None
        name = "MissingSecret" if hint and "not found" in message else reason
        return Cause(name, f"{_part(pod)}: {message or reason}", hint or "See the image and --template.")
    return None


def _ended(pod: Resource, container: Fields, seen: Observed) -> Cause | None:
    """The last end of a container that is not up again."""
    if container.get("ready") and not container.get("state", {}).get("terminated"):
        return None
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended:
        return None
    if ended.get("reason") == "OOMKilled":
        return Cause(
            "OOMKilled",
            f"{_part(pod)} was killed for using more than its {asked(pod, 'memory')} of memory",
            "Give more --memory; the scheduler's by --template.",
        )
    if (not container.get("restartCount") and not ended.get("exitCode")) or _had_no_scheduler(pod, ended, seen):
        return None
    tail = seen.logs.get(pod.name, "").strip()
    return Cause(
        "CrashLoop",
        f"{_part(pod)} ended with code {ended.get('exitCode')}" + (f"; its log's last lines:\n{tail}" if tail else ""),
        "Check the --image: it needs Python, dask and scoremill in the versions used here.",
        pod.name,
    )


def _had_no_scheduler(pod: Resource, ended: Fields, seen: Observed) -> bool:
    """Return whether a worker ended for want of a scheduler: it was up before that, and will be started again."""
    if pod.component != "worker":
        return False
    since = max((_ready_since(each) for each in seen.pods if not _is_worker(each)), default="")
    if not since or "finishedAt" not in ended:
        return not since
    waited = dt.datetime.fromisoformat(ended["finishedAt"]) - dt.datetime.fromisoformat(since)
    return waited.total_seconds() < _CONNECT_SECONDS


def _ready_since(pod: Resource) -> str:
    """Return since when the pod has been ready; nothing if it is not."""
    return str((pod.true_condition("Ready") or {}).get("lastTransitionTime", ""))


def _mounts(seen: Observed) -> Cause | None:
    pending = {pod.name for pod in seen.pods if pod.phase == "Pending"}
    for event in reversed(seen.events):
        pod = event.get("involvedObject", {}).get("name")
        if event.get("reason") in {"FailedMount", "FailedAttachVolume"} and pod in pending:
            return Cause(
                "FailedMount",
                f"pod {pod}: {event.get('message', '')}",
                "Create what the volume names, or change --template.",
            )
    return None


def _unschedulable(seen: Observed) -> Cause | None:
    for pod in _by_part(seen.pods):
        for condition in pod.status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                has = largest_node(seen.nodes)
                return Cause(
                    "Unschedulable",
                    f"{_part(pod)} asks for {asked(pod, 'cpu')} CPU and {asked(pod, 'memory')}: "
                    f"{_PREEMPTION.sub('', condition.get('message', 'no node takes it'))}"
                    + (f"; the largest node has {has}" if has else ""),
                    _ROOM[_part_of(pod) == "the driver"],
                )
    return None


_ROOM = (
    "Ask for less (--cpu, --memory, --workers), or add nodes.",
    "Ask for fewer or smaller workers (--workers, --cpu, --memory) or a smaller driver (operator.driverResources of the "
    "chart), or add nodes.",
)
"""For a part of the cluster, and for the driver."""


def _progress(seen: Observed) -> Cause:
    """What goes on while nothing is wrong."""
    if not seen.deployments:
        return Cause("Accepting", "dask-kubernetes' operator takes up the cluster")
    for pod in _by_part(seen.pods):
        name = pod.name
        if pod.phase == "Pending":
            last = [event for event in seen.events if event.get("involvedObject", {}).get("name") == name][-1:]
            if last and last[0].get("reason") == "Pulling":
                return Cause("Pulling", f"{_part(pod)}: {last[0].get('message', '')}")
            return Cause("Starting", f"{_part(pod)} is being started")
    if seen.registered is None:
        return Cause("Scheduler", "the scheduler is not ready to answer")
    return Cause("Workers", f"{seen.registered} of {seen.workers} workers have registered")


def _by_part(pods: tuple[Resource, ...]) -> list[Resource]:
    return sorted((pod for pod in pods if not pod.is_deleting), key=_is_worker)


def _is_worker(pod: Resource) -> bool:
    return pod.component != "scheduler"


def _part(pod: Resource) -> str:
    return f"{_part_of(pod)} (pod {pod.name})"


def _part_of(made: Resource) -> str:
    if made.labels.get("app.kubernetes.io/component") == "driver":
        return "the driver"
    return "a worker" if _is_worker(made) else "the scheduler"
