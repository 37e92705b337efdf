"""ScoringJobs and ScoringSchedules on Kubernetes: made, found, followed, changed, removed."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass

from scoremill.errors import ClusterError, UsageError
from scoremill.events import Note, Watcher
from scoremill.spec import Workers
from scoremill.units import format_seconds

from .client import Kube, Object, Unavailable
from .follow import Follower
from .job import Job
from .objects import Resource

_POLL = 1.0
_CALL_SECONDS, _SILENCE_SECONDS = 10.0, 600.0
"""For one look at a job that is followed; without any answer: the job goes on while the API is away."""
_MOST_NAMED = 20
WORDS = {"ScoringJob": "job", "ScoringSchedule": "schedule"}
"""What the command line calls them."""


@dataclass(frozen=True)
class Ours:
    """The objects of one kind in one namespace."""

    kube: Kube
    kind: str

    @property
    def word(self) -> str:
        return WORDS[self.kind]

    def find(self, name: str) -> Object:
        """Return the object `name`; ClusterError that names those that exist, or says what to install."""
        found = self.kube.get(self.kind, name)
        if found is not None:
            return found
        message = f"there is no {self.word} {name!r} in namespace {self.kube.namespace}"
        raise ClusterError(message, self._hint([each["metadata"]["name"] for each in self.every()]))

    def _hint(self, others: list[str]) -> str:
        if not others:
            return f"Submit one: scoremill {self.word} submit"
        more = ", …" if len(others) > _MOST_NAMED else ""
        return f"Its {self.word}s: {', '.join(others[:_MOST_NAMED])}{more}."

    def every(self, *, everywhere: bool = False) -> list[Object]:
        """All of them, by name; ClusterError where the server has no such kind."""
        found = self.kube.select(self.kind, everywhere=everywhere)
        if not found:
            self.kube.require(self.kind)
        return sorted(found, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))

    def submit(self, made: Object, is_same: Callable[[Object], bool]) -> bool:
        """Makes the object; False where there is the same already, UsageError where there is another of its name."""
        if self.kube.create(made) is not None:
            return True
        name = made["metadata"]["name"]
        there = self.find(name)
        if Resource.of(there).is_deleting:
            raise ClusterError(f"{self.word} {name} is being removed", "Try again when it is gone.")
        if not is_same(there):
            raise UsageError(
                f"there is a {self.word} {name} in namespace {self.kube.namespace} that asks for something else",
                f"Give another --name, or remove it: scoremill {self.word} "
                f"{'cancel' if self.word == 'job' else 'delete'} {name}",
            )
        return False

    def suspend(self, name: str, *, suspend: bool) -> None:
        """Sets `spec.suspend`."""
        if self.kube.patch(self.kind, name, {"spec": {"suspend": suspend}}) is None:
            self.find(name)

    def scale(self, name: str, workers: Workers) -> None:
        """Sets the number of workers, or the range that follows the load; a job that runs follows it."""
        most = workers.max if workers.min < workers.max else None
        change = {"spec": {"cluster": {"workers": workers.min, "maxWorkers": most}}}
        if self.kube.patch(self.kind, name, change) is None:
            self.find(name)

    def remove(self, name: str, seconds: float, say: Callable[[str], None]) -> bool:
        """Removes the object, and returns when it and all that it owns are gone; False where there was none."""
        there = self.kube.get(self.kind, name)
        if there is None:
            self.kube.require(self.kind)
            return False
        uid = Resource.of(there).uid
        self.kube.delete(self.kind, name, uid=uid)
        deadline, told = time.monotonic() + seconds, False
        while (left := self.kube.get(self.kind, name)) is not None and Resource.of(left).uid == uid:
            if not told:
                say(f"waiting for {self.word} {name}, and what it has made, to go")
                told = True
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"after {format_seconds(seconds)} {self.word} {name} is not gone",
                    f"Look at what it owns: kubectl get pods --namespace {self.kube.namespace}",
                )
            time.sleep(_POLL)
        return True


def seen(made: Object) -> Job:
    """The job as it is seen now."""
    return Job(Resource.of(made, "ScoringJob"), dt.datetime.now(dt.UTC))


def follow(ours: Ours, name: str, watch: Watcher, seconds: float | None) -> Job:
    """The job once it is complete, failed or suspended; its news are given to `watch` until then.

    While the API does not answer it waits for that, for ten minutes or until the deadline.
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
                f"job {name} has not ended after {format_seconds(seconds or 0)}: {job.phase}",
                f"It goes on: scoremill job wait {name}",
            )
        time.sleep(_POLL)
        until = time.monotonic() + _SILENCE_SECONDS
        made = _once_heard(ours, name, watch, until if deadline is None else min(until, deadline))
        if made is None or (job := seen(made)).resource.uid != uid:
            raise ClusterError(f"job {name} was removed while it was waited for", "What is done is kept.")


def _once_heard(ours: Ours, name: str, watch: Watcher, until: float) -> Object | None:
    """The object as soon as the API answers; Unavailable where it does not until then."""
    is_told = False
    while True:
        try:
            return ours.kube.hurried(_CALL_SECONDS).get(ours.kind, name)
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            if not is_told:
                watch(Note(f"waiting for news of the job: {error.message}"))
            is_told = True
        time.sleep(_POLL)
