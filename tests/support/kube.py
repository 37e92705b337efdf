"""Shared by tests on a real cluster: a namespace, the command line in it, and the runner image."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient

from scoremill.kubernetes.api import Kube, Object, connect
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import names
from tests.cluster import parts
from tests.cluster.places import State
from tests.support.jobs import command

SMALL = ("--memory", "600MiB", "--cpu", "0.1")
"""A worker that fits many times into two small nodes."""


@cache
def kubectl() -> Path:
    """This machine's kubectl, or else the one that the test cluster's nodes have."""
    if found := shutil.which("kubectl"):
        return Path(found)
    link = parts.hyperkube() / "kubectl"
    with suppress(FileExistsError):
        # One binary is all of Kubernetes: the name it is called by says which part.
        link.symlink_to("hyperkube")
    return link


@contextmanager
def new_namespace(kubeconfig: Path) -> Iterator[str]:
    """A namespace that admits restricted pods only; its deletion is asked for at the end, and not waited for."""
    name = f"e2e-{secrets.token_hex(4)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "scoremill.dev/test": "e2e"}
    with config.new_client_from_config(str(kubeconfig)) as api:
        core = client.CoreV1Api(api)
        core.create_namespace({"metadata": {"name": name, "labels": labels}}, _request_timeout=30)
        try:
            yield name
        finally:
            core.delete_namespace(name, _request_timeout=30)


@dataclass(frozen=True)
class Place:
    """A namespace of a cluster, and a user who works there by the command line."""

    kubeconfig: Path
    namespace: str
    image: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further environment of the user's: the way to the buckets, mostly."""

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """`scoremill ARGUMENTS`, running."""
        where = (
            ["--namespace", self.namespace]
            if arguments[0] in {"cluster", "score", "dataset", "job", "schedule"}
            else []
        )
        variables = {**self.environment, "KUBECONFIG": str(self.kubeconfig), **environment}
        return command(*arguments, *where, environment=variables)

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """`scoremill ARGUMENTS`, ended; killed where the test is."""
        with self.start(*arguments, **environment) as process:
            try:
                out, err = process.communicate()
            except BaseException:
                process.kill()
                raise
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ok(self, *arguments: object, **environment: str) -> str:
        """What `scoremill ARGUMENTS` prints that goes well."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def fails(self, code: int, *arguments: object, **environment: str) -> str:
        """What `scoremill ARGUMENTS` says that ends with `code`; never with a traceback."""
        done = self.run(*arguments, **environment)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def up(self, name: str, *arguments: object) -> Named:
        """A cluster of small workers that is up."""
        self.ok("cluster", "up", name, *SMALL, "--image", self.image, *arguments)
        return Named(self.kube, name)

    @property
    def kube(self) -> Kube:
        """The Kubernetes API, in the namespace."""
        return connect(str(self.kubeconfig), namespace=self.namespace)

    def everything(self) -> list[Object]:
        """Every object of the namespace, of whatever kind, and those outside of namespaces that bear our label."""
        found = []
        with config.new_client_from_config(str(self.kubeconfig)) as api:
            for kind in DynamicClient(api).resources.search():
                if kind.kind.endswith("List") or not {"list", "watch"} <= set(kind.verbs or ()):
                    continue
                where = {"namespace": self.namespace} if kind.namespaced else {"label_selector": names.LABEL}
                found += [{**each.to_dict(), "kind": kind.kind} for each in kind.get(**where).items]
        return found

    def secret(self, name: str, values: Mapping[str, str]) -> None:
        """Makes a Secret."""
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
        assert self.kube.create(made)


def in_image(cluster: State, folder: Path, *words: object, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints that runs in the runner image on this machine; `folder` is its working folder."""
    if cluster.kind is None:
        pytest.skip("not run: a cluster of the user's pulls the image; it need not be on this machine")
    options = ["--rm", "--network", "host", "--read-only", "--tmpfs", "/tmp", "--user", f"{os.getuid()}:{os.getgid()}"]
    options += ["--volume", f"{folder}:{folder}", "--workdir", str(folder)]
    for name, value in (environment or {}).items():
        options += ["--env", f"{name}={value}"]
    docker = {**os.environ, **({"DOCKER_HOST": cluster.docker_host} if cluster.docker_host else {})}
    whole = ["docker", "run", *options, str(cluster.runner), *map(str, words)]
    done = subprocess.run(whole, env=docker, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evict(kubeconfig: Path, pod: Object) -> int:
    """The status by which Kubernetes answers to what `kubectl drain` asks for each pod."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    with config.new_client_from_config(str(kubeconfig)) as api:
        try:
            client.CoreV1Api(api).create_namespaced_pod_eviction(
                name, namespace, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            )
        except client.ApiException as error:
            return int(error.status)
    return 201


@contextmanager
def cordoned(kubeconfig: Path, node: str) -> Iterator[None]:
    """Nothing new is placed on `node`."""
    with config.new_client_from_config(str(kubeconfig)) as api:
        core = client.CoreV1Api(api)
        core.patch_node(node, {"spec": {"unschedulable": True}})
        try:
            yield
        finally:
            core.patch_node(node, {"spec": {"unschedulable": None}})
