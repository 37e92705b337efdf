"""One look at one key: observe, decide, apply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from . import cluster
from .decide import decide
from .metrics import Jobs
from .observed import Decision, Settings
from .queue import Key
from .schedule import decide_schedule

if TYPE_CHECKING:
    from scoremill.kube import Kube, Object

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

    def __call__(self, key: Key) -> float | None:
        """Seconds until the next look; None where only an event or the resync brings one."""
        kube = self._kube.within(key.namespace)
        self._since = self._since or dt.datetime.now(dt.UTC)
        return self._job(kube, key) if key.kind == "ScoringJob" else self._schedule(kube, key)

    def _job(self, kube: Kube, key: Key) -> float | None:
        seen = cluster.observe(kube, key.name, self._settings, self._refused.get(key), self._since)
        if seen is None:
            self._jobs.forget(key)
            self._refused.pop(key, None)
            return None
        self._jobs.note(key, seen.job)
        return self._applied(kube, key, seen.job, decide(seen))

    def _schedule(self, kube: Kube, key: Key) -> float | None:
        seen = cluster.observe_schedule(kube, key.name)
        if seen is None:
            self._refused.pop(key, None)
            return None
        schedule, jobs, outlived = seen
        decision = decide_schedule(schedule, jobs, dt.datetime.now(dt.UTC), self._refused.get(key), outlived)
        return self._applied(kube, key, schedule, decision)

    def _applied(self, kube: Kube, key: Key, of: Object, decision: Decision) -> float | None:
        """Carries the decision out; keeps in mind what the API server does not take."""
        try:
            is_done = cluster.apply(kube, of, decision)
        except cluster.RefusedError as error:
            self._refused[key] = error.message
            raise
        if not is_done:
            return _SOON
        self._refused.pop(key, None)
        return decision.again

    def known(self, namespaces: Sequence[str]) -> Iterator[tuple[Key, Object]]:
        """Every ScoringJob and ScoringSchedule, of all namespaces where none is given; not all of them in memory."""
        places = [self._kube.within(namespace) for namespace in namespaces] or [self._kube]
        jobs = set[Key]()
        for kind, kube in product(("ScoringJob", "ScoringSchedule"), places):
            for each in kube.each(kind, everywhere=not namespaces):
                key = Key(kind, each["metadata"]["namespace"], each["metadata"]["name"])
                if kind == "ScoringJob":
                    jobs.add(key)
                    self._jobs.note(key, each)
                yield key, each
        self._jobs.keep(jobs)
