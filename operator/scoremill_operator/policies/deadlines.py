"""When to give up: `deadlines` of the spec."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from scoremill import deploy
from scoremill.spec.status import Reason
from scoremill.units import format_seconds

from ..look import Look, Step, after, failed

GRACE_SECONDS = 60
"""By how much what a driver tells may be late."""
_LOOKED_SECONDS = 120
"""How long an operator has looked before it takes for idle what it may have missed itself."""


def give_up(look: Look) -> Step | None:
    """Failed by the first deadline that has passed."""
    for reason, end, message, mend, code in _deadlines(look):
        if look.now >= end:
            return failed(look, reason, message, mend, code=code)
    return None


def next_deadline(look: Look) -> float | None:
    """Seconds until the next deadline, if there is any."""
    return min(((end - look.now).total_seconds() for _, end, *_ in _deadlines(look)), default=None)


def _deadlines(look: Look) -> Iterator[tuple[Reason, dt.datetime, str, str | None, int]]:
    """Those that apply now: reason, moment, message, mend and exit code of each."""
    limits, status = look.spec.deadlines, look.status
    if status.phase not in {"Starting", "Running", "Retrying"} or status.start_time is None:
        return
    if limits.active_seconds is not None:
        yield (
            Reason.ACTIVE_DEADLINE, after(status.start_time, limits.active_seconds),
            f"the run did not end within {format_seconds(limits.active_seconds)}",
            "What is done is kept: a new job with a later deadlines.activeSeconds goes on from there.", 6,
        )  # fmt: skip
    if look.driver is not None and deploy.outcome_of(look.driver):
        return
    since = _working_since(look)
    if since is not None:
        yield (
            Reason.NO_PROGRESS, _seen(look, after(since, limits.no_progress_seconds + GRACE_SECONDS)),
            f"no partition was finished within {format_seconds(limits.no_progress_seconds)}",
            "See the driver's log and the workers; a smaller input.partitionBytes or model.batchRows, or a later "
            "deadlines.noProgressSeconds, if partitions take that long.", 6,
        )  # fmt: skip
    else:
        cause = look.waits_for
        began = max(status.start_time, status.retry_time or status.start_time)
        yield (
            Reason.PRE_RUNNING_DEADLINE, _seen(look, after(began, limits.pre_running_seconds)),
            f"nothing runs after {format_seconds(limits.pre_running_seconds)}"
            + (f": {cause.reason}: {cause.evidence}" if cause else ""),
            (cause.mend if cause else None) or "A later deadlines.preRunningSeconds, if it takes that long.", 6,
        )  # fmt: skip


def _working_since(look: Look) -> dt.datetime | None:
    """When this attempt last finished a partition, or else its driver began; None where it never ran.

    A driver that was moved to another node is waited for as one that works.
    """
    driver, progress = look.driver, look.status.progress
    has_told = progress is not None and progress.attempt == look.attempt
    if look.status.phase != "Running" or driver is None or not (driver.has_run or has_told):
        return None
    finished = progress.progress_time if progress and has_told else None
    return max((time for time in (driver.since, finished) if time), default=None)


def _seen(look: Look, end: dt.datetime) -> dt.datetime:
    """`end`, or later: nobody could start a driver, or hear one, while there was no operator or no API."""
    return max(end, after(look.seen.since, _LOOKED_SECONDS)) if look.seen.since else end
