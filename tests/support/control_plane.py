"""A Kubernetes without machines: its real API server with etcd, from the binary that the test cluster's nodes have."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.cluster import parts

_READS = {"level": "Metadata", "verbs": ["get"], "resources": [{"group": "scoremill.dev"}]}
_AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [_READS]}
"""Which requests the API server writes down: reads of single jobs and schedules."""


class ControlPlane:
    """An API server and its etcd from enter to exit, with their files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kubeconfig = folder, folder / "kubeconfig"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process; where something failed, prints the end of each log."""
        self._stop()
        for log in sorted(self.folder.glob("*.log")) if error else []:
            sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n")

    def start(self, name: str, *command: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """A process that ends with the control plane and logs to `name`.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **environment}
            )
        self._processes.append(process)
        return process

    def part(self, name: str, *arguments: str) -> None:
        """Starts a part of Kubernetes. One binary is all of them: the name it is called by says which."""
        link = self.folder / name
        link.symlink_to(parts.hyperkube() / "hyperkube")
        self.start(name, link, *arguments)

    def _start(self) -> None:
        client, peer, api = free_ports(3)
        etcd, server = f"http://127.0.0.1:{client}", f"https://127.0.0.1:{api}"
        token = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        (self.folder / "etcd-url").write_text(etcd)
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
        self.part("etcd", *_etcd_flags(etcd, f"http://127.0.0.1:{peer}"))
        self.part("kube-apiserver", *_api_server_flags(etcd, api, self.key))
        wait_for(lambda: _is_ready(server), 60, "the API server")
        # The last file: a process that finds it can use what it names.
        self.kubeconfig.write_text(kubeconfig(server, self.folder / "certificates" / "apiserver.crt", token))

    @property
    def key(self) -> Path:
        """The key that signs tokens of service accounts."""
        return self.folder / "account.key"

    def _stop(self) -> None:
        # Killed, for nothing that they keep is wanted, and an API server ends in order only while its etcd runs.
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


def kubeconfig(server: str, certificate: Path, token: str, namespace: str = "default") -> str:
    """The text of a kubeconfig."""
    cluster = {"server": server, "certificate-authority": str(certificate)}
    context = {"cluster": "test", "user": "test", "namespace": namespace}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
        }
    )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Returns once `condition` holds; TimeoutError naming `what` if it does not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about in {seconds:.0f} s")
        time.sleep(0.1)


def _etcd_flags(client: str, peer: str) -> list[str]:
    return [
        "--data-dir=data",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        "--unsafe-no-fsync",
    ]


def _api_server_flags(etcd: str, port: int, key: Path) -> list[str]:
    return [
        f"--etcd-servers={etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--cert-dir=certificates",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://test",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # Watches of these come from etcd itself: a test compacts it, which removes old versions.
        "--watch-cache-sizes=secrets#0",
        # Nothing makes the accounts that it would demand.
        "--disable-admission-plugins=ServiceAccount",
        "--audit-policy-file=audit.yaml",
        "--audit-log-path=audit.jsonl",
    ]


def _is_ready(server: str) -> bool:
    asked = ["curl", "--silent", "--insecure", "--fail", "--max-time", "5", f"{server}/readyz"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
