"""How a driver ended, from what Kubernetes keeps of its Job and pods."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scoremill.spec.resources.status import REASON_OF_CODE, REASON_OF_ERROR, Reason

from ..objects import names
from ..objects.resource import Resource
from .quantities import memory_limit

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Driver:
    """One driver Job and all pods of it that there are."""

    name: str
    job: Resource | None
    """None if only pods of it are left."""
    pods: tuple[Resource, ...] = ()
    events: tuple[Fields, ...] = ()
    """Warnings about the Job, oldest first, while it lives and has no pod."""

    @property
    def image(self) -> str | None:
        """The image of its container, as the Job has it; None if the Job is gone."""
        pod = self.job.spec.get("template", {}).get("spec", {}) if self.job else {}
        return next((each["image"] for each in pod.get("containers", ()) if each["name"] == names.DRIVER), None)

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or may yet run."""
        return (self.job is not None and self.ended is None) or any(map(_lives, self.pods))

    @property
    def is_running(self) -> bool:
        """Whether its container has started and not ended."""
        return any("running" in _state(pod) for pod in self.pods)

    @property
    def has_run(self) -> bool:
        """Whether a container of it has ever started, as far as that is still known."""
        return any(_state(pod).keys() & {"running", "terminated"} for pod in self.pods)

    @property
    def is_ending(self) -> bool:
        """Whether the container of its newest pod has ended, which the Job does not tell yet."""
        return self.pod is not None and "terminated" in _state(self.pod)

    @property
    def since(self) -> dt.datetime | None:
        """When its newest pod was made, or that one's container started."""
        created = [pod.created for pod in self.pods if pod.created]
        started = [_state(pod).get("running", {}).get("startedAt") for pod in self.pods]
        return max([*created, *(dt.datetime.fromisoformat(time) for time in started if time)], default=None)

    @property
    def pod(self) -> Resource | None:
        """The newest pod."""
        return max(self.pods, key=lambda pod: pod.created.timestamp() if pod.created else 0.0, default=None)

    @property
    def ended(self) -> Fields | None:
        """The condition by which the Job has ended, which it has only when none of its pods lives."""
        return self.job.true_condition("Complete", "Failed") if self.job else None


_MORE_MEMORY = "Give the driver more memory (operator.driverResources of the chart), or score fewer objects in one job."
_TAIL_LINES = 8
_UNKNOWN = 255
"""Exit code that containerd reports if its shim was killed, whatever the process ended with; no driver ends so."""


def drivers_of(
    jobs: Iterable[Resource], pods: Iterable[Resource], events_of: Callable[[str], Iterable[Fields]] | None = None
) -> tuple[Driver, ...]:
    """The drivers of a ScoringJob, from its batch Jobs and from the pods with its label; other pods are left out.

    `events_of` gives the warnings about the Job of a name; it is asked for those that live and have no pod.
    """
    by_name = {job.name: job for job in jobs}
    pods_of: dict[str, list[Resource]] = {name: [] for name in by_name}
    for pod in pods:
        job = pod.labels.get(names.JOB_OF_POD)
        if job:
            pods_of.setdefault(job, []).append(pod)
    drivers = [Driver(name, by_name.get(name), tuple(found)) for name, found in sorted(pods_of.items())]
    if events_of is None:
        return tuple(drivers)
    return tuple(
        replace(each, events=tuple(events_of(each.name))) if each.is_alive and not each.pods else each
        for each in drivers
    )


@dataclass(frozen=True)
class Outcome:
    """The end of one attempt."""

    exit_code: int | None
    """Its exit code; None where nothing is left that tells it."""
    reason: Reason | None
    """None of success."""
    message: str = ""
    hint: str | None = None
    told: Fields = field(default_factory=dict)
    """What the driver itself left: rows, outputs, modelDigest, failedObjects."""


def outcome_of(driver: Driver) -> Outcome | None:
    """How the driver ended; None while it has not. Success is a container that ended with 0, and nothing else."""
    ended = driver.ended
    if ended is None:
        return None
    if ended["type"] == "Complete":
        # Whatever befell its pods since: one of them ended with 0.
        return Outcome(0, None, told=_success(driver))
    left = _last_words(driver)
    told = _told(left) if left else {}
    if left and left["exitCode"] == 0:
        return Outcome(0, None, told=told)
    if ended.get("reason") == "DeadlineExceeded":
        message = "the driver was stopped: deadlines.activeSeconds have passed"
        return Outcome(None, Reason.ACTIVE_DEADLINE, message, told=told)
    if left is None:
        why = ended.get("message") or ended.get("reason") or "its pod is gone"
        return Outcome(None, Reason.DRIVER_LOST, f"the driver left no exit code: {why}")
    code = _code(left, told)
    if code is None:
        return Outcome(None, Reason.DRIVER_LOST, "the container runtime lost sight of the driver", told=told)
    if left.get("reason") == "OOMKilled":
        limit = memory_limit(driver.pod, names.DRIVER) if driver.pod else None
        killed = f"the driver was killed for exceeding its memory limit{f' of {limit}' if limit else ''} (OOMKilled)"
        return Outcome(code, Reason.DRIVER_OUT_OF_MEMORY, killed, _MORE_MEMORY, told)
    message = told.get("message") or f"the driver ended with code {code}{'; see its log' if told else _tail(left)}"
    hint = str(told["hint"]) if told.get("hint") else None
    reason = REASON_OF_ERROR.get(str(told.get("error"))) or REASON_OF_CODE.get(code, Reason.DRIVER_FAILED)
    return Outcome(code, reason, str(message), hint, told)


def _success(driver: Driver) -> Fields:
    """What the container that ended with 0 told; nothing where its pod is gone."""
    ends = (_state(pod).get("terminated") for pod in driver.pods)
    return next((_told(end) for end in ends if end and end["exitCode"] == 0), {})


def _last_words(driver: Driver) -> Fields | None:
    """The end of the container that counts: a pod that Kubernetes disrupted was replaced, and does not."""
    ended = []
    for pod in driver.pods:
        state = _state(pod).get("terminated")
        if state and not _is_disrupted(pod):
            ended.append(state)
    # One that ended well did, whatever befell the others; else the last end counts.
    return max(ended, key=lambda each: (each["exitCode"] == 0, each.get("finishedAt") or ""), default=None)


def _told(left: Fields) -> Fields:
    """The termination message, if it is one of ours and of this end, or of none: a driver that runs leaves one too."""
    try:
        told = json.loads(left.get("message") or "")
    except ValueError:
        return {}
    return (
        told
        if isinstance(told, dict) and left["exitCode"] in {_UNKNOWN, told.get("exitCode", left["exitCode"])}
        else {}
    )


def _code(left: Fields, told: Fields) -> int | None:
    """Return the exit code of the container, or the one that the driver left if the runtime does not know it."""
    code = int(left["exitCode"])
    return code if code != _UNKNOWN else told.get("exitCode") or None


def _tail(left: Fields) -> str:
    """The last lines of its log, which Kubernetes gives for a message that the driver could not write."""
    lines = (left.get("message") or "").strip().splitlines()[-_TAIL_LINES:]
    return "; its log's last lines:\n" + "\n".join(lines) if lines else "; see its log"


def _state(pod: Resource) -> Fields:
    """The state of the driver's container: others may have been put beside it."""
    return pod.container_state(names.DRIVER)


def _is_disrupted(pod: Resource) -> bool:
    return pod.true_condition("DisruptionTarget") is not None


def _lives(pod: Resource) -> bool:
    return pod.phase not in {"Succeeded", "Failed"}
