"""The queue: real threads, one worker per key, nothing lost and nothing done twice at the same time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from scoremill.errors import ClusterError
from scoremill_operator.reconcile.observed import Key
from scoremill_operator.run import queue as module
from scoremill_operator.run.queue import Queue, Resync

A, B = Key("ScoringJob", "science", "a"), Key("ScoringJob", "science", "b")
SECONDS = 20.0


def until(is_so: Callable[[], bool]) -> None:
    """Returns when it is so; fails where it does not come to that."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        threading.Event().wait(0.005)


@contextmanager
def running(work: Callable[[Key], float | None], workers: int = 4) -> Iterator[Queue]:
    queue = Queue(work, workers=workers)
    queue.start()
    try:
        yield queue
    finally:
        assert queue.stop(SECONDS)


def test_key_is_reconciled_once_however_often_it_waits() -> None:
    looks: list[Key] = []
    queue = Queue(looks.append)
    for _ in range(10):
        queue.add(A)
    queue.add(B)
    queue.start()
    until(lambda: {*looks} == {A, B})
    assert queue.stop(SECONDS)
    assert sorted(looks) == [A, B]


def test_key_in_work_is_reconciled_once_more_and_never_by_two_threads() -> None:
    started, go_on, looks = threading.Event(), threading.Event(), 0

    def work(key: Key) -> None:
        nonlocal looks
        looks += 1
        started.set()
        assert go_on.wait(SECONDS)

    with running(work) as queue:
        queue.add(A)
        assert started.wait(SECONDS)
        queue.add(A)
        queue.add(A)
        assert looks == 1
        go_on.set()
        until(lambda: looks == 2)
    assert looks == 2


def test_a_slow_key_keeps_no_other_waiting() -> None:
    go_on, done = threading.Event(), threading.Event()

    def work(key: Key) -> None:
        if key == A:
            assert go_on.wait(SECONDS)
        else:
            done.set()

    with running(work, workers=2) as queue:
        queue.add(A)
        queue.add(B)
        assert done.wait(SECONDS)
        go_on.set()


def test_delayed_reconcile_is_brought_forward_by_an_event() -> None:
    looks: list[float] = []

    def work(key: Key) -> float | None:
        looks.append(time.monotonic())
        return 0.2 if len(looks) == 1 else 3600 if len(looks) == 2 else None

    with running(work) as queue:
        queue.add(A)
        until(lambda: len(looks) == 2)
        assert looks[1] - looks[0] >= 0.2
        queue.add(A)
        until(lambda: len(looks) == 3)


def test_failures_wait_longer_each_time_and_are_forgotten_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.02)
    looks: list[float] = []

    def work(key: Key) -> None:
        looks.append(time.monotonic())
        if len(looks) in {1, 2, 3, 5}:
            raise ClusterError("the API is down") if len(looks) < 3 else ValueError("a defect")

    with running(work) as queue:
        queue.add(A)
        until(lambda: len(looks) == 4)
        queue.add(A)
        until(lambda: len(looks) == 6)
    waits = [after - before for before, after in pairwise(looks)]
    # Of 20, 40 and 80 ms, each more or less by a fifth at most.
    assert waits[0] >= 0.016 and waits[1] >= 0.032 and waits[2] >= 0.064
    assert waits[4] >= 0.016


def test_many_keys_by_many_threads_none_is_lost_and_none_is_in_two_hands() -> None:
    keys = [Key("ScoringJob", "science", str(number)) for number in range(50)]
    lock, busy, last = threading.Lock(), set[Key](), dict[Key, int]()
    wanted, twice = dict.fromkeys(keys, 0), list[Key]()

    def work(key: Key) -> None:
        with lock:
            twice.extend({key} & busy)
            busy.add(key)
            seen = wanted[key]
        time.sleep(0)
        with lock:
            busy.discard(key)
            last[key] = seen

    def change() -> None:
        for _ in range(500):
            key = random.choice(keys)
            with lock:
                wanted[key] += 1
            queue.add(key, random.choice([0, 0, 0.005]))

    with running(work) as queue:
        changers = [threading.Thread(target=change) for _ in range(4)]
        for each in changers:
            each.start()
        for each in changers:
            each.join()
        # The last change of each is seen by a look that began after it.
        until(lambda: all(last.get(key, 0) == count for key, count in wanted.items()))
    assert not twice


def test_age_of_the_oldest_due_key_is_reported() -> None:
    queue = Queue(lambda _: None)
    assert queue.overdue() == (0, 0.0)
    queue.add(A)
    queue.add(B, 3600)
    until(lambda: queue.overdue()[1] > 0)
    assert queue.overdue()[0] == 1


def test_what_is_put_off_again_and_again_takes_no_more_room() -> None:
    looks: list[Key] = []

    def work(key: Key) -> float:
        looks.append(key)
        return 3600.0

    with running(work) as queue:
        for number in range(1, 500):
            queue.add(A)
            until(lambda number=number: len(looks) >= number)
        assert len(queue._heap) < 200


def test_a_long_queue_that_moves_does_not_stand_and_one_whose_workers_hang_does() -> None:
    go_on, started = threading.Event(), threading.Event()

    def work(key: Key) -> None:
        started.set()
        assert go_on.wait(SECONDS)

    queue = Queue(work, workers=1)
    queue.add(A)
    queue.add(B)
    until(lambda: queue.overdue()[1] > 0.1)
    queue.start()
    assert started.wait(SECONDS)
    # The second has been due for long, and the first was taken just now.
    assert queue.standing() < queue.overdue()[1]
    until(lambda: queue.standing() > 0.1)
    go_on.set()
    until(lambda: queue.standing() == 0)
    assert queue.stop(SECONDS)


def test_every_known_key_is_looked_at_again_though_a_listing_fails() -> None:
    looks: list[Key] = []
    listings = 0

    def known() -> list[Key]:
        nonlocal listings
        listings += 1
        if listings == 1:
            raise ClusterError("the API is down")
        return [A, B]

    with running(looks.append) as queue:
        resync = Resync(queue, known, 0.05)
        begin = time.monotonic()
        resync.start()
        until(lambda: looks.count(A) >= 2 and looks.count(B) >= 2)
        resync.stop()
        assert resync.done > begin
