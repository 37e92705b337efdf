"""A driver that failed: whether, and when, the next attempt begins."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from itertools import islice
from typing import Any

from pydantic import ValidationError

from scoremill.kubernetes import diagnosis
from scoremill.spec.resources.status import FailedObject, Failure, Outputs, Reason

from ..job_reasons import Explanation, attempt_failed, backoff, next_attempt
from ..job_state import POLL_SECONDS, JobState, Transition, failed, failure_of

FINAL = frozenset(
    {
        Reason.USAGE,
        Reason.DOES_NOT_FIT,
        Reason.TOO_MANY_REJECTED_ROWS,
        Reason.VERIFICATION_FAILED,
        Reason.ACTIVE_DEADLINE,
        Reason.NO_PROGRESS,
        Reason.WORKER_OUT_OF_MEMORY,
    }
)
"""Reasons for which another attempt would fail too: the data's and the user's own, deadlines, and too small workers."""
_FIRST_SECONDS, _MOST_SECONDS, _JITTER = 10, 300, 0.2
_MOST_FAILED_OBJECTS = 20


def account(state: JobState) -> Transition | None:
    """End the present attempt: Retrying, or Failed if none is left or none would help."""
    outcome = _outcome(state)
    if outcome is None or outcome.reason is None:
        return None
    failures, limit = (state.status.failed_attempts or 0) + 1, state.spec.retry.backoff_limit
    kept: dict[str, Any] = {
        "failed_attempts": failures,
        "failed_objects": _failed_objects(outcome),
        # Those of all attempts are in one folder; a driver that was killed early left nothing of its own.
        "outputs": _logs(outcome) or state.status.outputs,
    }
    is_final = outcome.reason in FINAL or _is_stuck(state, outcome)
    if is_final or failures > limit:
        last = None if is_final or not limit else state.attempt
        return failed(state, attempt_failed(outcome.reason, outcome, last), **kept)
    return _back_off(state, attempt_failed(outcome.reason, outcome, None), failures, kept)


def _back_off(state: JobState, why: Explanation, failures: int, kept: dict[str, Any]) -> Transition:
    seconds = backoff_seconds(state.job.uid, state.attempt, failures)
    failure = failure_of(why)
    changes = {**kept, "failure": failure, "retry_time": state.now + dt.timedelta(seconds=seconds)}
    return Transition("Retrying", backoff(failure), changes, requeue_after=0)


def _outcome(state: JobState) -> diagnosis.Outcome | None:
    """Return how the driver of the present attempt ended, with what the kubelet reports of its workers."""
    if state.status.phase not in {"Planning", "Starting", "Running"} or state.driver is None:
        return None
    outcome = diagnosis.outcome_of(state.driver)
    return outcome and diagnosis.explained_by_kubelet(outcome, state.observed.cluster_pods)


def retry(state: JobState) -> Transition | None:
    """Begin the next attempt, once its time has come and what failed with the last one is deleted."""
    if state.status.phase != "Retrying":
        return None
    failure, at = state.status.failure or Failure(), state.status.retry_time or state.now
    wait = max(0.0, (at - state.now).total_seconds())
    has_bad_cluster = failure.reason == Reason.CLUSTER_FAILED and state.observed.cluster is not None
    if wait or has_bad_cluster or state.live_drivers:
        actions = (*state.delete_drivers(), *(state.delete_cluster() if has_bad_cluster else ()))
        return Transition("Retrying", backoff(failure), actions=actions, requeue_after=wait or POLL_SECONDS)
    changes = {"attempt": state.attempt + 1, "retry_time": state.now}
    return Transition("Planning", next_attempt(state.attempt + 1), changes, requeue_after=0)


def backoff_seconds(uid: str, attempt: int, failures: int) -> float:
    """Return 10 s, doubled after each further failure, 300 s at most; ± 20 % by job and attempt, the same each time."""
    seconds = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(failures - 1, 10))
    share = int(sha256(f"{uid}/{attempt}".encode()).hexdigest()[:8], 16) / 2**32
    return float(round(seconds * (1 - _JITTER + 2 * _JITTER * share)))


def _is_stuck(state: JobState, outcome: diagnosis.Outcome) -> bool:
    """Return whether a driver ran out of memory before it finished anything: the next would come no further."""
    counts = state.progress.partitions if state.progress else None
    has_finished = counts is not None and (counts.done or 0) > (counts.resumed or 0)
    return outcome.reason == Reason.DRIVER_OUT_OF_MEMORY and not has_finished


def _logs(outcome: diagnosis.Outcome) -> Outputs | None:
    try:
        logs = Outputs.model_validate(outcome.termination.get("outputs") or {}).logs
    except ValidationError:
        return None
    return Outputs(logs=logs) if logs else None


def _failed_objects(outcome: diagnosis.Outcome) -> tuple[FailedObject, ...]:
    try:
        found = (FailedObject.model_validate(each) for each in outcome.termination.get("failedObjects") or ())
        return tuple(islice(found, _MOST_FAILED_OBJECTS))
    except (ValidationError, TypeError):
        return ()
