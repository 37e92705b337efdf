"""When a run has to end: objects that cannot be read, deadlines, and faults that no row is to blame for."""

from __future__ import annotations

from scoremill.bundle.load import explained
from scoremill.errors import ClusterError, DeadlineError, RejectLimitError, ScoremillError, StallError
from scoremill.ledger import Totals
from scoremill.spec import Deadlines, Errors

from ..worker.predict import reason_of
from ..worker.work import Task


def check_files(errors: Errors, done: Totals, objects: int) -> None:
    """Raise RejectLimitError if more input objects are rejected than `errors` allows, or all of them."""
    if not done.rejected_files or (done.rejected_files <= errors.max_files and done.rejected_files < objects):
        return
    raise RejectLimitError(
        f"{done.rejected_files:,} of {objects:,} input objects cannot be read; at most "
        f"{min(errors.max_files, objects - 1):,} may be",
        "See the reasons in _errors/ of the output. Repair the objects, or leave them out of --input. To accept more, "
        "run the same command with a higher --max-file-errors.",
        code="TooManyRejectedFiles",
    )


def check_deadlines(limits: Deadlines, since_progress: float, since_start: float) -> None:
    """StallError or DeadlineError once no partition was finished, or the run took, for longer than allowed, in seconds."""
    if since_progress > limits.no_progress_seconds:
        raise StallError(
            f"no partition was finished for {limits.no_progress_seconds} s",
            "Look at the workers (memory, network), or raise deadlines.noProgressSeconds; the same command goes on.",
        )
    if limits.active_seconds is not None and since_start > limits.active_seconds:
        raise DeadlineError(
            f"the run takes longer than deadlines.activeSeconds ({limits.active_seconds} s)",
            "Give more workers or time; the same command goes on.",
        )


def told(error: BaseException, task: Task) -> BaseException:
    """`error`, or for faults of the machine a message that names the partition."""
    if isinstance(error, ImportError):
        return explained(error, task.work.model.uri)
    if isinstance(error, ScoremillError) or not isinstance(error, MemoryError | OSError):
        return error
    return ClusterError(
        f"{task.partition}: {reason_of(error)}",
        "No row is at fault. If memory ran out, give workers more --memory, or a lower --batch-rows with --mode Overwrite; "
        "otherwise check what the model opens or connects to. The same command resumes.",
        code="TaskFailed",
    )
