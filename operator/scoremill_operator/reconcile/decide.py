"""What to do about a ScoringJob: pure, from one observation alone."""

from __future__ import annotations

from scoremill.errors import UsageError
from scoremill.spec.resources.status import JobStatus

from .job_reasons import invalid_spec
from .job_state import JobState, Transition, failed
from .observed import Decision, Event, Observed
from .policies.children import make, start
from .policies.cleanup import clean_up
from .policies.deadlines import give_up, next_deadline
from .policies.retry import account, retry
from .policies.success import complete
from .policies.suspend import suspend
from .policies.validation import refuse_change, spec_for_cleanup, understood
from .settled import is_corrected, is_ours
from .status import next_status

POLICIES = (complete, refuse_change, suspend, give_up, account, retry, start, make)
"""In order: the first that returns a transition decides, and `make` always does."""


def decide(observed: Observed) -> Decision:
    """Return the status to write, then actions, events and when to reconcile again.

    An end is written before anything is deleted: only a reconcile that reads it in the stored status cleans up.
    """
    if not is_ours(observed.job):
        return Decision()
    status = JobStatus.model_validate(observed.job.status)
    if is_corrected(observed.job):
        status = JobStatus(conditions=status.conditions)
    try:
        spec, desired = understood(observed, status)
    except UsageError as error:
        return _invalid(JobState(observed, spec_for_cleanup(observed.job), status), error)
    state = JobState(observed, spec, status, desired)
    if status.is_finished:
        return clean_up(state)
    return _decision_of(state, next(found for policy in POLICIES if (found := policy(state))))


def _invalid(state: JobState, error: UsageError) -> Decision:
    if state.status.is_finished:
        return clean_up(state)
    refused = failed(state, invalid_spec(error), conditions=("Invalid",))
    return _decision_of(state, complete(state) or refused)


def _decision_of(state: JobState, transition: Transition) -> Decision:
    """Return the transition as a Decision: a status only if it changes, an event only if the phase does."""
    stored, new = state.status.fields(), next_status(state, transition).fields()
    stored.pop("progress", None)
    new.pop("progress", None)
    # Written even if unchanged, so that the resource version keeps actions from following an outdated observation.
    is_written = new != stored or transition.actions
    return Decision(
        status=new if is_written else None,
        actions=transition.actions,
        events=(_event(transition),) if transition.phase != state.status.phase else (),
        requeue_after=_requeue_after(state, transition),
    )


def _event(transition: Transition) -> Event:
    is_failure = transition.phase in {"Failed", "Retrying"}
    reason = transition.why.reason if is_failure else transition.phase
    return Event("Warning" if is_failure else "Normal", reason, transition.why.message)


def _requeue_after(state: JobState, transition: Transition) -> float | None:
    if transition.phase in {"Complete", "Failed", "Suspended"} or transition.requeue_after == 0:
        return transition.requeue_after
    times = [each for each in (transition.requeue_after, next_deadline(state)) if each is not None]
    return max(0.0, min(times)) if times else None
