"""Only one driver at a time holds the lease of an output."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from scoremill.errors import LeaseError
from scoremill.ledger import Lease
from scoremill.ledger.lease import Holder
from scoremill.storage.filesystem import Store

BEAT = 0.2


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


def pretend(store, number, **changes):
    """Create the lease of another driver."""
    from dataclasses import asdict

    holder = asdict(Holder.here()) | {"host": "elsewhere", "pid": 4711} | changes
    store.create(f"_scoremill/lease/{number:06d}.json", json.dumps(holder).encode())
    store.write(f"_scoremill/lease/{number:06d}.beat", b"")


def test_error_of_a_second_driver_names_the_holder_and_the_start_time(store):
    lease = Lease.acquire(store, beat_seconds=BEAT)
    try:
        with pytest.raises(LeaseError, match=f"process {os.getpid()} .* since 20"):
            Lease.acquire(store, beat_seconds=BEAT)
    finally:
        lease.release()


def test_released_lease_can_be_acquired_immediately(store):
    first = Lease.acquire(store, beat_seconds=BEAT)
    first.release()
    second = Lease.acquire(store, beat_seconds=BEAT)
    assert second.number == first.number + 1
    second.release()


def test_lease_of_a_silent_remote_driver_is_taken_over_after_three_missed_beats(store):
    pretend(store, 1)
    with pytest.raises(LeaseError, match="elsewhere"):
        Lease.acquire(store, beat_seconds=BEAT)
    begin = time.monotonic()
    lease = Lease.acquire(store, wait=True, beat_seconds=BEAT)
    assert lease.number == 2
    assert time.monotonic() - begin >= BEAT
    lease.release()


def test_lease_of_a_dead_local_process_is_taken_over_immediately(store):
    program = (
        "import os, sys\nfrom scoremill.ledger import Lease\nfrom scoremill.storage.filesystem import Store\n"
        "Lease.acquire(Store(sys.argv[1]), beat_seconds=1000)\nos.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, store.uri], env={**os.environ, "PYTHONPATH": "src"}, check=False
    )
    assert ended.returncode == -9
    lease = Lease.acquire(store, beat_seconds=1000)
    assert lease.number == 2
    lease.release()


def test_check_raises_after_another_driver_took_over(store):
    lease = Lease.acquire(store, beat_seconds=BEAT)
    pretend(store, 2)
    deadline = time.monotonic() + 20
    with pytest.raises(LeaseError, match="took over"):
        while time.monotonic() < deadline:
            lease.check()
            threading.Event().wait(BEAT / 4)
    lease.release()


def test_only_one_of_many_concurrent_drivers_acquires_the_lease(store):
    won, lost = [], []

    def try_it():
        try:
            won.append(Lease.acquire(store, beat_seconds=60))
        except LeaseError:
            lost.append(1)

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    won[0].release()


def test_error_for_a_lease_without_holder_names_its_object(store):
    Lease.acquire(store).release()
    store.write("_scoremill/lease/000002.json", b"")
    with pytest.raises(LeaseError, match=r"lease/000002\.json does not say who"):
        Lease.acquire(store)
