from types import SimpleNamespace
from typing import Any, cast

import pytest

from scoremill.engines.auto import SMALL_ROWS, Auto, is_small
from scoremill.engines.protocol import Engine, InProcess, Result
from scoremill.spec import JobSpec
from scoremill.worker.work import Task

MODEL = {"uri": "model"}
DATA = {"model": MODEL, "input": {"uris": ["a.csv"]}, "output": {"uri": "out"}}


class Others(InProcess):
    """An engine that has started."""

    workers = 2
    window = 6


def task(number: int) -> Task:
    """A task that fails, since there is no work in it; its result says so, and whose it is."""
    return cast("Task", SimpleNamespace(number=number))


def numbers(engine: Engine, first: int, count: int) -> list[int]:
    """Numbers of the tasks of the results, after submitting one at a time."""
    found = []
    for number in range(first, first + count):
        engine.submit(task(number))
        result = engine.take(1.0)
        assert isinstance(result, Result)
        found.append(cast("Any", result.task).number)
    return found


def test_all_tasks_run_in_this_process_if_that_takes_less_time_than_starting_others():
    def start() -> Engine:
        raise AssertionError("it need not start")

    with Auto(start, seconds=60.0) as engine:
        assert numbers(engine, 0, 3) == [0, 1, 2]
        assert (engine.workers, engine.window) == (1, 1)
        assert engine.notes() == []


def test_the_task_that_waits_and_all_later_ones_run_on_the_engine_that_was_started():
    with Auto(Others, seconds=0.0) as engine:
        assert numbers(engine, 0, 3) == [0, 1, 2]
        assert (engine.workers, engine.window) == (2, 6)
        assert engine.notes() == ["scoring takes long: starting local processes for the rest"]


@pytest.mark.parametrize(
    ("rows", "more", "expected"),
    [
        (SMALL_ROWS, {}, True),
        (SMALL_ROWS + 1, {}, False),
        (10, {"cluster": {"workers": 2}}, False),
        (10, {"cluster": {"memory": "1GiB"}}, False),
        (10, {"deadlines": {"noProgressSeconds": 60}}, False),
        (10, {"retry": {"partitionRetries": 1}}, True),
    ],
)
def test_a_small_job_has_few_rows_and_asks_for_no_worker(rows: int, more: dict[str, Any], expected: bool):
    plan = cast("Any", SimpleNamespace(estimated_rows=rows))
    assert is_small(JobSpec.model_validate(DATA | more), plan) is expected
