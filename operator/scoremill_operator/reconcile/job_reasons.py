"""Why a ScoringJob is in its state: each reason that a policy gives, with its message, hint and exit code.

Reasons of a driver that failed come from how it ended (`diagnosis.outcome_of`).
"""

from __future__ import annotations

from typing import NamedTuple

from scoremill.errors import UsageError
from scoremill.kubernetes.diagnosis import Cause, Outcome
from scoremill.spec.resources.status import Failure, Reason, RowCounts
from scoremill.units import format_seconds

_TIMED_OUT = 6
"""Exit code of a job that exceeded a deadline."""


class Explanation(NamedTuple):
    """The reason and message of a transition; failures also have a hint and an exit code."""

    reason: Reason
    message: str
    hint: str | None = None
    exit_code: int | None = None
    code: str | None = None
    """Code of the error, if it is known."""


DRIVER_STOPS = Explanation(Reason.SUSPENDING, "the driver is being deleted")
CLUSTER_STOPS = Explanation(Reason.SUSPENDING, "the cluster is being deleted")
SUSPENDED = Explanation(Reason.SUSPEND_ASKED, "spec.suspend is true; the job has no driver and no cluster")
DRIVER_RUNS = Explanation(Reason.DRIVER_RUNS, "the driver is scoring")
SPEC_CHANGED = Explanation(
    Reason.SPEC_CHANGED,
    "the spec was changed after the job started",
    "Create a new job with the new spec; it resumes from the completed partitions if the results would be the same.",
    UsageError.exit_code,
)
SLOW_PLAN = (
    "the plan was not completed",
    "Check the driver's log. If listing and sampling the input takes this long, score fewer objects in one job, or "
    "increase deadlines.noProgressSeconds.",
)
SLOW_PARTITION = (
    "no partition was completed",
    "Check the logs of the driver and the workers. If partitions take this long, decrease input.partitionBytes, or "
    "increase deadlines.noProgressSeconds.",
)


def invalid_spec(error: UsageError) -> Explanation:
    """Explain that the spec, or a template in it, is invalid."""
    return Explanation(Reason.INVALID_SPEC, error.message, error.hint, error.exit_code, error.code)


def completed(rows: RowCounts | None, rejected_files: int | None) -> Explanation:
    """Explain that the driver exited with 0, with the number of rows."""
    if rows is None or rows.total is None:
        return Explanation(Reason.ALL_ROWS_DONE, "every row was scored or rejected")
    files = f"; {rejected_files:,} input objects rejected" if rejected_files else ""
    message = f"{rows.scored or 0:,} of {rows.total:,} rows scored, {rows.rejected or 0:,} rejected{files}"
    return Explanation(Reason.ALL_ROWS_DONE, message)


def attempt_failed(reason: Reason, outcome: Outcome, last_attempt: int | None) -> Explanation:
    """Explain how the driver failed; `last_attempt` is its number if the backoff limit is reached."""
    last = f" (attempt {last_attempt}, the last one)" if last_attempt else ""
    return Explanation(reason, outcome.message + last, outcome.hint, outcome.exit_code, outcome.error_code)


def backoff(failure: Failure) -> Explanation:
    """Explain that the next attempt waits, after `failure`."""
    return Explanation(Reason.BACKOFF, f"{failure.reason}: {failure.message}")


def next_attempt(number: int) -> Explanation:
    """Explain that another attempt starts."""
    return Explanation(Reason.DRIVER_STARTS, f"attempt {number}")


def planning(cause: Cause | None, *, is_running: bool) -> Explanation:
    """Explain that the driver starts, or plans, and what it waits for."""
    return Explanation(
        Reason.DRIVER_PLANS if is_running else Reason.DRIVER_STARTS, _waiting(cause) or "the driver is planning"
    )


def cluster_starts(cause: Cause | None) -> Explanation:
    """Explain what the cluster waits for."""
    return Explanation(Reason.CLUSTER_STARTS, _waiting(cause) or "the cluster is starting")


def driver_restarts(cause: Cause | None) -> Explanation:
    """Explain that Kubernetes moves the driver of a running job to another node."""
    return Explanation(Reason.DRIVER_STARTS, _waiting(cause) or "the driver's pod is starting")


def active_deadline(seconds: int) -> Explanation:
    """Explain that the whole run took too long."""
    return Explanation(
        Reason.ACTIVE_DEADLINE,
        f"the run did not finish within {format_seconds(seconds)}",
        "Create a new job with a larger deadlines.activeSeconds; it resumes from the completed partitions.",
        _TIMED_OUT,
    )


def pre_running_deadline(seconds: int, cause: Cause | None) -> Explanation:
    """Explain that driver or cluster did not start, and what they waited for."""
    waiting = f": {_waiting(cause)}" if cause else ""
    hint = (cause.hint if cause else None) or "Increase deadlines.preRunningSeconds if starting takes this long."
    message = f"the job was not running within {format_seconds(seconds)}{waiting}"
    return Explanation(Reason.PRE_RUNNING_DEADLINE, message, hint, _TIMED_OUT)


def no_progress(what: tuple[str, str], seconds: int) -> Explanation:
    """Explain that the plan (SLOW_PLAN) or a partition (SLOW_PARTITION) took too long."""
    message, hint = what
    return Explanation(Reason.NO_PROGRESS, f"{message} within {format_seconds(seconds)}", hint, _TIMED_OUT)


def _waiting(cause: Cause | None) -> str:
    return f"{cause.reason}: {cause.evidence}" if cause else ""
