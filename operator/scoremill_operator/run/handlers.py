"""Handle watch events by adding keys to the queue."""

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
    from scoremill.kubernetes.api import Kube

_CALM_SECONDS = 1.0
"""Delay that combines several events of children, such as those of a starting pod, into one reconcile."""
CHILDREN = ("DaskCluster", "Job", "Pod")
"""Kinds of children that are watched by their label."""


@dataclass(frozen=True)
class Handlers:
    """Call `add` with the key of the object to reconcile and a delay in seconds."""

    add: Callable[[Key, float], None]
    reconciler: Reconciler

    def watches(self, kube: Kube, namespaces: Sequence[str]) -> list[Watch]:
        """Return watches, not started yet, of the namespaces, or of all if none is given, that call these handlers."""
        everywhere = not namespaces
        # Watches hold their connections all the time.
        places = [kube.within(namespace).apart() for namespace in namespaces or [kube.namespace]]
        ours = {"ScoringJob": self.job, "ScoringSchedule": self.schedule}
        return [
            *(Watch(at, kind, handle, everywhere=everywhere) for at in places for kind, handle in ours.items()),
            *(
                Watch(at, kind, self.child, selector=names.JOB, everywhere=everywhere)
                for at in places
                for kind in CHILDREN
            ),
        ]

    def job(self, event: str, job: Resource) -> None:
        """Handle a ScoringJob that was listed or has changed."""
        key = Key("ScoringJob", job.namespace, job.name)
        # The resync finds what is left over from a settled job.
        if event == "DELETED" or (not is_settled(job, dt.datetime.now(dt.UTC)) and self.reconciler.is_news(key, job)):
            self.add(key, 0)
        for owner in job.owners:
            if owner.kind == "ScoringSchedule":
                self.add(Key("ScoringSchedule", job.namespace, owner.name), 0)

    def schedule(self, event: str, schedule: Resource) -> None:
        """Handle a ScoringSchedule that was listed or has changed."""
        self.add(Key("ScoringSchedule", schedule.namespace, schedule.name), 0)

    def child(self, event: str, child: Resource) -> None:
        """Handle a child of a ScoringJob that was listed or has changed."""
        key = Key("ScoringJob", child.namespace, child.annotations.get(names.JOB_NAME, ""))
        # A listing also contains finished children of finished jobs.
        is_old = event == LISTED and has_ended(child)
        goes = event == "DELETED" or child.is_deleting
        if key.name and not is_old and not (goes and self.reconciler.is_over(key)):
            self.add(key, _CALM_SECONDS)
