"""The Lease: one holds it, another takes over; against a server with optimistic locking, with real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoremill.kubernetes.client import Kube, connect
from scoremill_operator.run import lease as module
from scoremill_operator.run.lease import Lease
from tests.support.objects import Objects, serving

LEASES = "/apis/coordination.k8s.io/v1/namespaces/science/leases"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 2)
    monkeypatch.setattr(module, "RENEW_SECONDS", 1.0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


@pytest.fixture
def server() -> Iterator[Objects]:
    with serving() as server:
        yield server


@pytest.fixture
def kube(server: Objects, tmp_path: Path) -> Kube:
    return connect(str(server.kubeconfig(tmp_path)))


def holder(server: Objects) -> str:
    return str(server.objects[LEASES, "op"]["spec"]["holderIdentity"])


def never() -> None:
    raise AssertionError("the Lease was lost")


def test_of_many_that_ask_at_once_one_gets_it(server: Objects, kube: Kube) -> None:
    leases = [Lease(kube, "op", str(number)) for number in range(4)]
    held: list[Lease] = []

    def ask(lease: Lease) -> None:
        if lease.acquire():
            held.append(lease)
            lease.keep(never)

    threads = [threading.Thread(target=ask, args=[lease]) for lease in leases]
    for each in threads:
        each.start()
    try:
        server.wait_for(LEASES, "op", "spec", "renewTime")
        first = server.objects[LEASES, "op"]["spec"]["renewTime"]
        with server.changed:
            # It outlives its first term, for it is renewed.
            assert server.changed.wait_for(lambda: server.objects[LEASES, "op"]["spec"]["renewTime"] > first, 10)
        assert len(held) == 1
        assert holder(server) == str(leases.index(held[0]))
        waiting = [lease for lease in leases if lease not in held]
        assert all(lease.renewed is None and time.monotonic() - lease.tried < 5 for lease in waiting)
    finally:
        for lease in leases:
            lease.stop()
        for each in threads:
            each.join()


def test_one_that_was_given_back_is_taken_at_once(server: Objects, kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 3600)
    first, second = Lease(kube, "op", "first"), Lease(kube, "op", "second")
    assert first.acquire()
    first.keep(never)
    thread = threading.Thread(target=second.acquire)
    thread.start()
    first.release()
    thread.join(20)
    assert holder(server) == "second"
    assert server.objects[LEASES, "op"]["spec"]["leaseTransitions"] == 1


def test_one_whose_holder_is_gone_is_taken_when_it_has_run_out(server: Objects, kube: Kube) -> None:
    assert Lease(kube, "op", "first").acquire()
    begin = time.monotonic()
    assert Lease(kube, "op", "second").acquire()
    assert time.monotonic() - begin >= 2
    assert holder(server) == "second"


def test_a_holder_that_cannot_renew_is_told_before_another_may_take_it(server: Objects, kube: Kube) -> None:
    lease, lost = Lease(kube, "op", "first"), threading.Event()
    assert lease.acquire()
    lease.keep(lost.set)
    server.is_down = True
    assert lost.wait(10)
    assert lease.renewed is not None
    assert time.monotonic() - lease.renewed < 2


def test_a_holder_that_another_has_replaced_is_told(server: Objects, kube: Kube) -> None:
    lease, lost = Lease(kube, "op", "first"), threading.Event()
    assert lease.acquire()
    there = server.objects[LEASES, "op"]
    server.put(LEASES, {**there, "spec": {**there["spec"], "holderIdentity": "second"}}, "MODIFIED")
    lease.keep(lost.set)
    assert lost.wait(10)
    assert holder(server) == "second"


def test_one_that_is_stopped_waits_no_longer(server: Objects, kube: Kube) -> None:
    assert Lease(kube, "op", "first").acquire()
    second = Lease(kube, "op", "second")
    second.stop()
    assert not second.acquire()
