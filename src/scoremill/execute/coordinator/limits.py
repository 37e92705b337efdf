"""Reasons to end a run: objects that cannot be read, deadlines, and failures that no row causes."""

from __future__ import annotations

from scoremill.bundle.load import explained
from scoremill.errors import ClusterError, DeadlineError, RejectLimitError, ScoremillError, StallError
from scoremill.ledger import Totals
from scoremill.spec import Deadlines, Errors
from scoremill.worker.predict import reason_of
from scoremill.worker.work import Task


def check_files(errors: Errors, done: Totals, objects: int) -> None:
    """Raise RejectLimitError if more input objects are rejected than `errors` allows, or all of them."""
    if not done.rejected_files or (done.rejected_files <= errors.max_files and done.rejected_files < objects):
        return
    raise RejectLimitError(
        f"{done.rejected_files:,} of {objects:,} input objects cannot be read; at most "
        f"{min(errors.max_files, objects - 1):,} can be rejected",
        "See the reasons in _errors/ of the output. Fix the objects, or exclude them from `spec.input.uris`. To accept more, "
        "run the same command with a higher `spec.errors.maxFiles`.",
        code="TooManyRejectedFiles",
    )


def check_deadlines(limits: Deadlines, since_progress: float, since_start: float) -> None:
    """Raise StallError if no partition finished for too long, DeadlineError if the run takes too long; in seconds."""
    if since_progress > limits.no_progress_seconds:
        raise StallError(
            f"no partition was finished for {limits.no_progress_seconds} s",
            "Check the workers (memory, network), or raise deadlines.noProgressSeconds. Run the same command to resume.",
        )
    if limits.active_seconds is not None and since_start > limits.active_seconds:
        raise DeadlineError(
            f"the run takes longer than deadlines.activeSeconds ({limits.active_seconds} s)",
            "Add workers, or raise deadlines.activeSeconds. Run the same command to resume.",
        )


def as_task_error(error: BaseException, task: Task) -> BaseException:
    """Return `error`; failures of the machine become a ClusterError that names the partition."""
    if isinstance(error, ImportError):
        return explained(error, task.work.model.uri)
    if isinstance(error, ScoremillError) or not isinstance(error, MemoryError | OSError):
        return error
    return ClusterError(
        f"{task.partition}: {reason_of(error)}",
        "No row is at fault. If memory ran out, give workers more memory (`spec.cluster.memory`), or a lower "
        "`spec.model.batchRows` with `spec.output.mode: Overwrite`. "
        "Otherwise check the files and servers that the model uses. Run the same command to resume.",
        code="TaskFailed",
    )
