"""One look at one key: observe, decide, apply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from ..metrics import Jobs
from . import cluster
from .decide import decide
from .observed import Decision, Key, Observed, Settings
from .rest import gist, rests
from .schedule import decide_schedule

if TYPE_CHECKING:
    from scoremill.kubernetes.client import Kube, Object

_SOON = 0.2
"""Seconds until the next look at what has changed while it was looked at, as progress does all the time."""


class Reconciler:
    """What the queue calls; keeps nothing that a restart would miss."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube, self._settings = kube, settings
        self._jobs = Jobs()
        self._since: dt.datetime | None = None
        """When the first look was."""
        self._refused: dict[Key, str] = {}
        """What the API server said to the last object that was not taken."""
        self._gists: dict[Key, int] = {}
        """Of jobs as the last look left them."""

    def __call__(self, key: Key) -> float | None:
        """Seconds until the next look; None where only an event or the resync brings one."""
        kube = self._kube.within(key.namespace)
        self._since = self._since or dt.datetime.now(dt.UTC)
        return self._job(kube, key) if key.kind == "ScoringJob" else self._schedule(kube, key)

    def is_news(self, key: Key, job: Mapping[str, Any]) -> bool:
        """Whether an event that shows the ScoringJob so tells what the last look neither saw nor wrote."""
        return self._gists.get(key) != gist(job)

    def is_over(self, key: Key) -> bool:
        """Whether the ScoringJob is known to have ended."""
        return self._jobs.has_ended(key)

    def _job(self, kube: Kube, key: Key) -> float | None:
        seen = cluster.observe(kube, key.name, self._settings, self._refused.get(key), self._since)
        if seen is None:
            self._jobs.forget(key)
            self._refused.pop(key, None)
            self._gists.pop(key, None)
            return None
        return self._act(kube, key, seen)

    def _act(self, kube: Kube, key: Key, seen: Observed) -> float | None:
        """Decides, and at once again upon what was stored by it where that asks for the next step."""
        written = None
        while True:
            self._jobs.note(key, seen.job)
            decision = decide(seen)
            if decision.status == written:
                decision = replace(decision, status=None)
            # Before it is written, for the event may come before the answer.
            self._gists[key] = gist({**seen.job, "status": decision.status or seen.job.get("status")})
            job = self._applied(kube, key, seen.job, decision)
            if job is None:
                self._gists.pop(key, None)
                return _SOON
            self._gists[key] = gist(job)
            if decision.again != 0 or decision.status is None:
                return decision.again
            written, seen = decision.status, replace(seen, job=job)

    def _schedule(self, kube: Kube, key: Key) -> float | None:
        seen = cluster.observe_schedule(kube, key.name)
        if seen is None:
            self._refused.pop(key, None)
            return None
        schedule, jobs, outlived = seen
        now, refused = dt.datetime.now(dt.UTC), self._refused.get(key)
        decision = decide_schedule(schedule, jobs, now, refused, outlived, self._settings)
        return _SOON if self._applied(kube, key, schedule, decision) is None else decision.again

    def _applied(self, kube: Kube, key: Key, of: Object, decision: Decision) -> Object | None:
        """The object as it is stored once the decision is carried out; None where it has changed since.

        What the API server does not take is kept in mind for the next look.
        """
        try:
            stored = cluster.apply(kube, of, decision)
        except cluster.RefusedError as error:
            self._refused[key] = error.message
            raise
        if stored is not None:
            self._refused.pop(key, None)
        return stored

    def known(self, namespaces: Sequence[str], until: dt.datetime) -> Iterator[tuple[Key, Object, bool]]:
        """Every ScoringJob and ScoringSchedule, and whether it is to be looked at before `until`; not all in memory.

        They are of all namespaces where none is given. A job that rests is looked at only for what is left of it.
        """
        places = [self._kube.within(namespace) for namespace in namespaces] or [self._kube]
        everywhere = not namespaces
        left = {Key("ScoringJob", *of) for kube in places for of in cluster.left_over(kube, everywhere=everywhere)}
        jobs = set[Key]()
        for kind, kube in product(("ScoringJob", "ScoringSchedule"), places):
            for each in kube.each(kind, everywhere=everywhere):
                key = Key(kind, each["metadata"]["namespace"], each["metadata"]["name"])
                if kind == "ScoringJob":
                    jobs.add(key)
                    self._jobs.note(key, each)
                yield key, each, kind != "ScoringJob" or key in left or not rests(each, until)
        self._jobs.keep(jobs)
        for key in {*self._gists} - jobs:
            self._gists.pop(key, None)
