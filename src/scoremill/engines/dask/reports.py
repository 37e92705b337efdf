"""Reports of tasks on Dask workers to their driver, sent as events, which pass through the scheduler in order.

A result that the driver must gather can be lost with the worker that holds it. An event is not stored on a worker, and it
reaches the driver before the news that the task has finished.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

from distributed import get_worker

from scoremill.errors import ScoremillError
from scoremill.ledger import Receipt
from scoremill.tabular.memory import limit_memory
from scoremill.worker.work import Task

TOPIC = "scoremill-tasks"
"""One topic for all runs, because the scheduler never deletes a topic."""


def run_reported(score: Callable[..., Receipt], task: Task, *held: Any) -> None:
    """Run `score` in a task on a Dask worker; report its start, then its receipt or error, without returning either."""
    _report(starts=True)
    limit_memory(get_worker().memory_manager.memory_limit)
    try:
        _report(receipt=pickle.dumps(score(task, *held)))
    except Exception as error:
        _report(**_portable(error))


def receipt_of(message: dict[str, Any]) -> Receipt | None:
    """Return the receipt in `message`; None if the task failed."""
    data = message.get("receipt")
    receipt: Receipt | None = None if data is None else pickle.loads(data)
    return receipt


def error_of(message: dict[str, Any]) -> BaseException:
    """Return the error in `message`, or a ScoremillError with its text if its class does not exist here."""
    try:
        error: BaseException = pickle.loads(message["error"])
    except Exception:
        return ScoremillError(message["text"])
    return error


def _portable(error: Exception) -> dict[str, Any]:
    if not isinstance(error, ScoremillError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps(error)
    except Exception:
        data = b""
    return {"error": data, "text": f"{type(error).__name__}: {error}"}


def _report(**message: Any) -> None:
    worker = get_worker()
    # The scheduler adds the address of the `worker`.
    worker.log_event(TOPIC, {"key": worker.get_current_task(), **message})
