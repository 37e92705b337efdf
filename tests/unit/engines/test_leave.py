"""A worker whose pod ends hands over its task, which does not count as one that kills workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from tests.cluster.steps import until
from tests.support.dask_processes import dask_processes


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with dask_processes(2) as place, Client(place.address) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.mark.timeout(120)
def test_terminated_worker_hands_its_task_to_another_worker_without_suspicion(client: Client, tmp_path: Path) -> None:
    # Nested functions, so that scheduler and workers need not import this module.
    def hold(until_there: str) -> int:
        while not os.path.exists(until_there):
            time.sleep(0.02)
        return os.getppid()

    def busy(dask_scheduler: Any) -> list[str]:
        return [each.address for each in dask_scheduler.workers.values() if each.processing]

    def suspicions(dask_scheduler: Any) -> int:
        return sum(task.suspicious for task in dask_scheduler.tasks.values())

    task = client.submit(hold, str(tmp_path / "released"))
    assert until(lambda: client.run_on_scheduler(busy), 30)
    (first,) = client.run_on_scheduler(busy)
    (nanny,) = client.run(os.getppid, workers=[first]).values()
    os.kill(nanny, signal.SIGTERM)
    assert until(lambda: client.run_on_scheduler(busy) not in ([first], []), 30)
    assert client.run_on_scheduler(suspicions) == 0
    (tmp_path / "released").touch()
    assert task.result(30) != nanny
