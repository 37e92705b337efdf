"""Watches of a real API server, through connections that are cut, fall silent, and come back too late."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scoremill.kubernetes.api import Kube, Object, connect
from scoremill.kubernetes.objects import Resource
from scoremill_operator.run.watch import LISTED, Watch
from tests.support.kubernetes_api import KubernetesApi
from tests.support.tunnel import Tunnel, tunnel

SECONDS = 60.0


class Heard:
    """Events in their order."""

    def __init__(self) -> None:
        self._events = queue.Queue[tuple[str, str]]()

    def __call__(self, event: str, found: Resource) -> None:
        self._events.put((event, found.name))

    def next(self) -> tuple[str, str]:
        return self._events.get(timeout=SECONDS)

    def rest(self) -> list[tuple[str, str]]:
        return [self._events.get() for _ in range(self._events.qsize())]


@contextmanager
def watching(kube: Kube, kind: str, heard: Heard, *, selector: str = "", seconds: float = 60) -> Iterator[Watch]:
    watch = Watch(kube, kind, heard, selector=selector, seconds=seconds)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


@pytest.fixture
def way(kubernetes_api: KubernetesApi) -> Iterator[Tunnel]:
    with tunnel(kubernetes_api.address) as way:
        yield way


@pytest.fixture
def behind(kubernetes_api: KubernetesApi, way: Tunnel) -> Kube:
    """The API by that way; it gives up immediately, so that tests need not wait."""
    return connect(str(kubernetes_api.kubeconfig(way.port)))


def make(api: KubernetesApi, name: str, kind: str = "Secret", **labels: str) -> None:
    version = "v1" if kind == "Secret" else "scoremill.dev/v1alpha1"
    assert api.kube.create({"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}})


def change(api: KubernetesApi, name: str) -> None:
    assert api.kube.patch("Secret", name, {"stringData": {"at": str(time.monotonic())}})


def test_a_watch_lists_what_is_there_and_hears_of_every_change(kubernetes_api: KubernetesApi) -> None:
    heard = Heard()
    make(kubernetes_api, "old", ours="yes")
    make(kubernetes_api, "others")
    with watching(kubernetes_api.kube, "Secret", heard, selector="ours"):
        assert heard.next() == (LISTED, "old")
        make(kubernetes_api, "new", ours="yes")
        assert heard.next() == ("ADDED", "new")
        change(kubernetes_api, "old")
        assert heard.next() == ("MODIFIED", "old")
        kubernetes_api.kube.delete("Secret", "new")
        # Foreground deletion waits for a garbage collector, which does not run here: the object is marked.
        assert heard.next() == ("MODIFIED", "new")


def test_a_listing_of_several_pages_is_heard_whole(kubernetes_api: KubernetesApi) -> None:
    heard, count = Heard(), 260
    for number in range(count):
        make(kubernetes_api, f"s-{number}")
    with watching(kubernetes_api.kube, "Secret", heard):
        assert sorted(heard.next() for _ in range(count)) == sorted((LISTED, f"s-{n}") for n in range(count))


def test_changes_while_the_connection_is_cut_are_heard_once_it_is_back(
    kubernetes_api: KubernetesApi, way: Tunnel, behind: Kube
) -> None:
    heard = Heard()
    make(kubernetes_api, "old")
    with watching(behind, "Secret", heard):
        assert heard.next() == (LISTED, "old")
        make(kubernetes_api, "before")
        assert heard.next() == ("ADDED", "before")
        way.cut()
        make(kubernetes_api, "meanwhile")
        remove(kubernetes_api, "before")
        way.restore()
        # Neither is "old" listed again.
        assert [heard.next(), heard.next()] == [("ADDED", "meanwhile"), ("DELETED", "before")]


def test_a_version_that_the_server_has_forgotten_is_survived_by_a_new_listing(
    kubernetes_api: KubernetesApi, way: Tunnel, behind: Kube
) -> None:
    heard = Heard()
    make(kubernetes_api, "old")
    with watching(behind, "Secret", heard):
        assert heard.next() == (LISTED, "old")
        way.cut()
        remove(kubernetes_api, "old")
        make(kubernetes_api, "meanwhile")
        compact(kubernetes_api)
        way.restore()
        assert heard.next() == (LISTED, "meanwhile")
        make(kubernetes_api, "new")
        assert heard.next() == ("ADDED", "new")


def test_a_connection_that_falls_silent_is_replaced_in_bounded_time(
    kubernetes_api: KubernetesApi, way: Tunnel, behind: Kube
) -> None:
    heard = Heard()
    make(kubernetes_api, "old")
    with watching(behind, "Secret", heard, seconds=4) as watch:
        assert heard.next() == (LISTED, "old")
        before = way.connections
        way.silence()
        make(kubernetes_api, "meanwhile")
        way.wait_for_connections(before + 1)
        assert not heard.rest()
        answered = watch.answered
        way.restore()
        assert heard.next() == ("ADDED", "meanwhile")
        assert watch.answered > answered


def test_watch_resumes_where_the_server_ended_it(kubernetes_api: KubernetesApi) -> None:
    heard, ended = Heard(), threading.Event()
    make(kubernetes_api, "old")
    with watching(kubernetes_api.kube, "Secret", heard, seconds=1) as watch:
        assert heard.next() == (LISTED, "old")
        begin = watch.answered
        while watch.answered < begin + 1:
            assert not ended.wait(0.05)
        make(kubernetes_api, "new")
        assert heard.next() == ("ADDED", "new")


def test_an_event_that_cannot_be_handled_does_not_end_the_watch(kubernetes_api: KubernetesApi) -> None:
    heard = Heard()

    def fail_once(event: str, found: Resource) -> None:
        heard(event, found)
        if found.name == "bad":
            raise ValueError("bad")

    watch = Watch(kubernetes_api.kube, "Secret", fail_once)
    make(kubernetes_api, "bad")
    watch.start()
    try:
        assert heard.next() == (LISTED, "bad")
        make(kubernetes_api, "good")
        assert heard.next() == ("ADDED", "good")
    finally:
        watch.stop()


def test_a_watch_that_is_stopped_ends(kubernetes_api: KubernetesApi) -> None:
    watch = Watch(kubernetes_api.kube, "Secret", Heard(), seconds=1)
    watch.start()
    watch.stop()
    assert watch.join(SECONDS)


def remove(api: KubernetesApi, name: str) -> None:
    """The object is deleted immediately: no garbage collector runs that a deletion in the foreground would wait for."""
    api.kube.call("DELETE", api.kube.path("Secret", name))


def compact(api: KubernetesApi) -> None:
    """Makes etcd forget everything but the present."""
    present = ask(api, "kv/range", {"key": "AA=="})["header"]["revision"]
    ask(api, "kv/compaction", {"revision": present, "physical": True})


def ask(api: KubernetesApi, path: str, body: Object) -> Object:
    asked = urllib.request.Request(f"{api.etcd}/v3/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: Object = json.load(answer)
        return found
