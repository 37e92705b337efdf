"""One Kubernetes API server for all tests of a run, in whatever process they are, and a namespace of its own for each.

`python -m tests.support.kubernetes_api FOLDER` runs the server until no process holds FOLDER/users any more: tests that
are killed leave nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill.kubernetes.api import Kube, connect
from tests.cluster import parts
from tests.cluster.steps import alone, detach
from tests.support.control_plane import ControlPlane, kubeconfig, wait_for

_ROOT = Path(__file__).parents[2]
_PATH = os.pathsep.join(map(str, (_ROOT, _ROOT / "src", _ROOT / "operator")))
_RBAC = "rbac.authorization.k8s.io/v1"
_KINDS = ("ScoringJob", "ScoringSchedule", "DaskCluster", "DaskWorkerGroup", "DaskAutoscaler")


@dataclass(frozen=True)
class KubernetesApi:
    """A namespace of a real API server. Nothing else runs: no controllers, no pods."""

    folder: Path
    """Folder of the server."""
    namespace: str
    own: Path
    """For files of the test."""

    @cached_property
    def kube(self) -> Kube:
        """The API, with every right."""
        return connect(str(self.folder / "kubeconfig"), namespace=self.namespace)

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        host, port = self._config["clusters"][0]["cluster"]["server"].removeprefix("https://").split(":")
        return host, int(port)

    def kubeconfig(self, port: int | None = None, *, token: str | None = None) -> Path:
        """A kubeconfig of this namespace; with `port`, one that finds the server behind a port of this machine.

        `token` is that of somebody who has not every right.
        """
        server = f"https://127.0.0.1:{port or self.address[1]}"
        token = token or self._config["users"][0]["user"]["token"]
        path = self.own / f"kubeconfig-{port or 'direct'}-{hash(token)}"
        path.write_text(kubeconfig(server, self.folder / "certificates" / "apiserver.crt", token, self.namespace))
        return path

    def account(self, name: str, rules: list[dict[str, Any]]) -> Kube:
        """The API as a new service account finds it, which has the rights of a Role with these `rules` and no other."""
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        role = {"kind": "Role", "name": name, "apiGroup": _RBAC.partition("/")[0]}
        for made in (
            {"apiVersion": "v1", "kind": "ServiceAccount"},
            {"apiVersion": _RBAC, "kind": "Role", "rules": rules},
            {"apiVersion": _RBAC, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
        ):
            self.kube.create({**made, "metadata": {"name": name}})
        answer = self.kube.call("POST", f"{self.kube.path('ServiceAccount', name)}/token", {}, {"spec": {}})
        found = connect(str(self.kubeconfig(token=answer.body["status"]["token"])))
        # The server learns of a new binding by a watch.
        wait_for(lambda: _can(found, "list", "pods"), 30, f"the rights of {name}")
        return found

    def reads(self) -> set[str]:
        """Names of the ScoringJobs of this namespace that were read one by one."""
        lines = map(json.loads, (self.folder / "audit.jsonl").read_text().splitlines())
        asked = [each["objectRef"] for each in lines]
        return {
            each["name"] for each in asked if each["namespace"] == self.namespace and each["resource"] == "scoringjobs"
        }

    @property
    def etcd(self) -> str:
        """The URL of the server's etcd."""
        return (self.folder / "etcd-url").read_text()

    def status(self, kind: str, name: str, status: Any) -> None:
        """Writes the status of an object, as a controller would."""
        self.kube.call("PATCH", f"{self.kube.path(kind, name)}/status", {}, {"status": status})

    @property
    def _config(self) -> Any:
        return yaml.safe_load((self.folder / "kubeconfig").read_text())


def _can(kube: Kube, verb: str, resource: str) -> bool:
    """Return whether the API server permits it."""
    asked = {"spec": {"resourceAttributes": {"namespace": kube.namespace, "verb": verb, "resource": resource}}}
    answer = kube.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}, asked)
    return bool(answer.body["status"]["allowed"])


@pytest.fixture(scope="session")
def kubernetes_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the server, which runs until the last process that asked for it ends."""
    if not parts.kubernetes_folder().exists():
        pytest.fail("the Kubernetes API server that tests talk to is not built: make control-plane")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kubernetes-api"
    folder.mkdir(exist_ok=True)
    with (folder / "users").open("w") as users:
        with alone(folder / "starting"):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = folder / "server"
            if not (server / "kubeconfig").exists():
                detach(
                    [sys.executable, "-m", __name__, str(folder)], folder / "log", {**os.environ, "PYTHONPATH": _PATH}
                )
                wait_for((server / "ready").exists, 90, "the Kubernetes API server")
        yield server


@pytest.fixture
def kubernetes_api(kubernetes_server: Path, tmp_path: Path) -> KubernetesApi:
    """A new namespace of the server."""
    api = KubernetesApi(kubernetes_server, f"test-{secrets.token_hex(4)}", tmp_path)
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace}}
    api.kube.call("POST", "/api/v1/namespaces", {}, made)
    return api


def serve(folder: Path) -> None:
    """Runs the server, with the kinds that the chart defines, until nobody holds `folder`/users."""
    server = folder / "server"
    server.mkdir()
    with (folder / "users").open() as users:
        with ControlPlane(server) as plane:
            define(connect(str(plane.kubeconfig)))
            (server / "ready").touch()
            fcntl.flock(users, fcntl.LOCK_EX)
        # The next process waits for the lock, and starts another.
        shutil.rmtree(server)


def define(kube: Kube) -> None:
    """The API server knows our kinds and dask-kubernetes'."""
    dask = Path(str(files("dask_kubernetes"))) / "operator/deployment/helm/dask-kubernetes-operator/crds"
    theirs = [dask / f"dask{name}.yaml" for name in ("cluster", "workergroup", "autoscaler")]
    for path in [*(_ROOT / "helm/scoremill/files/crds").glob("*.yaml"), *theirs]:
        # The parser in C: these files are long.
        for made in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            kube.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}, made)
    wait_for(lambda: all(kube.call("GET", kube.path(kind)).status == 200 for kind in _KINDS), 30, "the kinds")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
