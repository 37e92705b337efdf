"""Object stores that this machine and the cluster's pods reach at one address: versitygw (S3), fake-gcs-server (GCS)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.cluster import remains
from tests.cluster.parts import tool
from tests.cluster.places import OWN
from tests.cluster.steps import NoClusterError, detach, last_words, until
from tests.support.s3 import CREDENTIALS

Kind = Literal["s3", "gcs"]
_BINARY = {"s3": "versitygw", "gcs": "fake-gcs-server"}


@dataclass(frozen=True, slots=True)
class Server:
    """A store's server: what it holds in S3 outlives its process, what it holds in GCS does not."""

    kind: Kind
    host: str
    port: int
    folder: Path
    """What its process is known by, and where an S3 server keeps its objects."""

    @property
    def endpoint(self) -> str:
        """Its URL, for the machine and for pods."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """It answers. NoClusterError with the last words of its log if it does not within a minute."""
        (self.folder / "objects").mkdir(parents=True, exist_ok=True)
        log = self.folder / "log"
        detach(self._command(), log, self._environment())
        if not until(self.answers, 60):
            raise NoClusterError(f"{_BINARY[self.kind]} does not answer:{last_words(log)}")

    def stop(self) -> None:
        """Nobody answers at its endpoint: connections are refused."""
        remains.kill(self._processes)

    def answers(self) -> bool:
        """Whether connections are taken."""
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=2):
            return True
        return False

    def is_well(self) -> bool:
        """Whether it is our own server that answers."""
        return bool(self._processes()) and self.answers()

    def _processes(self) -> list[int]:
        return remains.processes(self.folder, _BINARY[self.kind], "setsid")

    def _command(self) -> list[str]:
        binary, place = str(tool(_BINARY[self.kind])), f"{self.host}:{self.port}"
        if self.kind == "s3":
            return [binary, "--port", place, "--quiet", "posix", str(self.folder / "objects")]
        public = ["-public-host", place, "-external-url", self.endpoint]
        listen = ["-scheme", "http", "-host", self.host, "-port", str(self.port), "-log-level", "error"]
        return [binary, "-backend", "memory", "-filesystem-root", str(self.folder / "objects"), *listen, *public]

    @staticmethod
    def _environment() -> dict[str, str]:
        own = {
            "ROOT_ACCESS_KEY": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
        return os.environ | own


def new(kind: Kind, host: str, name: str = "") -> Server:
    """A server on a free port of `host`, not started yet; another `name` is another server."""
    with socket.socket() as free:
        free.bind((host, 0))
        return Server(kind, host, int(free.getsockname()[1]), OWN / f"{kind}{name}")


def known(kind: Kind, endpoint: str) -> Server:
    """The server that `up` started at `endpoint`."""
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    return Server(kind, host, int(port), OWN / kind)


def running(kind: Kind, host: str, endpoint: str | None) -> Server:
    """The server of an earlier `up` at `endpoint` if it is well and on `host`, else a new one."""
    if endpoint is not None:
        earlier = known(kind, endpoint)
        if earlier.host == host and earlier.is_well():
            return earlier
    server = new(kind, host)
    server.stop()
    server.start()
    return server


def stop_all() -> None:
    """No server of ours runs, not even a test's that was killed."""
    remains.kill(lambda: remains.processes(OWN, *_BINARY.values()))
