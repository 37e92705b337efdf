"""Functions of schedules, called with objects as the API gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scoremill.kubernetes.objects import Resource, scheduled, unscored
from scoremill_operator.reconcile import schedule as operator
from scoremill_operator.reconcile.observed import Decision, Object


def decide_schedule(schedule: Object, jobs: Iterable[Object], *rest: Any, **more: Any) -> Decision:
    return operator.decide_schedule(Resource.of(schedule), map(Resource.of, jobs), *rest, **more)


def scheduled_job(schedule: Object, *rest: Any) -> Object:
    return scheduled.scheduled_job(Resource.of(schedule), *rest)


def seen(schedule: Object, status: Any, jobs: Iterable[Object]) -> Any:
    return scheduled.seen(Resource.of(schedule), status, [Resource.of(job) for job in jobs])


def announced(schedule: Object, *rest: Any) -> Any:
    return scheduled.announced(Resource.of(schedule), *rest)


def outputs_after(stored: Any, jobs: Iterable[Object]) -> Any:
    return unscored.outputs_after(stored, map(Resource.of, jobs))
