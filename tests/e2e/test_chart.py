"""The chart on a real cluster: installed, changed, rolled back and removed; its accounts can do what they are for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config, watch
from kubernetes.client import ApiException

from tests.chart.conftest import CHART, vendored
from tests.chart.tools import source, tool
from tests.support.kube import kubectl

pytestmark = pytest.mark.timeout(600)

Helm = Callable[..., str]
OF_RELEASE = "app.kubernetes.io/instance=mill"
OPERATOR = "app.kubernetes.io/name=dask-kubernetes-operator"


@pytest.fixture
def helm(kubeconfig: Path, namespace: str) -> Helm:
    """Runs helm in the test's namespace; its standard output."""
    vendored()

    def run(*arguments: str | Path) -> str:
        # What the nodes were given, they need not pull.
        policy = ["--set", "dask-kubernetes-operator.image.pullPolicy=IfNotPresent"]
        # Other tests' releases have left the kinds.
        policy += ["--take-ownership", "--force-conflicts"]
        changes = arguments[0] in {"install", "upgrade"}
        command = [tool("helm"), *arguments, "--namespace", namespace, *(policy if changes else [])]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(kubeconfig)) as found:
        yield found


def operator_log_until(api: client.ApiClient, namespace: str, said: str) -> str:
    """The log of dask-kubernetes' operator from its start until it has said that."""
    core = client.CoreV1Api(api)
    pods = watch.Watch().stream(core.list_namespaced_pod, namespace, label_selector=OPERATOR, timeout_seconds=120)
    pod = next(e["object"] for e in pods if any(c.ready for c in e["object"].status.container_statuses or []))
    lines: list[str] = []
    for line in watch.Watch().stream(core.read_namespaced_pod_log, pod.metadata.name, namespace, _request_timeout=120):
        lines.append(line)
        if said in line:
            return "\n".join(lines)
    raise AssertionError("\n".join(["it ended:", *lines]))


def test_release_is_installed_changed_rolled_back_and_removed(
    helm: Helm, api: client.ApiClient, namespace: str
) -> None:
    policies = client.NetworkingV1Api(api).list_namespaced_network_policy
    helm("install", "mill", CHART, "--wait", "--timeout", "120s")
    # The probes' line comes ten seconds and more after its start: it has asked for all that it watches by then.
    log = operator_log_until(api, namespace, "GET /healthz")
    assert "Traceback" not in log
    assert "forbidden" not in log.lower()
    assert len(policies(namespace, label_selector=OF_RELEASE).items) == 4

    helm("upgrade", "mill", CHART, "--set", "networkPolicies.enabled=false", "--wait", "--timeout", "120s")
    assert not policies(namespace, label_selector=OF_RELEASE).items
    helm("rollback", "mill", "1", "--wait", "--timeout", "120s")
    assert len(policies(namespace, label_selector=OF_RELEASE).items) == 4

    helm("uninstall", "mill", "--wait", "--timeout", "120s")
    left = client.RbacAuthorizationV1Api(api).list_namespaced_role(namespace, label_selector=OF_RELEASE).items
    left += client.CoreV1Api(api).list_namespaced_service_account(namespace, label_selector=OF_RELEASE).items
    left += client.RbacAuthorizationV1Api(api).list_cluster_role(label_selector=OF_RELEASE).items
    assert not [each.metadata.name for each in left if namespace in each.metadata.name or each.metadata.namespace]
    kinds = client.ApiextensionsV1Api(api).list_custom_resource_definition().items
    kept = {"daskclusters.kubernetes.dask.org", "scoringjobs.scoremill.dev", "scoringschedules.scoremill.dev"}
    assert kept <= {kind.metadata.name for kind in kinds}


