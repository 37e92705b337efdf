"""Find out how a driver ended, from its Job and pods."""

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
    """The Job of one driver and all of its existing pods."""

    name: str
    job: Resource | None
    """The batch Job; None if only its pods are left."""
    pods: tuple[Resource, ...] = ()
    events: tuple[Fields, ...] = ()
    """Warning events of the Job, oldest first, while it is active and has no pod."""

    @property
    def image(self) -> str | None:
        """The image of the driver's container; None if the Job was deleted."""
        pod = self.job.spec.get("template", {}).get("spec", {}) if self.job else {}
        return next((each["image"] for each in pod.get("containers", ()) if each["name"] == names.DRIVER), None)

    @property
    def is_alive(self) -> bool:
        """True if the driver runs, or can still start."""
        return (self.job is not None and self.ended is None) or any(map(_lives, self.pods))

    @property
    def is_running(self) -> bool:
        """True if the driver's container is running."""
        return any("running" in _state(pod) for pod in self.pods)

    @property
    def has_run(self) -> bool:
        """True if a container of the driver has ever started, as far as its existing pods show."""
        return any(_state(pod).keys() & {"running", "terminated"} for pod in self.pods)

    @property
    def is_ending(self) -> bool:
        """True if the container of the newest pod has ended, even if the Job does not report it yet."""
        return self.pod is not None and "terminated" in _state(self.pod)

    @property
    def since(self) -> dt.datetime | None:
        """When the newest pod was created or its container started, whichever is later."""
        created = [pod.created for pod in self.pods if pod.created]
        started = [_state(pod).get("running", {}).get("startedAt") for pod in self.pods]
        return max([*created, *(dt.datetime.fromisoformat(time) for time in started if time)], default=None)

    @property
    def pod(self) -> Resource | None:
        """The newest pod."""
        return max(self.pods, key=lambda pod: pod.created.timestamp() if pod.created else 0.0, default=None)

    @property
    def ended(self) -> Fields | None:
        """The Job's condition Complete or Failed; None while it or any of its pods is active."""
        return self.job.true_condition("Complete", "Failed") if self.job else None


_MORE_MEMORY = (
    "Increase the driver's memory (operator.driverResources of the chart), or score fewer objects in one job."
)
_TAIL_LINES = 8
_UNKNOWN = 255
"""Exit code that containerd reports if its shim was killed, whatever the process's own code; no driver uses it."""


def drivers_of(
    jobs: Iterable[Resource], pods: Iterable[Resource], events_of: Callable[[str], Iterable[Fields]] | None = None
) -> tuple[Driver, ...]:
    """Return the drivers of a ScoringJob, from its batch Jobs and the pods with its label; other pods are ignored.

    `events_of` returns the warning events of a Job by its name; it is called for active Jobs without a pod.
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
    """How one attempt ended."""

    exit_code: int | None
    """The driver's exit code; None if it is unknown."""
    reason: Reason | None
    """Why the attempt failed; None if it succeeded."""
    message: str = ""
    hint: str | None = None
    termination: Fields = field(default_factory=dict)
    """The driver's termination message: rows, outputs, modelDigest, failedObjects."""

    @property
    def error_code(self) -> str | None:
        """Code of the driver's error, if the driver reported it."""
        code = self.termination.get("code")
        return code if isinstance(code, str) else None


def outcome_of(driver: Driver) -> Outcome | None:
    """Return how the driver ended; None if it has not. Only a container that exited with 0 is a success."""
    ended = driver.ended
    if ended is None:
        return None
    if ended["type"] == "Complete":
        # One pod exited with 0, whatever happened to its pods since.
        return Outcome(0, None, termination=_success(driver))
    left = _last_words(driver)
    termination = _termination(left) if left else {}
    if left and left["exitCode"] == 0:
        return Outcome(0, None, termination=termination)
    if ended.get("reason") == "DeadlineExceeded":
        message = "the driver was stopped: deadlines.activeSeconds have passed"
        return Outcome(None, Reason.ACTIVE_DEADLINE, message, termination=termination)
    if left is None:
        why = ended.get("message") or ended.get("reason") or "its pod was deleted"
        return Outcome(None, Reason.DRIVER_LOST, f"the driver's exit code is unknown: {why}")
    code = _code(left, termination)
    if code is None:
        return Outcome(
            None, Reason.DRIVER_LOST, "the container runtime lost track of the driver", termination=termination
        )
    if left.get("reason") == "OOMKilled":
        limit = memory_limit(driver.pod, names.DRIVER) if driver.pod else None
        killed = f"the driver was killed for exceeding its memory limit{f' of {limit}' if limit else ''} (OOMKilled)"
        return Outcome(code, Reason.DRIVER_OUT_OF_MEMORY, killed, _MORE_MEMORY, termination)
    message = (
        termination.get("message")
        or f"the driver exited with code {code}{'; see its log' if termination else _tail(left)}"
    )
    hint = str(termination["hint"]) if termination.get("hint") else None
    reason = REASON_OF_ERROR.get(str(termination.get("error"))) or REASON_OF_CODE.get(code, Reason.DRIVER_FAILED)
    return Outcome(code, reason, str(message), hint, termination)


def _success(driver: Driver) -> Fields:
    """Return the termination message of the container that exited with 0; empty if its pod was deleted."""
    ends = (_state(pod).get("terminated") for pod in driver.pods)
    return next((_termination(end) for end in ends if end and end["exitCode"] == 0), {})


def _last_words(driver: Driver) -> Fields | None:
    """Return how the driver's container ended, ignoring pods that Kubernetes disrupted and replaced."""
    ended = []
    for pod in driver.pods:
        state = _state(pod).get("terminated")
        if state and not _is_disrupted(pod):
            ended.append(state)
    # A success counts before any failure, then the last one to finish.
    return max(ended, key=lambda each: (each["exitCode"] == 0, each.get("finishedAt") or ""), default=None)


def _termination(left: Fields) -> Fields:
    """Return the termination message if scoremill wrote it for this exit code; a running driver writes one too."""
    try:
        termination = json.loads(left.get("message") or "")
    except ValueError:
        return {}
    return (
        termination
        if isinstance(termination, dict)
        and left["exitCode"] in {_UNKNOWN, termination.get("exitCode", left["exitCode"])}
        else {}
    )


def _code(left: Fields, termination: Fields) -> int | None:
    """Return the container's exit code, or the one in the termination message if the runtime does not know it."""
    code = int(left["exitCode"])
    return code if code != _UNKNOWN else termination.get("exitCode") or None


def _tail(left: Fields) -> str:
    """Return the last lines of the log, which Kubernetes reports if the driver wrote no termination message."""
    lines = (left.get("message") or "").strip().splitlines()[-_TAIL_LINES:]
    return "; the last lines of its log:\n" + "\n".join(lines) if lines else "; see its log"


def _state(pod: Resource) -> Fields:
    """Return the state of the driver's container; the pod can have sidecars."""
    return pod.container_state(names.DRIVER)


def _is_disrupted(pod: Resource) -> bool:
    return pod.true_condition("DisruptionTarget") is not None


def _lives(pod: Resource) -> bool:
    return pod.phase not in {"Succeeded", "Failed"}
