"""When to give up: `deadlines` of the spec."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from scoremill.kubernetes import diagnosis
from scoremill.spec.resources.status import Reason
from scoremill.units import format_seconds

from ..look import Look, Step, after, failed

Deadline = tuple[Reason, dt.datetime, str, str | None, int]
"""Reason, moment, message, hint and exit code."""
GRACE_SECONDS = 60
"""By how much what a driver tells may be late."""
_LOOKED_SECONDS = 120
"""How long an operator has looked before it takes for idle what it may have missed itself."""


def give_up(look: Look) -> Step | None:
    """Failed by the first deadline that has passed."""
    for reason, end, message, hint, code in _deadlines(look):
        if look.now >= end:
            return failed(look, reason, message, hint, exit_code=code)
    return None


def next_deadline(look: Look) -> float | None:
    """Seconds until the next deadline, if there is any."""
    return min(((end - look.now).total_seconds() for _, end, *_ in _deadlines(look)), default=None)


def _deadlines(look: Look) -> Iterator[Deadline]:
    """Return those that apply now."""
    limits, status = look.spec.deadlines, look.status
    if status.phase not in {"Planning", "Starting", "Running", "Retrying"} or status.start_time is None:
        return
    if limits.active_seconds is not None:
        yield (
            Reason.ACTIVE_DEADLINE, after(status.start_time, limits.active_seconds),
            f"the run did not end within {format_seconds(limits.active_seconds)}",
            "What is done is kept: a new job with a later deadlines.activeSeconds goes on from there.", 6,
        )  # fmt: skip
    if look.driver is None or not diagnosis.outcome_of(look.driver):
        yield _of_progress(look)


def _of_progress(look: Look) -> Deadline:
    """The deadline of what the attempt does at present: wait for its driver or its cluster, plan, or score."""
    status, driver = look.status, look.driver
    if status.phase == "Planning" and driver is not None and driver.is_running:
        return _plan(look, driver)
    if status.phase == "Running" and driver is not None and (driver.has_run or look.progress):
        return _partition(look, driver)
    return _start(look)


def _start(look: Look) -> Deadline:
    """The driver has not started, or the cluster that it has asked for is not there."""
    seconds, cause, status = look.spec.deadlines.pre_running_seconds, look.waits_for, look.status
    # A pod that Kubernetes moved to another node has its time again.
    began = [status.start_time, status.retry_time, look.driver.since if look.driver else None]
    if status.needs_cluster and status.progress:
        began.append(status.progress.progress_time)
    return (
        Reason.PRE_RUNNING_DEADLINE, _seen(look, after(max((each for each in began if each), default=look.now), seconds)),
        f"nothing runs after {format_seconds(seconds)}" + (f": {cause.reason}: {cause.evidence}" if cause else ""),
        (cause.hint if cause else None) or "A later deadlines.preRunningSeconds, if it takes that long.", 6,
    )  # fmt: skip


def _plan(look: Look, driver: diagnosis.Driver) -> Deadline:
    return _no_progress(
        look,
        driver.since or look.now,
        "the plan was not made",
        "See the driver's log; fewer objects in one job, or a later deadlines.noProgressSeconds, if listing and sampling "
        "them takes that long.",
    )


def _partition(look: Look, driver: diagnosis.Driver) -> Deadline:
    """A driver that was moved to another node is waited for as one that works."""
    running = look.status.condition("Running")
    finished = look.progress.progress_time if look.progress else None
    # The time in which the cluster started counts for nothing.
    ready = running.last_transition_time if running and running.status == "True" else None
    since = max((time for time in (driver.since, finished, ready) if time), default=look.now)
    return _no_progress(
        look,
        since,
        "no partition was finished",
        "See the driver's log and the workers; a smaller input.partitionBytes or model.batchRows, or a later "
        "deadlines.noProgressSeconds, if partitions take that long.",
    )


def _no_progress(look: Look, since: dt.datetime, what: str, hint: str) -> Deadline:
    seconds = look.spec.deadlines.no_progress_seconds
    end = _seen(look, after(since, seconds + GRACE_SECONDS))
    return Reason.NO_PROGRESS, end, f"{what} within {format_seconds(seconds)}", hint, 6


def _seen(look: Look, end: dt.datetime) -> dt.datetime:
    """`end`, or later: nobody could start a driver, or hear one, while there was no operator or no API."""
    return max(end, after(look.seen.since, _LOOKED_SECONDS)) if look.seen.since else end
