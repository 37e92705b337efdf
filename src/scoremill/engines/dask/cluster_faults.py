"""Failures of a Dask cluster as errors with hints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError

from scoremill.errors import ClusterError, KilledWorkerError, ScoremillError, WorkerMemoryError
from scoremill.kubernetes.objects.dask_config import KILLS
from scoremill.units import MIB, format_bytes
from scoremill.worker.work import Task

AGAIN = "Run the same command again: completed partitions are saved."


def explained(error: BaseException, task: Task) -> BaseException:
    """Return the `error` of a Dask task, as a ClusterError if Dask itself raised it."""
    match error:
        case KilledWorker():
            return KilledWorkerError(
                f"{KILLS} workers died while scoring {task.partition}",
                "Check the logs of the workers, and their nodes and free memory. "
                "If memory ran out, give workers more memory (`spec.cluster.memory`) or lower `spec.model.batchRows`. "
                + AGAIN,
            )
        case NoWorkerError() | NoValidWorkerError():
            return ClusterError(
                f"the Dask scheduler found no worker for {task.partition} in {error.timeout:.0f} s",
                "Find out why no worker starts, or raise distributed.scheduler.no-workers-timeout of the scheduler. "
                + AGAIN,
                code="NoWorkers",
            )
    if is_of_dask(error):
        cause = f"{type(error).__name__}: {error}".rstrip(": ")
        return ClusterError(
            f"Dask could not score {task.partition}: {cause}",
            "See the log of the scheduler. " + AGAIN,
            code="TaskFailed",
        )
    return error


def is_of_dask(error: BaseException) -> bool:
    """Return whether Dask itself raised `error`; its plain OSErrors have no errno."""
    if isinstance(error, OSError):
        return error.errno is None or isinstance(error, ConnectionError | TimeoutError)
    return isinstance(error, CancelledError) or type(error).__module__.startswith("distributed.")


@contextmanager
def cluster_calls(is_lost: Callable[[], bool]) -> Iterator[None]:
    """Raise errors of Dask as ClusterError; if the scheduler `is_lost`, all errors but those of scoremill."""
    try:
        yield
    except ScoremillError:
        raise
    except Exception as error:
        if not is_of_dask(error) and not is_lost():
            raise
        raise ClusterError(
            f"the Dask scheduler was lost: {type(error).__name__}: {error}", AGAIN, code="SchedulerLost"
        ) from error


def lost_results(task: Task) -> ClusterError:
    """Return the error of a task whose report repeatedly does not arrive."""
    return ClusterError(
        f"the result of {task.partition} was lost {KILLS} times",
        "See the logs of the scheduler and the workers. " + AGAIN,
        code="TaskFailed",
    )


def killed_for_memory(task: Task, limit: int, largest: int) -> WorkerMemoryError:
    """Return the error of a task that makes workers exceed their memory limit of `limit` bytes."""
    return WorkerMemoryError(
        f"{task.partition}: a worker was killed for exceeding its memory limit of {format_bytes(limit)}, and so was the next",
        f"{_more(limit, largest)}, or lower `spec.model.batchRows`, which needs another output or "
        f"`spec.output.mode: Overwrite`. {AGAIN}",
    )


def killed_idle(limit: int, largest: int) -> WorkerMemoryError:
    """Return the error of workers that exceed their memory limit before they finish anything."""
    return WorkerMemoryError(
        f"workers are repeatedly killed for exceeding their memory limit of {format_bytes(limit)}",
        f"{_more(limit, largest)}. {AGAIN}",
    )


def _more(limit: int, largest: int) -> str:
    """Suggest a limit that might suffice: how much more memory was needed is not known."""
    enough = -(-max(2 * limit, largest * 3 // 2) // (64 * MIB)) * 64
    return f"Give workers more memory, such as `spec.cluster.memory: {enough}MiB` (one held {format_bytes(largest)} when it was killed)"