def driver_kubeconfig(api: client.ApiClient, kubeconfig: Path, namespace: str, place: Path) -> Path:
    """A kubeconfig whose user is the release's driver account."""
    request = {"spec": {"expirationSeconds": 600, "audiences": []}}
    core = client.CoreV1Api(api)
    token = core.create_namespaced_service_account_token("mill-scoremill-driver", namespace, request).status.token
    document = yaml.safe_load(kubeconfig.read_text())
    (cluster,) = document["clusters"]
    context = {"cluster": cluster["name"], "user": "driver", "namespace": namespace}
    document |= {
        "users": [{"name": "driver", "user": {"token": token}}],
        "contexts": [{"name": "driver", "context": context}],
        "current-context": "driver",
    }
    path = place / "kubeconfig"
    path.touch(0o600)
    path.write_text(yaml.safe_dump(document))
    return path


def test_driver_account_can_only_start_and_end_a_cluster(
    helm: Helm, api: client.ApiClient, kubeconfig: Path, namespace: str, runner_image: str, tmp_path: Path
) -> None:
    name, _, tag = runner_image.rpartition(":")
    image = [f"--set=image.repository={name}", f"--set=image.tag={tag}"]
    # The test cluster has an operator that watches all namespaces.
    helm("install", "mill", CHART, "--set", "dask-kubernetes-operator.enabled=false", *image)
    core = client.CoreV1Api(api)
    template = tmp_path / "template.yaml"
    template.write_text(core.read_namespaced_config_map("mill-scoremill-clusters", namespace).data["template.yaml"])
    driver = driver_kubeconfig(api, kubeconfig, namespace, tmp_path)

    def cluster(*arguments: str) -> str:
        command = [sys.executable, "-m", "scoremill", "cluster", *arguments, "--kubeconfig", str(driver)]
        done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": "src", "HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        return done.stdout

    cluster("up", "trips", "--memory=768MiB", "--cpu=0.1", f"--template={template}", "--timeout=240s")
    (worker,) = core.list_namespaced_pod(namespace, label_selector="dask.org/component=worker").items
    assert worker.spec.service_account_name == "mill-scoremill-worker"
    assert "/var/run/secrets" not in str(worker.spec.containers[0].volume_mounts)
    assert json.loads(cluster("status", "trips", "--json"))["name"] == "trips"
    cluster("down", "trips")
    assert not core.list_namespaced_pod(namespace, label_selector="scoremill.dev/cluster=trips").items

    with config.new_client_from_config(str(driver)) as restricted:
        pod = {"metadata": {"name": "own"}, "spec": {"containers": [{"name": "own", "image": runner_image}]}}
        with pytest.raises(ApiException, match="Forbidden"):
            client.CoreV1Api(restricted).create_namespaced_pod(namespace, pod)
        with pytest.raises(ApiException, match="Forbidden"):
            client.CoreV1Api(restricted).list_namespaced_secret("kube-system")


def test_monitors_are_those_of_prometheus_operator(helm: Helm, kubeconfig: Path, tmp_path: Path) -> None:
    wanted = ["operator.metrics.serviceMonitor=true", "operator.metrics.podMonitor=true"]
    rendered = helm("template", "mill", CHART, *(word for value in wanted for word in ("--set", value)))
    monitors = tmp_path / "monitors.yaml"
    monitors.write_text(
        yaml.safe_dump_all([each for each in yaml.safe_load_all(rendered) if each and "Monitor" in each["kind"]])
    )
    kinds = source("github.com/prometheus-operator/prometheus-operator", "v0.79.2") / "example/prometheus-operator-crd"
    definitions = [
        f"--filename={kinds}/monitoring.coreos.com_{name}s.yaml" for name in ("servicemonitor", "podmonitor")
    ]

    def asked(*arguments: str) -> list[str]:
        command = [kubectl(), f"--kubeconfig={kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    try:
        asked("apply", "--server-side", *definitions)
        asked("wait", "--for=condition=Established", "--timeout=60s", *definitions)
        taken = asked("create", "--dry-run=server", "--validate=strict", f"--filename={monitors}")
    finally:
        asked("delete", "--ignore-not-found", *definitions)
    assert [line.split("/")[0] for line in taken] == [
        "podmonitor.monitoring.coreos.com",
        "servicemonitor.monitoring.coreos.com",
    ]
