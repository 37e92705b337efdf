"""Create, find, follow, change and delete ScoringJobs and ScoringSchedules."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass

from scoremill.errors import ClusterError, UsageError
from scoremill.events import Note, Watcher
from scoremill.spec import Workers
from scoremill.units import format_seconds, quoted

from .api import Kube, Object, Unavailable
from .follow import Follower
from .job import Job
from .objects import Resource

_POLL = 1.0
_CALL_SECONDS, _SILENCE_SECONDS = 10.0, 600.0
"""Timeout of one read of a followed job, and how long the API can be silent; the job itself continues meanwhile."""
_MOST_NAMED = 20
WORDS = {"ScoringJob": "job", "ScoringSchedule": "schedule"}
"""Names of the kinds on the command line."""


@dataclass(frozen=True)
class Ours:
    """The objects of one kind in one namespace."""

    kube: Kube
    kind: str

    @property
    def word(self) -> str:
        return WORDS[self.kind]

    def find(self, name: str) -> Object:
        """Return the object `name`; raise ClusterError if it does not exist, with the names of those that do."""
        found = self.kube.get(self.kind, name)
        if found is not None:
            return found
        message = f"{self.word} {quoted(name)} not found in namespace {self.kube.namespace}"
        raise ClusterError(message, self._hint([Resource.of(each).name for each in self.every()]), code="JobNotFound")

    def _hint(self, others: list[str]) -> str:
        if not others:
            return f"Submit one with `scoremill {self.word} submit`, or choose another namespace with `namespace=`."
        more = ", …" if len(others) > _MOST_NAMED else ""
        return f"Use one of the existing {self.word}s: {', '.join(others[:_MOST_NAMED])}{more}."

    def every(self, *, everywhere: bool = False) -> list[Object]:
        """Return all objects, sorted by name; raise ClusterError if the server does not have the kind."""
        found = self.kube.select(self.kind, everywhere=everywhere)
        if not found:
            self.kube.require(self.kind)
        return sorted(found, key=_namespace_and_name)

    def submit(self, made: Object, is_same: Callable[[Object], bool]) -> bool:
        """Create the object; return False if it exists already, raise UsageError if one of its name is different."""
        if self.kube.create(made) is not None:
            return True
        name = Resource.of(made).name
        there = self.find(name)
        if Resource.of(there).is_deleting:
            raise ClusterError(f"{self.word} {name} is being deleted", "Retry when it is deleted.", code="BeingDeleted")
        if not is_same(there):
            verb = "cancel" if self.word == "job" else "delete"
            raise UsageError(
                f"{self.word} {name} exists in namespace {self.kube.namespace} with another spec",
                f"Choose another `metadata.name`, or delete it first with `scoremill {self.word} {verb} {name}`.",
                code="JobExists",
            )
        return False

    def suspend(self, name: str, *, suspend: bool) -> None:
        """Set `spec.suspend`."""
        if self.kube.patch(self.kind, name, {"spec": {"suspend": suspend}}) is None:
            self.find(name)

    def scale(self, name: str, workers: Workers) -> None:
        """Set the number of workers, or the range for autoscaling, of a job that can be running."""
        most = workers.max if workers.min < workers.max else None
        change = {"spec": {"cluster": {"workers": workers.min, "maxWorkers": most}}}
        if self.kube.patch(self.kind, name, change) is None:
            self.find(name)

    def remove(self, name: str, seconds: float, say: Callable[[str], None]) -> bool:
        """Delete the object and wait until it and all that it owns are deleted; return False if there was none."""
        there = self.kube.find(self.kind, name)
        if there is None:
            self.kube.require(self.kind)
            return False
        self.kube.delete(self.kind, name, uid=there.uid)
        deadline, is_reported = time.monotonic() + seconds, False
        while (left := self.kube.find(self.kind, name)) is not None and left.uid == there.uid:
            if not is_reported:
                say(f"waiting for {self.word} {name} and its objects to be deleted")
                is_reported = True
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{self.word} {name} was not deleted within {format_seconds(seconds)}",
                    f"Check which of its pods are left with `kubectl get pods --namespace {self.kube.namespace}`.",
                    code="BeingDeleted",
                )
            time.sleep(_POLL)
        return True


def seen(made: Object) -> Job:
    """Return the job as observed now."""
    return Job(Resource.of(made, "ScoringJob"), dt.datetime.now(dt.UTC))


def follow(ours: Ours, name: str, watch: Watcher, seconds: float | None) -> Job:
    """Return the job once it is complete, failed or suspended; pass the changes until then to `watch`.

    While the API does not answer, wait for it: for ten minutes, or until the deadline.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    job, follower = seen(ours.find(name)), Follower()
    uid = job.resource.uid
    while True:
        for event in follower.news(job):
            watch(event)
        if job.status.is_finished or (job.phase == "Suspended" and job.resource.spec.get("suspend")):
            return job
        if deadline is not None and time.monotonic() > deadline:
            raise ClusterError(
                f"job {name} did not finish within {format_seconds(seconds or 0)}: {job.phase}",
                f"The job continues; wait for it with `scoremill job wait {name}`.",
                code="JobNotFinished",
            )
        time.sleep(_POLL)
        until = time.monotonic() + _SILENCE_SECONDS
        made = _read_with_patience(ours, name, watch, until if deadline is None else min(until, deadline))
        if made is None or (job := seen(made)).resource.uid != uid:
            raise ClusterError(
                f"job {name} was deleted while waiting for it",
                "Completed partitions are saved; submit the job again with the same output to resume.",
                code="JobNotFound",
            )


def _namespace_and_name(found: Object) -> tuple[str, str]:
    resource = Resource.of(found)
    return resource.namespace, resource.name


def _read_with_patience(ours: Ours, name: str, watch: Watcher, until: float) -> Object | None:
    """Return the object as soon as the API answers; raise Unavailable if it does not by then."""
    is_reported = False
    while True:
        try:
            return ours.kube.hurried(_CALL_SECONDS).get(ours.kind, name)
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            if not is_reported:
                watch(Note(f"waiting for the Kubernetes API: {error.message}"))
            is_reported = True
        time.sleep(_POLL)
