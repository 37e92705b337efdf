"""Events of watches become keys in the queue. kopf watches and reconnects; it writes nothing anywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from scoremill.kubernetes.objects import names

from ..reconcile.observed import Key
from ..reconcile.reconciler import Reconciler
from ..reconcile.rest import has_ended, rests
from .hearing import Hearing

GROUP, VERSION = "scoremill.dev", "v1alpha1"
_CALM_SECONDS = 1.0
"""Time in which events of children, as a pod has several while it starts, bring one look together."""
CHILDREN = (("kubernetes.dask.org", "v1", "daskclusters"), ("batch", "v1", "jobs"), ("", "v1", "pods"))
"""Group, version and plural of what is watched where it bears our label."""


def registry(add: Callable[[Key, float], None], reconciler: Reconciler, hearing: Hearing) -> kopf.OperatorRegistry:
    """Handlers that give `add` the key of whatever an event is about, and a delay in seconds."""
    found = kopf.OperatorRegistry()

    @kopf.on.login(registry=found)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    async def job(
        *, namespace: str | None, name: str, meta: kopf.Meta, body: kopf.Body, type: str | None, **_: Any
    ) -> None:
        hearing.heard(meta["uid"], meta["resourceVersion"])
        key = Key("ScoringJob", namespace or "", name)
        # What is left of one that rests is found by the resync.
        if type == "DELETED" or (not rests(body, dt.datetime.now(dt.UTC)) and reconciler.is_news(key, body)):
            add(key, 0)
        for owner in meta.get("ownerReferences", ()):
            if owner["kind"] == "ScoringSchedule":
                add(Key("ScoringSchedule", namespace or "", owner["name"]), 0)

    async def schedule(*, namespace: str | None, name: str, meta: kopf.Meta, **_: Any) -> None:
        hearing.heard(meta["uid"], meta["resourceVersion"])
        add(Key("ScoringSchedule", namespace or "", name), 0)

    async def child(
        *, namespace: str | None, annotations: Mapping[str, str], body: kopf.Body, type: str | None, **_: Any
    ) -> None:
        key = Key("ScoringJob", namespace or "", annotations.get(names.JOB_NAME, ""))
        # A listing, at the start or after a watch was lost, shows what ended long ago for jobs that have.
        is_old = type is None and has_ended(body)
        goes = type == "DELETED" or "deletionTimestamp" in body["metadata"]
        if key.name and not is_old and not (goes and reconciler.is_over(key)):
            add(key, _CALM_SECONDS)

    kopf.on.event(GROUP, VERSION, "scoringjobs", registry=found)(job)
    kopf.on.event(GROUP, VERSION, "scoringschedules", registry=found)(schedule)
    for kind in CHILDREN:
        kopf.on.event(*kind, registry=found)(child)
    return found


def settings() -> kopf.OperatorSettings:
    """Settings of kopf as a watcher only: it posts no events, keeps no state, waits for nobody, and no watch goes deaf."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    # kopf takes its own finalizer away where no handler needs it, and that of dask-kubernetes, which is made of kopf, for it.
    made.persistence.finalizer = f"{GROUP}/none"
    made.peering.standalone = True
    # Kinds are there before it starts, and namespaces are given: it needs no right beyond them.
    made.scanning.disabled = True
    made.watching.server_timeout, made.watching.client_timeout, made.watching.connect_timeout = 300, 330, 10
    made.watching.chunk_size = 250
    made.networking.request_timeout, made.networking.connect_timeout = 30, 10
    made.queueing.idle_timeout = 1
    for kind in CHILDREN:
        made.watching.label_selectors[kind] = names.JOB
    return made
