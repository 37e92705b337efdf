"""`/healthz`, `/readyz` and `/metrics`, from before the Lease is held until the process ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import metrics
from .lease import Lease
from .queue import Queue, Resync
from .watch import Watch

_LEASE_SECONDS = 60.0
_QUEUE_SECONDS = 900.0


@dataclass
class Health:
    """What tells whether this process does its work; before it holds the Lease, that is to ask for it."""

    lease: Lease
    queue: Queue
    resync: Resync
    watches: Sequence[Watch]

    def trouble(self) -> str:
        """What this process no longer does; empty while it is well."""
        now = time.monotonic()
        if now - self.lease.tried > _LEASE_SECONDS:
            return "the Lease is not asked for"
        if self.lease.renewed is None:
            return ""
        if now - self.resync.done > 5 * self.resync.seconds:
            return "jobs could not be listed"
        if self.queue.standing() > _QUEUE_SECONDS:
            return "the queue does not move"
        silent = any(now - each.answered > 5 * each.seconds for each in self.watches)
        return "a watch gets no answers" if silent else ""

    def tell(self) -> None:
        """Has Prometheus' gauges ask here."""
        metrics.QUEUE.set_function(lambda: self.queue.overdue()[0])
        metrics.QUEUE_AGE.set_function(lambda: self.queue.overdue()[1])
        metrics.WATCH_AGE.set_function(lambda: max(0.0, time.monotonic() - min(each.answered for each in self.watches)))
        metrics.LEADER.set_function(lambda: self.lease.renewed is not None)


def serve(port: int, trouble: Callable[[], str]) -> ThreadingHTTPServer:
    """The server, which answers in threads of its own until `shutdown()`."""
    server = _Server(("", port), _Handler)
    server.trouble = trouble
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    trouble: Callable[[], str]


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    """Seconds that a client may say nothing."""

    def do_GET(self) -> None:
        """Health as 200 or 503 with the reason, or metrics."""
        if self.path in {"/healthz", "/readyz"}:
            trouble = cast("_Server", self.server).trouble()
            status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
            self._answer(status, (trouble or "ok").encode(), "text/plain")
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: a probe every few seconds is no news."""
