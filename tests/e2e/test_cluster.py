"""The test cluster is one: pods resolve names, reach services and the object stores, and are admitted by the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from kubernetes import client, config, watch

from tests.cluster.buckets import Store
from tests.cluster.stores import Kind

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _pod(image: str, script: str, environment: dict[str, str]) -> dict[str, object]:
    container = {
        "name": "python",
        "image": image,
        "command": ["python", "-c", script],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": _RESTRICTED,
    }
    return {"metadata": {"name": "probe"}, "spec": {"restartPolicy": "Never", "containers": [container]}}


def _output(kubeconfig: Path, namespace: str, pod: dict[str, object]) -> str:
    """What the pod has printed when it has ended well."""
    with config.new_client_from_config(str(kubeconfig)) as api:
        core = client.CoreV1Api(api)
        core.create_namespaced_pod(namespace, pod)
        for event in watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=90):
            if (phase := event["object"].status.phase) in {"Succeeded", "Failed"}:
                log = str(core.read_namespaced_pod_log("probe", namespace))
                assert phase == "Succeeded", log
                return log
    raise AssertionError("the pod did not end in 90 s")


def _written(store: Store, kubeconfig: Path, namespace: str, image: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What this machine reads of an object that a pod wrote."""
    bucket = store.bucket()
    uri = bucket.uri("greeting")
    script = f"import fsspec\nwith fsspec.open({uri!r}, 'wb') as file: file.write(b'hello')"
    _output(kubeconfig, namespace, _pod(image, script, bucket.environment))
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    with fsspec.open(uri, skip_instance_cache=True) as file:
        return bytes(file.read())


def test_this_machine_reads_from_s3_what_a_pod_wrote(
    s3: Store, kubeconfig: Path, namespace: str, runner_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _written(s3, kubeconfig, namespace, runner_image, monkeypatch) == b"hello"


def test_this_machine_reads_from_gcs_what_a_pod_wrote(
    gcs: Store, kubeconfig: Path, namespace: str, runner_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _written(gcs, kubeconfig, namespace, runner_image, monkeypatch) == b"hello"


def test_a_pod_finds_services_by_name_and_reaches_them(kubeconfig: Path, namespace: str, runner_image: str) -> None:
    script = (
        "import socket; print(socket.create_connection(('kubernetes.default.svc.cluster.local', 443)).getpeername())"
    )
    assert "443" in _output(kubeconfig, namespace, _pod(runner_image, script, {}))


def test_pod_that_can_become_root_is_not_admitted(kubeconfig: Path, namespace: str, runner_image: str) -> None:
    with config.new_client_from_config(str(kubeconfig)) as api:
        pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "root", "image": runner_image}]}}
        with pytest.raises(client.ApiException, match="violates PodSecurity"):
            client.CoreV1Api(api).create_namespaced_pod(namespace, pod)


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_store_of_a_test_s_own_can_be_stopped_and_comes_back(own_store: Callable[[Kind], Store], kind: Kind) -> None:
    server = own_store(kind).server
    assert server.answers()
    server.stop()
    assert not server.answers()
    server.start()
    assert server.answers()
