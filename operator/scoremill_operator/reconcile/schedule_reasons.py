"""Why a ScoringSchedule is in its state: each condition and event of a schedule, with its reason and message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scoremill.spec.resources.status import Condition, Failure, Reason, format_time

from .job_state import MOST_MESSAGE
from .observed import Event
from .schedule_run import Run

_EVENTS: dict[str, str] = {
    Reason.INVALID_SPEC: "Warning",
    Reason.MISSED_DEADLINE: "Warning",
    Reason.JOB_ALREADY_ACTIVE: "Normal",
    Reason.JOB_REFUSED: "Warning",
}
"""Types of the events about conditions, by reason."""

VALID = Condition(type="Invalid", status="False", reason=Reason.VALID)
IDLE = Condition(type="Scheduled", status="True", reason=Reason.IDLE)


def invalid(error: ValueError) -> list[Condition]:
    """Return the conditions of a spec that is not accepted."""
    found = Condition(type="Invalid", status="True", reason=Reason.INVALID_SPEC, message=str(error)[:MOST_MESSAGE])
    return [found, found.model_copy(update={"type": "Stalled"})]


def suspended() -> Condition:
    """Explain that no run starts until the schedule is resumed."""
    return _prevented(Reason.SUSPENDED, "spec.suspend is true; no further runs start")


def missed_deadline(at: datetime, seconds: int) -> Condition:
    """Explain that the run of `at` is skipped."""
    return _prevented(Reason.MISSED_DEADLINE, f"the run of {format_time(at)} could not start within {seconds} s")


def already_active(at: datetime, active: Sequence[Run]) -> Condition:
    """Explain which runs the run of `at` waits for."""
    return _prevented(
        Reason.JOB_ALREADY_ACTIVE, f"the run of {format_time(at)} waits until {', '.join(map(str, active))} finishes"
    )


def job_refused(refused: str) -> Condition:
    """Explain why the API server did not accept the job of a run."""
    return _prevented(Reason.JOB_REFUSED, f"Kubernetes rejected {refused}")


def event_of(condition: Condition) -> Event | None:
    """Return the event about a condition that is new; None if it needs none."""
    if condition.type == "Stalled" or condition.reason not in _EVENTS:
        return None
    return Event(_EVENTS[condition.reason], condition.reason, condition.message)


def too_many_missed(most: int) -> Event:
    """Report that more than `most` times have passed, of which one is run."""
    message = f"more than {most} scheduled times were missed; only the last one is run"
    return Event("Warning", "TooManyMissedTimes", message)


def job_created(run: Run) -> Event:
    """Report the job of a run."""
    return Event("Normal", "Created", f"created job {run.name} for {format_time(run.at)}")


def job_failed(run: Run) -> Event:
    """Report why the job of a run failed."""
    why = run.status.failure or Failure()
    return Event("Warning", "JobFailed", f"job {run.name} failed: {why.reason}: {why.message}")


def _prevented(reason: Reason, message: str) -> Condition:
    """Return the condition Scheduled, which is true while no run is prevented."""
    return Condition(type="Scheduled", status="False", reason=reason, message=message[:MOST_MESSAGE])
