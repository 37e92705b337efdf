"""Call one API server: an answer is one of success, 404 or 409, and any other is an error."""

from __future__ import annotations

import copy
from collections.abc import Container, Iterator, Mapping
from typing import Self

from .answers import Answer, parsed
from .failures import refuse, refuse_all
from .kinds import Object, path_of
from .transport import Transport


class Calls:
    """Calls of one API server, for one namespace."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport, self.namespace = transport, namespace

    def within(self, namespace: str) -> Self:
        """Return a client of the same API server for `namespace`."""
        other = copy.copy(self)
        other.namespace = namespace
        return other

    def apart(self) -> Self:
        """Return the same client with connections of its own."""
        other = copy.copy(self)
        other.transport = self.transport.apart()
        return other

    def hurried(self, seconds: float) -> Self:
        """Return a client with a timeout of `seconds` and no retries, for calls that would soon be too late."""
        other = copy.copy(self)
        other.transport = self.transport.hurried(seconds)
        return other

    def path(self, kind: str, name: str = "") -> str:
        """Return the path of one object, or of a kind."""
        return path_of(kind, self.namespace, name)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str | None = None,
    ) -> Answer:
        """Return the answer to a call, which is 404, 409, or one of success; raise the error of any other."""
        response = self.transport.request(method, path, query or {}, body, content)
        answer = self.answer(response.status, parsed(response.data), f"{method} {path}")
        refuse(answer)
        return answer

    def stream(
        self, path: str, query: Mapping[str, str], seconds: float | None, absent: Container[int] = ()
    ) -> Iterator[bytes]:
        """Yield the response in pieces, with at most `seconds` between two; nothing for a status in `absent`."""
        with self.transport.open(path, query, seconds) as response:
            if response.status in absent:
                return
            if response.status != 200:
                refuse_all(self.answer(response.status, parsed(response.read()), f"GET {path}"))
            yield from response.stream(amt=None)

    def answer(self, status: int, body: Object, call: str) -> Answer:
        """Return the parsed answer to `call`."""
        return Answer(status, body, call, self.transport.host, self.namespace)
