"""An HTTP proxy before a store's server that fails on purpose."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

_HOPS = {"connection", "transfer-encoding", "keep-alive", "server", "date"}


@dataclass(frozen=True, slots=True)
class Request:
    """What reached the proxy."""

    number: int
    """From 1."""
    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An error of S3's, given in place of the server's answer."""

    status: int
    code: str
    message: str = "injected"
    elements: dict[str, str] = field(default_factory=dict)
    """Further elements of the error, such as `Region`."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        parts = {"Code": self.code, "Message": self.message, **self.elements}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


@dataclass(frozen=True, slots=True)
class GoogleAnswer(Answer):
    """An error of Google's JSON interface; `code` is its reason."""

    @property
    def body(self) -> bytes:
        detail = {"message": self.message, "domain": "global", "reason": self.code}
        return json.dumps({"error": {"code": self.status, "message": self.message, "errors": [detail]}}).encode()


RESET = "reset"
"""The connection is closed before the server hears of the request."""
LOST = "lost"
"""The server does what was asked; its answer is lost."""
TRUNCATED = "truncated"
"""Half of the server's answer arrives."""
SLOW_DOWN = Answer(503, "SlowDown")

Fault = Answer | str | None
Rule = Callable[[Request], Fault]


@dataclass(slots=True)
class Proxy:
    """The rule, the endpoint and the received requests of a proxy."""

    rule: Rule
    endpoint: str = ""
    requests: list[Request] = field(default_factory=list)


def every(number: int, *faults: Fault) -> Rule:
    """Return a rule that gives the next of `faults` for each `number`-th request, and starts over after the last."""
    return lambda request: None if request.number % number else faults[request.number // number % len(faults)]


@contextmanager
def proxy(
    upstream: str,
    rule: Rule = lambda request: None,
    drop: tuple[str, ...] = (),
    tls: ssl.SSLContext | None = None,
) -> Iterator[Proxy]:
    """Run a proxy in front of the server at `upstream`. It removes the headers in `drop`."""
    state = Proxy(rule)
    lock = threading.Lock()
    target = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                request = Request(len(state.requests) + 1, self.command, self.path, headers)
                state.requests.append(request)
            match state.rule(request):
                case Answer() as answer:
                    self._refuse(answer)
                case "reset":
                    self.close_connection = True
                case fault:
                    self._forward(body, fault)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _serve

        def _refuse(self, answer: Answer) -> None:
            kind = "application/json" if isinstance(answer, GoogleAnswer) else "application/xml"
            self._reply(answer.status, {"Content-Type": kind, **answer.headers}, answer.body, len(answer.body))

        def _forward(self, body: bytes, fault: Fault) -> None:
            connection = http.client.HTTPConnection(target, timeout=30)
            try:
                passed = {name: value for name, value in self.headers.items() if name.lower() not in drop}
                connection.request(self.command, self.path, body, passed)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
            if fault == LOST:
                self.close_connection = True
                return
            headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOPS}
            length = int(headers.pop("Content-Length", len(content)))
            if "Location" in headers:
                headers["Location"] = headers["Location"].replace(upstream, state.endpoint)
            if fault == TRUNCATED and content:
                content, self.close_connection = content[: len(content) // 2], True
            self._reply(response.status, headers, content, length)

        def _reply(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing, because tests check `requests`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: clients that are killed, or that give up, are what tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    state.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
