"""Read objects, lists, changes and logs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..objects import Resource
from .answers import parsed
from .calls import Calls
from .failures import no_place, refuse, refuse_all
from .kinds import Object, path_of

PAGE = 250
_GRACE = 1.25
"""Factor of a watch's duration after which it is closed if the server has not ended it."""
_NO_LOG = "unable to retrieve container logs for "
"""Text that the kubelet returns, with status 200, instead of a log that was just removed."""


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    kind: str
    items: list[Object]
    version: str
    """`metadata.resourceVersion` of the list."""

    @property
    def resources(self) -> Iterator[Resource]:
        """The items, parsed one by one."""
        return (Resource.of(each, self.kind) for each in self.items)


@dataclass(frozen=True)
class Change:
    """An event of a watch."""

    type: str
    """ADDED, MODIFIED, DELETED, or BOOKMARK, whose object has only a version."""
    resource: Resource


class Reader(Calls):
    """Reads from one API server; unless stated otherwise, in one namespace."""

    def get(self, kind: str, name: str) -> Object | None:
        """Return the object as the server sent it, or None if it does not exist."""
        answer = self.call("GET", self.path(kind, name))
        return None if answer.status == 404 else answer.body

    def find(self, kind: str, name: str) -> Resource | None:
        """Return the parsed object, or None if it does not exist."""
        found = self.get(kind, name)
        return Resource.of(found, kind) if found else None

    def select(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> list[Object]:
        """Return the selected objects as the server sent them; an empty list if the server has no such kind."""
        pages = self.pages(kind, selector, fields=fields, everywhere=everywhere)
        return [each for page in pages for each in page.items]

    def each(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> Iterator[Resource]:
        """Yield the selected objects, parsed, with at most one page in memory."""
        for page in self.pages(kind, selector, fields=fields, everywhere=everywhere):
            yield from page.resources

    def pages(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> Iterator[Page]:
        """Yield the list of selected objects, in this namespace or in all; nothing if the server has no such kind."""
        query = {"labelSelector": selector, "fieldSelector": fields, "limit": str(PAGE)}
        while True:
            answer = self.call("GET", path_of(kind, None if everywhere else self.namespace), query)
            if answer.status == 404:
                return
            metadata = answer.body.get("metadata", {})
            yield Page(kind, answer.body["items"], metadata.get("resourceVersion", ""))
            query["continue"] = metadata.get("continue", "")
            if not query["continue"]:
                return

    def watch(
        self, kind: str, selector: str = "", *, version: str, seconds: float, everywhere: bool = False
    ) -> Iterator[Change]:
        """Yield every change after `version`, and bookmarks, for `seconds`.

        Raises VersionExpired if `version` has expired on the server, and Unavailable if the connection breaks, or delivers
        nothing although the server should have ended the watch.
        """
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(math.ceil(seconds)),
        }
        path, line = path_of(kind, None if everywhere else self.namespace), b""
        for piece in self.stream(path, query, math.ceil(seconds) * _GRACE):
            *lines, line = (line + piece).split(b"\n")
            for event in map(json.loads, lines):
                if event["type"] == "ERROR":
                    refuse_all(self.answer(event["object"].get("code", 500), event["object"], f"GET {path}"))
                yield Change(event["type"], Resource.of(event["object"], kind))

    def log(self, pod: str, tail: int, *, previous: bool = False) -> str | None:
        """Return the last `tail` lines of the pod's log; None if the pod has no log (yet, or any more)."""
        query = {"tailLines": str(tail)} | ({"previous": "true"} if previous else {})
        response = self.transport.request("GET", f"{self.path('Pod', pod)}/log", query)
        if response.status in {400, 404}:
            return None
        refuse(self.answer(response.status, parsed(response.data), "GET pods/log"))
        text = str(response.data.decode(errors="replace"))
        return None if text.startswith(_NO_LOG) else text

    def follow_log(self, pod: str, tail: int) -> Iterator[bytes]:
        """Yield the last `tail` lines of the pod's log and everything after that, until its container ends."""
        query = {"tailLines": str(tail), "follow": "true"}
        yield from self.stream(f"{self.path('Pod', pod)}/log", query, None, absent=(400, 404))

    def require(self, kind: str) -> None:
        """Raise ClusterError, with a hint what to install, if the API server does not have the kind."""
        answer = self.call("GET", self.path(kind), {"limit": "1"})
        if answer.status == 404:
            raise no_place(kind, answer)
