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
from tests.cluster.steps import NoClusterError, detach, log_tail, until
from tests.support.s3 import CREDENTIALS

Kind = Literal["s3", "gcs"]
_BINARY = {"s3": "versitygw", "gcs": "fake-gcs-server"}


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a store. Objects in S3 outlive the process of their server, objects in GCS do not."""

    kind: Kind
    host: str
    port: int
    folder: Path
    """Folder that identifies the process, and in which an S3 server keeps its objects."""

    @property
    def endpoint(self) -> str:
        """Return the URL of the server, for the machine and for pods."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start the server; NoClusterError with the end of its log if it does not answer within a minute."""
        (self.folder / "objects").mkdir(parents=True, exist_ok=True)
        log = self.folder / "log"
        detach(self._command(), log, self._environment())
        if not until(self.answers, 60):
            raise NoClusterError(f"{_BINARY[self.kind]} does not answer:{log_tail(log)}")

    def stop(self) -> None:
        """Stop the server, so that connections to its endpoint are refused."""
        remains.kill(self._processes)

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=2):
            return True
        return False

    def works(self) -> bool:
        """Return whether this server answers, and not another process."""
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
    """Return a server on a free port of `host`, not started yet; another `name` is another server."""
    with socket.socket() as free:
        free.bind((host, 0))
        return Server(kind, host, int(free.getsockname()[1]), OWN / f"{kind}{name}")


def known(kind: Kind, endpoint: str) -> Server:
    """Return the server that `up` started at `endpoint`."""
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    return Server(kind, host, int(port), OWN / kind)


def running(kind: Kind, host: str, endpoint: str | None) -> Server:
    """Return the server of an earlier `up` at `endpoint` if it works and is on `host`, else a new one."""
    if endpoint is not None:
        earlier = known(kind, endpoint)
        if earlier.host == host and earlier.works():
            return earlier
    server = new(kind, host)
    server.stop()
    server.start()
    return server


def stop_all() -> None:
    """Stop all servers of this cluster, including those of tests that were killed."""
    remains.kill(lambda: remains.processes(OWN, *_BINARY.values()))
