"""A Google Cloud Storage server (fake-gcs-server, built with Go where that is installed), and a bucket for each test."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_PACKAGE = "github.com/fsouza/fake-gcs-server@v1.56.1"
_BINARIES = Path.home() / ".cache" / "scoremill" / "bin"


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket."""

    endpoint: str
    bucket: str

    def uri(self, name: str = "") -> str:
        """The URI of the object `name`."""
        return f"gs://{self.bucket}/{name}".rstrip("/")

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which another process reaches it."""
        return {"STORAGE_EMULATOR_HOST": self.endpoint}


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """The address of a server for all tests of this process; skips where it cannot be built."""
    binary = _server()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    place = ["-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}", "-external-url", endpoint]
    command = [str(binary), "-scheme", "http", "-backend", "memory", "-log-level", "error", *place]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for(port, process)
        yield endpoint
        process.terminate()


@pytest.fixture
def gcs(gcs_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket; the environment leads every client to it."""
    bucket = Bucket(gcs_endpoint, f"bucket-{secrets.token_hex(6)}")
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    body = json.dumps({"name": bucket.bucket}).encode()
    request = urllib.request.Request(
        f"{gcs_endpoint}/storage/v1/b?project=test", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request):
        return bucket


def _server() -> Path:
    binary = _BINARIES / "fake-gcs-server"
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"not run: GCS needs fake-gcs-server; install Go, or GOBIN={_BINARIES} go install {_PACKAGE}")
    _BINARIES.mkdir(parents=True, exist_ok=True)
    # Test processes run side by side; one builds, the others wait for it.
    with (_BINARIES / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            environment = {**os.environ, "GOBIN": str(_BINARIES)}
            built = subprocess.run(
                [go, "install", _PACKAGE], env=environment, capture_output=True, text=True, check=False
            )
            if built.returncode:
                pytest.skip(f"not run: `go install {_PACKAGE}` failed: {built.stderr.strip().splitlines()[-1:]}")
    return binary


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise RuntimeError(f"fake-gcs-server ended with {process.returncode}")
