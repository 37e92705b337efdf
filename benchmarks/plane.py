"""A Kubernetes without machines: its real API server, controllers and scheduler, and KWOK's word that pods run."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from scoremill.kubernetes.client import Kube, connect
from tests.cluster import parts

NODE = "nowhere"
ENDS = {"exitCode": 0, "rows": {"total": 1000, "scored": 1000, "rejected": 0}, "partitions": 1, "repeated": 0,
        "modelDigest": f"sha256:{'0' * 64}", "outputs": {"manifest": "s3://bucket/out/_scoremill/manifest.json"}}  # fmt: skip
"""What every driver says at its end."""
_RUNS = """
{{ $now := Now }}
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
phase: Running
startTime: {{ $now | Quote }}
"""
_HAS_ENDED = """
{{ $now := Now }}
conditions:
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}, message: %s}}
{{ end }}
phase: Succeeded
"""


_IS_READY = """
conditions:
- {type: Ready, status: "True", reason: KubeletReady, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }}}
"""


def _stage(name: str, next_: dict[str, Any], seconds: float = 0, **values: str | None) -> dict[str, Any]:
    """What becomes of pods whose fields have those values; None: they have no such field."""
    keys = {"going": ".metadata.deletionTimestamp", "phase": ".status.phase",
            "component": '.metadata.labels["app.kubernetes.io/component"]', "node": ".spec.nodeName"}  # fmt: skip
    found = [
        {"key": keys[key], "operator": "DoesNotExist"} if value is None
        else {"key": keys[key], "operator": "Exists"} if value == "*"
        else {"key": keys[key], "operator": "In", "values": [value]}
        for key, value in values.items()
    ]  # fmt: skip
    delay = {"delay": {"durationMilliseconds": round(seconds * 1000)}} if seconds else {}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name},
        "spec": {"resourceRef": {"apiGroup": "v1", "kind": "Pod"}, "selector": {"matchExpressions": found}, "next": next_, **delay},
    }  # fmt: skip


def stages(driver_seconds: float) -> str:
    """KWOK's configuration: pods run at once, drivers end after so long, and what is to go goes."""
    ended = _HAS_ENDED % json.dumps(json.dumps(ENDS))
    ready = {
        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
        "operator": "NotIn",
        "values": ["True"],
    }
    node = _stage("is-ready", {"statusTemplate": _IS_READY})
    node["spec"] |= {"resourceRef": {"apiGroup": "v1", "kind": "Node"}, "selector": {"matchExpressions": [ready]}}
    return yaml.safe_dump_all([
        node,
        _stage("runs", {"statusTemplate": _RUNS}, going=None, phase="Pending", node="*"),
        _stage("ends", {"statusTemplate": ended}, driver_seconds, going=None, phase="Running", component="driver"),
        _stage("goes", {"delete": True}, going="*"),
    ])  # fmt: skip


class Plane:
    """From enter to exit: `kube` reaches it, `kubeconfig` too."""

    def __init__(self, folder: Path, driver_seconds: float) -> None:
        self._folder, self._driver_seconds = folder, driver_seconds
        self._processes: list[subprocess.Popen[bytes]] = []
        self.kubeconfig = folder / "kubeconfig"

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
        """Ends all; where something failed, with everybody's last words."""
        self._stop()
        for log in sorted(self._folder.glob("*.log")) if error else []:
            sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n")

    @property
    def kube(self) -> Kube:
        return connect(str(self.kubeconfig), namespace="default")

    def start(self, name: str, *command: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """A process that ends with the plane; its words are in `name`.log."""
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, cwd=self._folder, env={**os.environ, **environment}
            )
        self._processes.append(process)
        return process

    def _start(self) -> None:
        ports = free_ports(4)
        etcd, api = f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[2]}"
        token = secrets.token_hex(16)
        (self._folder / "tokens.csv").write_text(f"{token},bench,bench,system:masters\n")
        key = self._folder / "account.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": api, "certificate-authority": "certificates/apiserver.crt"}}],
            "users": [{"name": "bench", "user": {"token": token}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }))  # fmt: skip
        self._part("etcd", "--data-dir=data", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                   f"--listen-peer-urls=http://127.0.0.1:{ports[1]}", "--unsafe-no-fsync")  # fmt: skip
        self._part("kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={ports[2]}", "--bind-address=127.0.0.1",
                   "--cert-dir=certificates", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
                   "--service-account-issuer=https://bench", f"--service-account-key-file={key}",
                   f"--service-account-signing-key-file={key}", "--service-cluster-ip-range=10.0.0.0/24")  # fmt: skip
        wait_for(lambda: self._answers(api), 60, "the API server")
        self._part("kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--secure-port=0", "--leader-elect=false",
                   f"--service-account-private-key-file={key}", "--use-service-account-credentials=false",
                   "--kube-api-qps=500", "--kube-api-burst=1000",
                   "--concurrent-gc-syncs=40")  # fmt: skip
        self._part("kube-scheduler", f"--kubeconfig={self.kubeconfig}", "--secure-port=0", "--leader-elect=false",
                   "--kube-api-qps=500", "--kube-api-burst=1000")  # fmt: skip
        (self._folder / "stages.yaml").write_text(stages(self._driver_seconds))
        self.start("kwok", parts.tool("kwok"), f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes",
                   "--node-lease-duration-seconds=40", f"--config={self._folder / 'stages.yaml'}",
                   f"--server-address=127.0.0.1:{ports[3]}")  # fmt: skip
        roomy = {"cpu": "100k", "memory": "1Pi", "pods": "100k", "ephemeral-storage": "1Pi"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE},
            "status": {"allocatable": roomy, "capacity": roomy},
        }
        wait_for(lambda: self.kube.create(node) or True, 60, "its node")

    def _part(self, name: str, *arguments: str) -> None:
        # One binary is all of them: the name it is called by says which.
        link = self._folder / name
        link.symlink_to(parts.hyperkube() / "hyperkube")
        self.start(name, link, *arguments)

    def _answers(self, api: str) -> bool:
        asked = ["curl", "--silent", "--insecure", "--fail", "--max-time", "5", f"{api}/readyz"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
    """`condition` holds; TimeoutError naming `what` if it does not come to."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about in {seconds:.0f} s")
        time.sleep(0.5)
