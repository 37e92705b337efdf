"""A driver that failed: whether, and when, the next attempt begins."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from scoremill.kubernetes import diagnosis
from scoremill.spec.resources.status import FailedObject, Failure, Outputs, Reason

from ..look import SOON, Look, Step, failed, failure_of

FINAL = frozenset({
    Reason.USAGE, Reason.DOES_NOT_FIT, Reason.TOO_MANY_REJECTED_ROWS, Reason.VERIFICATION_FAILED,
    Reason.ACTIVE_DEADLINE, Reason.NO_PROGRESS, Reason.WORKER_OUT_OF_MEMORY,
})  # fmt: skip
"""What another attempt would end with too: the data's and the user's own, deadlines, and too small workers."""
_FIRST_SECONDS, _MOST_SECONDS, _JITTER = 10, 300, 0.2
_MOST_FAILED_OBJECTS = 20


def account(look: Look) -> Step | None:
    """The end of the present attempt: Retrying, or Failed where none is left or none would help."""
    outcome = _outcome(look)
    if outcome is None or outcome.reason is None:
        return None
    failures, limit = (look.status.failed_attempts or 0) + 1, look.spec.retry.backoff_limit
    kept: dict[str, Any] = {
        "failed_attempts": failures,
        "failed_objects": _failed_objects(outcome),
        # Those of all attempts lie together; one that was killed early told nothing of its own.
        "outputs": _logs(outcome) or look.status.outputs,
    }
    is_final = outcome.reason in FINAL or _is_stuck(look, outcome)
    if is_final or failures > limit:
        last = "" if is_final or not limit else f" (attempt {look.attempt}, and the last)"
        return failed(look, outcome.reason, outcome.message + last, outcome.hint, exit_code=outcome.exit_code, **kept)
    seconds = backoff_seconds(look.seen.job["metadata"]["uid"], look.attempt, failures)
    failure = failure_of(outcome.reason, outcome.message, outcome.hint, outcome.exit_code)
    changes = {**kept, "failure": failure, "retry_time": look.now + dt.timedelta(seconds=seconds)}
    return Step("Retrying", Reason.BACKOFF, f"{outcome.reason}: {outcome.message}", changes, again=0)


def _outcome(look: Look) -> diagnosis.Outcome | None:
    """How the driver of the present attempt ended, with what the kubelet says of its workers; None while it has not."""
    if look.status.phase not in {"Planning", "Starting", "Running"} or look.driver is None:
        return None
    outcome = diagnosis.outcome_of(look.driver)
    return outcome and diagnosis.explained_by_kubelet(outcome, look.seen.cluster.pods if look.seen.cluster else ())


def retry(look: Look) -> Step | None:
    """The next attempt, once its time has come, and what failed with the last one is gone."""
    if look.status.phase != "Retrying":
        return None
    failure, at = look.status.failure or Failure(), look.status.retry_time or look.now
    wait = max(0.0, (at - look.now).total_seconds())
    has_bad_cluster = failure.reason == Reason.CLUSTER_FAILED and look.seen.cluster is not None
    if wait or has_bad_cluster or look.alive:
        actions = (*look.without_drivers(), *(look.without_cluster() if has_bad_cluster else ()))
        message = f"{failure.reason}: {failure.message}"
        return Step("Retrying", Reason.BACKOFF, message, actions=actions, again=wait or SOON)
    changes = {"attempt": look.attempt + 1, "retry_time": look.now}
    return Step("Planning", Reason.DRIVER_STARTS, f"attempt {look.attempt + 1}", changes, again=0)


def backoff_seconds(uid: str, attempt: int, failures: int) -> float:
    """10 s, twice that after each further failure, 300 s at most; ± 20 % by job and attempt, the same each time."""
    seconds = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(failures - 1, 10))
    lot = int(sha256(f"{uid}/{attempt}".encode()).hexdigest()[:8], 16) / 2**32
    return float(round(seconds * (1 - _JITTER + 2 * _JITTER * lot)))


def _is_stuck(look: Look, outcome: diagnosis.Outcome) -> bool:
    """Whether a driver ran out of memory and had finished nothing: the next one, as large, would come no further."""
    counts = look.progress.partitions if look.progress else None
    has_finished = counts is not None and (counts.done or 0) > (counts.resumed or 0)
    return outcome.reason == Reason.DRIVER_OUT_OF_MEMORY and not has_finished


def _logs(outcome: diagnosis.Outcome) -> Outputs | None:
    try:
        logs = Outputs.model_validate(outcome.told.get("outputs") or {}).logs
    except ValidationError:
        return None
    return Outputs(logs=logs) if logs else None


def _failed_objects(outcome: diagnosis.Outcome) -> tuple[FailedObject, ...]:
    try:
        told = (FailedObject.model_validate(each) for each in outcome.told.get("failedObjects") or ())
        return tuple(each for each, _ in zip(told, range(_MOST_FAILED_OBJECTS), strict=False))
    except (ValidationError, TypeError):
        return ()
