"""When to give up: `deadlines` of the spec."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from scoremill.kubernetes import diagnosis

from ..job_reasons import SLOW_PARTITION, SLOW_PLAN, Explanation, active_deadline, no_progress, pre_running_deadline
from ..job_state import JobState, Transition, after, failed

GRACE_SECONDS = 60
"""Tolerated delay of the reports of a driver."""
_WATCHED_SECONDS = 120
"""Seconds that an operator must have run before it considers a job idle whose reports it might have missed."""


class Deadline(NamedTuple):
    """When the job fails, and why."""

    end: dt.datetime
    why: Explanation


def give_up(state: JobState) -> Transition | None:
    """Fail by the first deadline that has passed."""
    passed = (deadline.why for deadline in _deadlines(state) if state.now >= deadline.end)
    why = next(passed, None)
    return failed(state, why) if why else None


def next_deadline(state: JobState) -> float | None:
    """Return the seconds until the next deadline, if there is any."""
    return min(((deadline.end - state.now).total_seconds() for deadline in _deadlines(state)), default=None)


def _deadlines(state: JobState) -> Iterator[Deadline]:
    """Yield those that apply now."""
    active, status = state.spec.deadlines.active_seconds, state.status
    if status.phase not in {"Planning", "Starting", "Running", "Retrying"} or status.start_time is None:
        return
    if active is not None:
        yield Deadline(after(status.start_time, active), active_deadline(active))
    if state.driver is None or not diagnosis.outcome_of(state.driver):
        yield _of_progress(state)


def _of_progress(state: JobState) -> Deadline:
    """Return the deadline of what the attempt does at present: wait for its driver or its cluster, plan, or score."""
    status, driver = state.status, state.driver
    if status.phase == "Planning" and driver is not None and driver.is_running:
        return _no_progress(state, driver.since or state.now, SLOW_PLAN)
    if status.phase == "Running" and driver is not None and (driver.has_run or state.progress):
        return _partition(state, driver)
    return _start(state)


def _start(state: JobState) -> Deadline:
    """The driver has not started, or the cluster that it has asked for is not ready."""
    seconds, status = state.spec.deadlines.pre_running_seconds, state.status
    # A pod that Kubernetes moved to another node has its time again.
    began = [status.start_time, status.retry_time, state.driver.since if state.driver else None]
    if status.needs_cluster and status.progress:
        began.append(status.progress.progress_time)
    end = after(max((each for each in began if each), default=state.now), seconds)
    return Deadline(_not_unwatched(state, end), pre_running_deadline(seconds, state.waits_for))


def _partition(state: JobState, driver: diagnosis.Driver) -> Deadline:
    """A driver that was moved to another node is waited for as one that works."""
    running = state.status.condition("Running")
    finished = state.progress.progress_time if state.progress else None
    # The time in which the cluster started does not count.
    ready = running.last_transition_time if running and running.status == "True" else None
    since = max((time for time in (driver.since, finished, ready) if time), default=state.now)
    return _no_progress(state, since, SLOW_PARTITION)


def _no_progress(state: JobState, since: dt.datetime, what: tuple[str, str]) -> Deadline:
    seconds = state.spec.deadlines.no_progress_seconds
    return Deadline(_not_unwatched(state, after(since, seconds + GRACE_SECONDS)), no_progress(what, seconds))


def _not_unwatched(state: JobState, end: dt.datetime) -> dt.datetime:
    """Return `end`, or later: without an operator or an API, no driver could start or report."""
    since = state.observed.since
    return max(end, after(since, _WATCHED_SECONDS)) if since else end
