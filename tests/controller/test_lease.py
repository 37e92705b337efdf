"""The Lease: one holds it, another takes over; against a real API server, with real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from scoremill.kubernetes.api import Kube, connect
from scoremill_operator.run.lease import LeaderLease, Timing
from tests.support.kubernetes_api import KubernetesApi
from tests.support.tunnel import tunnel

FAST = Timing(promised=2, renew=1.0, retry=0.05)


@pytest.fixture
def kube(kubernetes_api: KubernetesApi) -> Kube:
    return kubernetes_api.kube


def lease_of(kube: Kube, identity: str, timing: Timing = FAST) -> LeaderLease:
    return LeaderLease(kube, "op", identity, timing)


def spec(kube: Kube) -> Any:
    there = kube.get("Lease", "op")
    return there and there["spec"]


def holder(kube: Kube) -> str:
    return str(spec(kube)["holderIdentity"])


def until(is_so: Callable[[], object]) -> None:
    """Returns when it is so; fails where it does not come to that."""
    for _ in range(400):
        if is_so():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to that")


def never() -> None:
    raise AssertionError("the Lease was lost")


def test_one_of_many_concurrent_requests_gets_the_lease(kube: Kube) -> None:
    leases = [lease_of(kube, str(number)) for number in range(4)]
    held: list[LeaderLease] = []

    def ask(lease: LeaderLease) -> None:
        if lease.acquire():
            held.append(lease)
            lease.keep(never)

    threads = [threading.Thread(target=ask, args=[lease]) for lease in leases]
    for each in threads:
        each.start()
    try:
        until(lambda: spec(kube))
        first = spec(kube)["renewTime"]
        # It outlives its first term, for it is renewed.
        until(lambda: spec(kube)["renewTime"] > first)
        assert len(held) == 1
        assert holder(kube) == str(leases.index(held[0]))
        waiting = [lease for lease in leases if lease not in held]
        assert all(lease.renewed is None and time.monotonic() - lease.tried < 5 for lease in waiting)
    finally:
        for lease in leases:
            lease.stop()
        for each in threads:
            each.join()


def test_released_lease_is_taken_immediately(kube: Kube) -> None:
    long = Timing(promised=3600, renew=1.0, retry=0.05)
    first, second = lease_of(kube, "first", long), lease_of(kube, "second", long)
    assert first.acquire()
    first.keep(never)
    thread = threading.Thread(target=second.acquire)
    thread.start()
    first.release()
    thread.join(20)
    assert holder(kube) == "second"
    assert spec(kube)["leaseTransitions"] == 1


def test_expired_lease_is_acquired(kube: Kube) -> None:
    assert lease_of(kube, "first").acquire()
    begin = time.monotonic()
    assert lease_of(kube, "second").acquire()
    assert time.monotonic() - begin >= 2
    assert holder(kube) == "second"


def test_holder_that_cannot_renew_stops_before_the_lease_expires(kubernetes_api: KubernetesApi) -> None:
    with tunnel(kubernetes_api.address) as way:
        lease, lost = lease_of(connect(str(kubernetes_api.kubeconfig(way.port))), "first"), threading.Event()
        assert lease.acquire()
        lease.keep(lost.set)
        way.cut()
        assert lost.wait(10)
        assert lease.renewed is not None
        assert time.monotonic() - lease.renewed < 2


def test_holder_notices_that_another_has_replaced_it(kube: Kube) -> None:
    lease, lost = lease_of(kube, "first"), threading.Event()
    assert lease.acquire()
    assert kube.patch("Lease", "op", {"spec": {"holderIdentity": "second"}})
    lease.keep(lost.set)
    assert lost.wait(10)
    assert holder(kube) == "second"


def test_one_that_is_stopped_waits_no_longer(kube: Kube) -> None:
    assert lease_of(kube, "first").acquire()
    second = lease_of(kube, "second")
    second.stop()
    assert not second.acquire()
