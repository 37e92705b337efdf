"""What can go wrong with a Dask cluster, as errors that say what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError

from scoremill.errors import ClusterError, KilledWorkerError, ScoremillError, WorkerMemoryError
from scoremill.kubernetes.objects.dask_config import KILLS
from scoremill.units import MIB, format_bytes

from ...worker.work import Task

AGAIN = "Run the same command again: completed partitions are saved."


def explained(error: BaseException, task: Task) -> BaseException:
    """Return `error`, by which Dask has ended the task, as a ClusterError if it is Dask's own; others are the task's."""
    match error:
        case KilledWorker():
            return KilledWorkerError(
                f"{KILLS} workers died while scoring {task.partition}",
                "See how they ended: the logs of the workers, the nodes they ran on, the memory that was left there. "
                "If memory ran out, give workers more --memory or lower --batch-rows. " + AGAIN,
            )
        case NoWorkerError() | NoValidWorkerError():
            return ClusterError(
                f"the Dask scheduler found no worker for {task.partition} in {error.timeout:.0f} s",
                "See why no worker comes, or raise the scheduler's distributed.scheduler.no-workers-timeout. " + AGAIN,
                code="NoWorkers",
            )
    if is_of_dask(error):
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        return ClusterError(
            f"Dask could not score {task.partition}: {said}", "See the scheduler's log. " + AGAIN, code="TaskFailed"
        )
    return error


def is_of_dask(error: BaseException) -> bool:
    """Return whether Dask has raised `error` on its own account; its plain OSErrors have no number of the system."""
    if isinstance(error, OSError):
        return error.errno is None or isinstance(error, ConnectionError | TimeoutError)
    return isinstance(error, CancelledError) or type(error).__module__.startswith("distributed.")


@contextmanager
def cluster_calls(has_gone: Callable[[], bool]) -> Iterator[None]:
    """Inside, what Dask raises is a ClusterError; so is everything, but our own errors, if the scheduler `has_gone`."""
    try:
        yield
    except ScoremillError:
        raise
    except Exception as error:
        if not is_of_dask(error) and not has_gone():
            raise
        raise ClusterError(
            f"the Dask scheduler was lost: {type(error).__name__}: {error}", AGAIN, code="SchedulerLost"
        ) from error


def lost_results(task: Task) -> ClusterError:
    """Return the error of a task whose report does not arrive, again and again."""
    return ClusterError(
        f"{KILLS} times the result of {task.partition} was lost",
        "See the logs of the scheduler and the workers. " + AGAIN,
        code="TaskFailed",
    )


def killed_for_memory(task: Task, limit: int, largest: int) -> WorkerMemoryError:
    """Return the error of a task that drives workers beyond their memory limit of so many bytes."""
    return WorkerMemoryError(
        f"{task.partition}: a worker was killed for exceeding its memory limit of {format_bytes(limit)}, and so was the next",
        f"{_more(limit, largest)}, or lower --batch-rows, which needs another output or --mode Overwrite. {AGAIN}",
    )


def killed_idle(limit: int, largest: int) -> WorkerMemoryError:
    """Return the error of workers that take more than their limit before they have finished anything."""
    return WorkerMemoryError(
        f"workers are killed again and again for exceeding their memory limit of {format_bytes(limit)}",
        f"{_more(limit, largest)}. {AGAIN}",
    )


def _more(limit: int, largest: int) -> str:
    """A limit that may do: what was needed beyond the last one is not known."""
    enough = -(-max(2 * limit, largest * 3 // 2) // (64 * MIB)) * 64
    return f"Give workers more --memory, such as {enough}MiB (one held {format_bytes(largest)} when it was killed)"
