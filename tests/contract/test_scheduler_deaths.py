"""A scheduler or its workers are killed at random moments: the driver waits, resubmits, and writes the same bytes.

SCHEDULER_KILLS=20 kills more often than CI does. With each kill, a scheduler and two workers restart.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoremill import score, verify
from scoremill.events import Event, Note, Progress
from tests.support.dask_processes import DaskProcesses, dask_processes
from tests.support.jobs import make_job, objects
from tests.support.slow import SECONDS, slow_bundle, slow_rows

KILLS = int(os.environ.get("SCHEDULER_KILLS", "8"))
RUNS = 2
ROWS = 6000


@pytest.fixture(scope="module")
def place() -> Iterator[DaskProcesses]:
    with dask_processes(2, **{SECONDS: "0.001"}) as place:
        yield place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slow model, an input, and in `expected` the output of an undisturbed run."""
    folder = tmp_path_factory.mktemp("deaths")
    slow_bundle(folder)
    (folder / "in.csv").write_bytes(slow_rows(ROWS, {}))
    score(slow_job(folder, "expected"), cluster="in-process")
    return folder


def slow_job(folder: Path, output: str):
    return make_job(
        str(folder / "bundle"), str(folder / "in.csv"), str(folder / output), input={"partitionBytes": 1024}
    )


class Killer:
    """A watcher that kills at random moments after some partitions are finished."""

    def __init__(self, seed: object, kills: int, kill: Callable[[random.Random], None]) -> None:
        self._random, self._kill = random.Random(seed), kill
        self.left, self.notes = kills, list[str]()
        self._until = self._random.randrange(0, 4)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)
        if not isinstance(event, Progress) or not self.left:
            return
        self._until -= 1
        if self._until < 0:
            self.left -= 1
            self._until = self._random.randrange(0, 8)
            threading.Timer(self._random.uniform(0, 0.5), self._kill, [self._random]).start()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(RUNS))
def test_scheduler_killed_at_random_moments_leaves_the_same_bytes(place, folder, seed):
    killer = Killer(seed, -(-KILLS // RUNS), lambda _: place.scheduler.kill())
    manifest = score(slow_job(folder, f"scheduler-{seed}"), cluster=place.address, watchers=[killer])
    assert manifest.totals.scored == ROWS
    assert not killer.left
    assert any("lost the Dask scheduler" in note for note in killer.notes)
    assert objects(str(folder / f"scheduler-{seed}")) == objects(str(folder / "expected"))
    verify(str(folder / f"scheduler-{seed}"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2))
def test_workers_killed_at_random_moments_leave_the_same_bytes(place, folder, seed):
    killer = Killer(f"workers {seed}", 6, lambda chance: chance.choice(place.workers).kill())
    score(slow_job(folder, f"workers-{seed}"), cluster=place.address, watchers=[killer])
    assert not killer.left
    assert objects(str(folder / f"workers-{seed}")) == objects(str(folder / "expected"))
