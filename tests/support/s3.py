"""An S3 server in this process (moto's), and a bucket of its own for each test."""

from __future__ import annotations

import logging
import secrets
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket."""

    endpoint: str
    bucket: str

    def uri(self, name: str = "") -> str:
        """The URI of the key `name`."""
        return f"s3://{self.bucket}/{name}".rstrip("/")

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which another process reaches it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a server for all tests of this process."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = _one_writer_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket; the environment leads every client to it."""
    bucket = Bucket(s3_endpoint, f"bucket-{secrets.token_hex(6)}")
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    with urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/{bucket.bucket}", method="PUT")):
        return bucket


def _one_writer_at_a_time(application: Callable[..., Any]) -> Callable[..., Iterable[bytes]]:
    """S3 decides conditional writes one after the other; moto alone checks first and writes later."""
    lock = threading.Lock()

    def locked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"PUT", "POST", "DELETE"}:
            return application(environ, start_response)  # type: ignore[no-any-return]
        with lock:
            return list(application(environ, start_response))

    return locked
