"""What is to be done about a ScoringJob: pure, from what is seen in one look alone."""

from __future__ import annotations

from scoremill.errors import UsageError
from scoremill.spec.resources.status import JobStatus, Reason

from .look import Look, Step, failed
from .observed import Decision, Event, Observed
from .policies.children import make, start
from .policies.cleanup import clean_up
from .policies.deadlines import give_up, next_deadline
from .policies.retry import account, retry
from .policies.success import complete
from .policies.suspend import suspend
from .policies.validation import asked, refuse_change, understood
from .rest import is_mended, is_ours
from .state import next_status

POLICIES = (complete, refuse_change, suspend, give_up, account, retry, start, make)
"""In their order: the first that demands a Step has it, and `make` always does."""


def decide(seen: Observed) -> Decision:
    """The status to write, then actions, events and when to look again.

    An end is written before anything is torn down: only a look that reads it in the stored status cleans up.
    """
    if not is_ours(seen.job):
        return Decision()
    status = JobStatus.model_validate(seen.job.get("status") or {})
    if is_mended(seen.job):
        status = JobStatus(conditions=status.conditions)
    try:
        look = Look(seen, understood(seen.job, seen.settings), status)
    except UsageError as error:
        return _misunderstood(Look(seen, asked(seen.job), status), error)
    if status.is_finished:
        return clean_up(look, look.spec.cleanup)
    step = next(step for policy in POLICIES if (step := policy(look)))
    return decision_of(look, step)


def decision_of(look: Look, step: Step) -> Decision:
    """The Step as a Decision: a status only where it changes, an event only of another phase."""
    new = next_status(look, step)
    stored, fields = ({**each.fields(), "progress": None} for each in (look.status, new))
    is_news = step.phase != look.status.phase
    # Written unchanged too, before anything is done: so nothing is done upon a look that is out of date.
    is_written = fields != stored or step.actions
    return Decision(
        status={key: value for key, value in fields.items() if key != "progress"} if is_written else None,
        actions=step.actions,
        events=(_event(step),) if is_news else (),
        again=_again(look, step),
    )


def _misunderstood(look: Look, error: UsageError) -> Decision:
    if look.status.is_finished:
        return clean_up(look, look.spec.cleanup)
    step = complete(look)
    refused = failed(
        look, Reason.INVALID_SPEC, error.message, error.hint, exit_code=error.exit_code, holds=("Invalid",)
    )
    return decision_of(look, step or refused)


def _event(step: Step) -> Event:
    is_bad = step.phase in {"Failed", "Retrying"}
    return Event("Warning" if is_bad else "Normal", step.reason if is_bad else step.phase, step.message)


def _again(look: Look, step: Step) -> float | None:
    if step.phase in {"Complete", "Failed", "Suspended"} or step.again == 0:
        return step.again
    times = [each for each in (step.again, next_deadline(look)) if each is not None]
    return max(0.0, min(times)) if times else None
