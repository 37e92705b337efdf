"""A decision carried out: the only module of the operator that changes anything on Kubernetes."""

from __future__ import annotations

import datetime as dt
import time

from scoremill.errors import ScoremillError, UsageError
from scoremill.kubernetes.api import Conflict, Kube, NoPlace, NotPermitted
from scoremill.kubernetes.objects import Resource, names
from scoremill.spec.resources.status import format_time

from ..log import logger
from .observed import Action, Create, Decision, Delete, Event, Object, Patch


class CreateRefusedError(ScoremillError):
    """The API server refused to create an object."""


def apply(kube: Kube, observed: Resource, decision: Decision, now: dt.datetime) -> Resource | None:
    """Write the status, create its events, run the actions, and return the object as it is stored.

    Return None, without having done anything, if it has changed since it was observed, or no longer exists. Stop at the
    first failure.
    """
    stored = observed if decision.status is None else _write_status(kube, observed, decision.status)
    if stored is None:
        return None
    for event in decision.events:
        _create_event(kube, stored, event, now)
    for action in decision.actions:
        _run(kube, action)
    return stored


def _run(kube: Kube, action: Action) -> None:
    match action:
        case Create():
            _create(kube, action.manifest)
        case Patch():
            kube.patch(action.kind, action.name, action.change)
        case Delete():
            kube.delete(action.kind, action.name, uid=action.uid)


def _write_status(kube: Kube, of: Resource, status: Object) -> Resource | None:
    try:
        return kube.apply_status(of.kind, of.name, status, manager=names.OPERATOR, uid=of.uid, version=of.version)
    except Conflict:
        return None


def _create(kube: Kube, manifest: Object) -> None:
    try:
        kube.create(manifest)
    except (UsageError, NotPermitted, NoPlace) as error:
        made = Resource.of(manifest)
        raise CreateRefusedError(f"{made.kind} {made.name}: {error.message}", error.hint, error.code) from error


def _create_event(kube: Kube, about: Resource, event: Event, now: dt.datetime) -> None:
    """Create the Event; a failure to do so is only logged."""
    logger.info("%s: %s", event.reason, event.message)
    try:
        kube.create(_event(about, event, format_time(now)))
    except ScoremillError as error:
        logger.warning("could not create event %s: %s", event.reason, error)


def _event(about: Resource, event: Event, now: str) -> Object:
    involved = {
        "apiVersion": about.api_version,
        "kind": about.kind,
        "name": about.name,
        "namespace": about.namespace,
        "uid": about.uid,
        "resourceVersion": about.version,
    }
    name = f"{about.name[:200].rstrip('-.')}.{time.time_ns():x}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.namespace},
        "involvedObject": involved,
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": names.OPERATOR},
        "reportingComponent": names.OPERATOR,
    }
