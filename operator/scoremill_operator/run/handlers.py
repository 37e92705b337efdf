"""What events of watches ask for: keys in the queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoremill.kubernetes.objects import Resource, names

from ..reconcile.observed import Key
from ..reconcile.reconciler import Reconciler
from ..reconcile.settled import has_ended, is_settled
from .watch import LISTED, Watch

if TYPE_CHECKING:
    from scoremill.kubernetes.client import Kube, Object

_CALM_SECONDS = 1.0
"""Time in which events of children, as a pod has several while it starts, bring one look together."""
CHILDREN = ("DaskCluster", "Job", "Pod")
"""Kinds that are watched where they bear our label."""


@dataclass(frozen=True)
class Handlers:
    """Give `add` the key of whatever an event is about, and a delay in seconds."""

    add: Callable[[Key, float], None]
    reconciler: Reconciler

    def watches(self, kube: Kube, namespaces: Sequence[str]) -> list[Watch]:
        """Watches of those namespaces, or of all where none is given, which call these handlers; none has begun."""
        everywhere = not namespaces
        places = [_apart(kube, namespace) for namespace in namespaces or [kube.namespace]]
        ours = {"ScoringJob": self.job, "ScoringSchedule": self.schedule}
        return [
            *(Watch(at, kind, hear, everywhere=everywhere) for at in places for kind, hear in ours.items()),
            *(
                Watch(at, kind, self.child, selector=names.JOB, everywhere=everywhere)
                for at in places
                for kind in CHILDREN
            ),
        ]

    def job(self, event: str, job: Object) -> None:
        """A ScoringJob was listed or has changed."""
        meta, found = job["metadata"], Resource.of(job, "ScoringJob")
        key = Key("ScoringJob", found.namespace, found.name)
        # What is left of one that rests is found by the resync.
        if event == "DELETED" or (
            not is_settled(found, dt.datetime.now(dt.UTC)) and self.reconciler.is_news(key, found)
        ):
            self.add(key, 0)
        for owner in meta.get("ownerReferences", ()):
            if owner["kind"] == "ScoringSchedule":
                self.add(Key("ScoringSchedule", found.namespace, owner["name"]), 0)

    def schedule(self, event: str, schedule: Object) -> None:
        """A ScoringSchedule was listed or has changed."""
        found = Resource.of(schedule)
        self.add(Key("ScoringSchedule", found.namespace, found.name), 0)

    def child(self, event: str, child: Object) -> None:
        """Something that a ScoringJob owns was listed or has changed."""
        found = Resource.of(child)
        key = Key("ScoringJob", found.namespace, found.annotations.get(names.JOB_NAME, ""))
        # A listing shows what ended long ago for jobs that have ended.
        is_old = event == LISTED and has_ended(found)
        goes = event == "DELETED" or found.is_deleting
        if key.name and not is_old and not (goes and self.reconciler.is_over(key)):
            self.add(key, _CALM_SECONDS)


def _apart(kube: Kube, namespace: str) -> Kube:
    """The same API in a namespace, by connections of its own: watches hold theirs all the time."""
    return type(kube)(kube.configuration, namespace)
