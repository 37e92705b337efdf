"""An API server over HTTP that keeps objects of any kind: versions, optimistic locking, lists and watches. No rules."""

from __future__ import annotations

import itertools
import json
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scoremill.kubernetes.client import KINDS
from scoremill.spec import merge
from tests.support.http_api import Api, JsonHandler, Object, running


class Objects(Api):
    """Objects by the path of their kind in a namespace, and by name."""

    namespace = "science"

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.objects: dict[tuple[str, str], Object] = {}
        self.events: list[tuple[str, Object]] = []
        """What watches tell, and of which path."""
        self.asked: list[str] = []
        """The paths of all that was read."""
        self.is_down = False
        """Whether every call fails."""
        self._versions = itertools.count(1)

    def put(self, path: str, made: Object, kind: str) -> Object:
        """Keeps the object, with a new version, and tells the watches."""
        with self.changed:
            version = str(next(self._versions))
            meta = {"uid": f"uid-{version}", "creationTimestamp": "2026-11-21T03:00:00Z", **made["metadata"]}
            made = {**made, "metadata": meta | {"resourceVersion": version, "namespace": path.split("/")[-2]}}
            self.objects[path, meta["name"]] = made
            self.events.append((path, {"type": kind, "object": made}))
            self.changed.notify_all()
            return made

    def wait_for(self, path: str, name: str, *fields: str) -> Any:
        """The object's field once it is there; AssertionError after half a minute."""

        def found() -> Any:
            value: Any = self.objects.get((path, name))
            for field in fields:
                value = value and value.get(field)
            return value

        with self.changed:
            assert self.changed.wait_for(lambda: found() is not None, 30), (fields, self.objects)
            return found()

    def handle_error(self, *_: Any) -> None:
        """Nothing: those who watch go when they like."""


class _Handler(JsonHandler):
    server: Objects
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path, query, server = url.path, parse_qs(url.query), self.server
        folder, _, name = path.rpartition("/")
        server.asked.append(path)
        if server.is_down:
            self._answer(500, {"message": "as the test wants it"})
        elif found := _discovery(path):
            self._answer(200, found)
        elif "watch" in query:
            self._watch(path, int(query["resourceVersion"][0]))
        elif (folder, name) in server.objects:
            self._answer(200, server.objects[folder, name])
        elif name in _PLURALS:
            items = [each for (of, _), each in [*server.objects.items()] if of == path]
            self._answer(200, {"metadata": {"resourceVersion": str(len(server.events))}, "items": items})
        else:
            self._answer(404, {"reason": "NotFound"})

    def do_POST(self) -> None:
        made, path, server = self._body(), urlsplit(self.path).path, self.server
        with server.changed:
            if server.is_down:
                self._answer(500, {"message": "as the test wants it"})
            elif (path, made["metadata"]["name"]) in server.objects:
                self._answer(409, {"reason": "AlreadyExists"})
            else:
                self._answer(201, server.put(path, made, "ADDED"))

    def do_PATCH(self) -> None:
        change, server = self._body(), self.server
        folder, _, name = urlsplit(self.path).path.removesuffix("/status").rpartition("/")
        with server.changed:
            there = server.objects.get((folder, name))
            if server.is_down:
                self._answer(500, {"message": "as the test wants it"})
            elif there is None:
                self._answer(404, {"reason": "NotFound"})
            elif change.get("metadata", {}).get("resourceVersion", "") not in {
                "",
                there["metadata"]["resourceVersion"],
            }:
                self._answer(409, {"reason": "Conflict", "message": "the object has been modified"})
            else:
                self._answer(200, server.put(folder, merge(there, change), "MODIFIED"))

    def _watch(self, path: str, since: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            with self.server.changed:
                self.server.changed.wait_for(lambda at=since: len(self.server.events) > at)
                new, since = self.server.events[since:], len(self.server.events)
            for of, event in new:
                if of == path:
                    self.wfile.write(json.dumps(event).encode() + b"\n")


_SERVED = KINDS | {
    "Namespace": ("/api/v1", "namespaces"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
}
"""kopf waits until it knows of the last two, though it reads neither."""
_PLURALS = {plural for _, plural in KINDS.values()}


def _discovery(path: str) -> Object | None:
    """What clients that look for kinds ask first."""
    prefixes = sorted({prefix for prefix, _ in _SERVED.values()})
    groups = [prefix.split("/")[2:] for prefix in prefixes if prefix.startswith("/apis/")]
    if path == "/api":
        return {"versions": ["v1"]}
    if path == "/apis":
        versions = [{"groupVersion": f"{group}/{version}", "version": version} for group, version in groups]
        named = [
            {"name": each["groupVersion"].split("/")[0], "versions": [each], "preferredVersion": each}
            for each in versions
        ]
        return {"groups": named}
    if path in prefixes:
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        of = [(kind, plural) for kind, (prefix, plural) in _SERVED.items() if prefix == path]
        return {
            "resources": [
                {
                    "name": plural,
                    "singularName": kind.lower(),
                    "kind": kind,
                    "namespaced": kind != "Node",
                    "verbs": verbs,
                }
                for kind, plural in of
            ]
        }
    return None


def serving() -> AbstractContextManager[Objects]:
    """The server while this is open."""
    return running(Objects())
