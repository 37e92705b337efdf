"""One reconcile of one object: observe, decide, apply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from scoremill.kubernetes.objects import Resource

from ..metrics import Jobs
from .apply import CreateRefusedError, apply
from .decide import decide
from .observe import left_over, observe, observe_schedule
from .observed import Decision, Key, Observed, OperatorSettings
from .schedule import decide_schedule
from .settled import fingerprint, is_settled

if TYPE_CHECKING:
    from scoremill.kubernetes.api import Kube

_CONFLICT_SECONDS = 0.2
"""Seconds until the next reconcile of an object that changed during the last one, as progress does all the time."""


def utc_now() -> dt.datetime:
    """Return the time."""
    return dt.datetime.now(dt.UTC)


class Reconciler:
    """Called by the queue; keeps nothing that a restart would miss."""

    def __init__(self, kube: Kube, settings: OperatorSettings, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._kube, self._settings, self._clock = kube, settings, clock
        self._jobs = Jobs()
        self._since: dt.datetime | None = None
        """The time of the first reconcile."""
        self._refused: dict[Key, str] = {}
        """Why the API server refused the last object."""
        self._fingerprints: dict[Key, int] = {}
        """Metrics of jobs as of their last reconcile."""

    def __call__(self, key: Key) -> float | None:
        """Return the seconds until the next reconcile; None if only an event or the resync causes one."""
        kube, now = self._kube.within(key.namespace), self._clock()
        self._since = self._since or now
        return self._job(kube, key, now) if key.kind == "ScoringJob" else self._schedule(kube, key, now)

    def _job(self, kube: Kube, key: Key, now: dt.datetime) -> float | None:
        refused = self._refused.get(key)
        observed = observe(kube, key.name, self._settings, now, refused=refused, since=self._since)
        if observed is None:
            self._forget(key)
            return None
        return self._decide_and_apply(kube, key, observed)

    def _decide_and_apply(self, kube: Kube, key: Key, observed: Observed) -> float | None:
        """Decide, and immediately again on what was stored if the decision asks for it (`requeue_after` is 0)."""
        written = None
        while True:
            self._jobs.note(key, observed.job)
            decision = decide(observed)
            if decision.status == written:
                decision = replace(decision, status=None)
            # Before the write, because its event can arrive before its response.
            self._fingerprints[key] = fingerprint(replace(observed.job, status=decision.status or observed.job.status))
            job = self._apply(kube, key, observed.job, decision, observed.now)
            if job is None:
                self._fingerprints.pop(key, None)
                return _CONFLICT_SECONDS
            self._fingerprints[key] = fingerprint(job)
            if decision.requeue_after != 0 or decision.status is None:
                return decision.requeue_after
            written, observed = decision.status, replace(observed, job=job)

    def _schedule(self, kube: Kube, key: Key, now: dt.datetime) -> float | None:
        observed = observe_schedule(kube, key.name)
        if observed is None:
            self._refused.pop(key, None)
            return None
        schedule, jobs, outlived = observed
        decision = decide_schedule(schedule, jobs, now, self._refused.get(key), outlived, self._settings)
        stored = self._apply(kube, key, schedule, decision, now)
        return _CONFLICT_SECONDS if stored is None else decision.requeue_after

    def _apply(self, kube: Kube, key: Key, observed: Resource, decision: Decision, now: dt.datetime) -> Resource | None:
        """Return the object as it is stored once the decision is applied; None if it has changed since.

        What the API server refuses is remembered for the next reconcile.
        """
        try:
            stored = apply(kube, observed, decision, now)
        except CreateRefusedError as error:
            self._refused[key] = error.message
            raise
        if stored is not None:
            self._refused.pop(key, None)
        return stored

    def _forget(self, key: Key) -> None:
        self._jobs.forget(key)
        self._refused.pop(key, None)
        self._fingerprints.pop(key, None)

    def is_news(self, key: Key, job: Resource) -> bool:
        """Return whether an event that shows the ScoringJob so is about what the last reconcile neither saw nor wrote."""
        return self._fingerprints.get(key) != fingerprint(job)

    def is_over(self, key: Key) -> bool:
        """Return whether the ScoringJob is known to have finished."""
        return self._jobs.has_ended(key)

    def known(self, namespaces: Sequence[str], until: dt.datetime) -> Iterator[tuple[Key, Resource, bool]]:
        """Yield every ScoringJob and ScoringSchedule, and whether to reconcile it before `until`; not all in memory.

        They are of all namespaces if none is given. A settled job is reconciled only if something of it is left.
        """
        places = [self._kube.within(namespace) for namespace in namespaces] or [self._kube]
        everywhere = not namespaces
        left = {Key("ScoringJob", *of) for kube in places for of in left_over(kube, everywhere=everywhere)}
        jobs = set[Key]()
        for kind, kube in product(("ScoringJob", "ScoringSchedule"), places):
            for each in kube.each(kind, everywhere=everywhere):
                key = Key(kind, each.namespace, each.name)
                if kind == "ScoringJob":
                    jobs.add(key)
                    self._jobs.note(key, each)
                yield key, each, kind != "ScoringJob" or key in left or not is_settled(each, until)
        self._jobs.keep(jobs)
        for key in {*self._fingerprints} - jobs:
            self._fingerprints.pop(key, None)
