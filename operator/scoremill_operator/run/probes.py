"""Serve `/healthz`, `/readyz` and `/metrics`, from before the Lease is acquired until the process exits."""

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
from .lease import LeaderLease
from .queue import Queue, Resync
from .watch import Watch

_LEASE_SECONDS = 60.0
_QUEUE_SECONDS = 900.0


@dataclass
class Health:
    """Checks whether this process does its work, which is to request the Lease until it holds it."""

    lease: LeaderLease
    queue: Queue
    resync: Resync
    watches: Sequence[Watch]

    def trouble(self) -> str:
        """Return why this process is not healthy; an empty string if it is."""
        now = time.monotonic()
        if now - self.lease.tried > _LEASE_SECONDS:
            return "the Lease is not being acquired or renewed"
        if self.lease.renewed is None:
            return ""
        if now - self.resync.done > 5 * self.resync.seconds:
            return "the resync could not list the objects"
        if self.queue.standing() > _QUEUE_SECONDS:
            return "the queue makes no progress"
        silent = any(now - each.answered > 5 * each.seconds for each in self.watches)
        return "a watch is stale" if silent else ""

    def register_gauges(self) -> None:
        """Make Prometheus' gauges read their values from here."""
        metrics.QUEUE.set_function(lambda: self.queue.overdue()[0])
        metrics.QUEUE_AGE.set_function(lambda: self.queue.overdue()[1])
        metrics.WATCH_AGE.set_function(lambda: max(0.0, time.monotonic() - min(each.answered for each in self.watches)))
        metrics.LEADER.set_function(lambda: self.lease.renewed is not None)


def serve(port: int, trouble: Callable[[], str]) -> ThreadingHTTPServer:
    """Start the server, which answers in its own threads until `shutdown()`."""
    server = _Server(("", port), _Handler)
    server.trouble = trouble
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    trouble: Callable[[], str]


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    """Seconds after which a silent client is disconnected."""

    def do_GET(self) -> None:
        """Answer with 200, with 503 and the reason, or with metrics."""
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
        """Log nothing, because there is a probe every few seconds."""
