"""The cluster of kind: one control plane and two workers."""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.parts import tool
from tests.cluster.places import KUBECONFIG, NAME, OWN, SOURCES
from tests.cluster.steps import NoClusterError, run, say, step


def create(image: str, env: dict[str, str]) -> None:
    """Create the cluster and wait until all nodes are ready; keep a cluster that works."""
    if NAME in run(tool("kind"), "get", "clusters", env=env).split():
        if not (problem := _stopped(env) or unready(KUBECONFIG)):
            return
        say(f"the cluster of an earlier run cannot be used: {problem}")
        delete(env)
    OWN.mkdir(parents=True, exist_ok=True)
    place = ["--name", NAME, "--kubeconfig", KUBECONFIG]
    with step("create a cluster of three nodes", "40 s"):
        try:
            config = SOURCES / "kind.yaml"
            run(
                tool("kind"),
                "create",
                "cluster",
                *place,
                "--image",
                image,
                "--config",
                config,
                "--wait",
                "180s",
                env=env,
            )
        except NoClusterError:
            delete(env)
            raise
    if problem := unready(KUBECONFIG):
        raise NoClusterError(problem)


def delete(env: dict[str, str]) -> None:
    """Delete the nodes, if there are any."""
    run(tool("kind"), "delete", "cluster", "--name", NAME, "--kubeconfig", KUBECONFIG, env=env)


def load(images: list[str], env: dict[str, str]) -> None:
    """Load `images` of the Docker daemon into the workers, except for those that they have."""
    workers = f"{NAME}-worker,{NAME}-worker2"
    run(tool("kind"), "load", "docker-image", *images, "--name", NAME, "--nodes", workers, env=env)


def unready(kubeconfig: Path) -> str:
    """Return why the cluster of `kubeconfig` cannot be used; empty if it answers and every node is ready within a minute."""
    from kubernetes import client, config, watch

    try:
        with config.new_client_from_config(str(kubeconfig)) as api:
            nodes = client.CoreV1Api(api)
            waiting = {node.metadata.name: node for node in nodes.list_node(_request_timeout=10).items}
            if all(map(_ready, waiting.values())):
                return ""
            for event in watch.Watch().stream(nodes.list_node, timeout_seconds=60, _request_timeout=70):
                waiting[event["object"].metadata.name] = event["object"]
                if all(map(_ready, waiting.values())):
                    return ""
            return f"not ready: {', '.join(name for name, node in waiting.items() if not _ready(node))}"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]


def has_restarted(node: str, since: datetime, kubeconfig: Path) -> bool:
    """Return whether the node is ready, and every container of a pod that stays on it is ready and began after `since`."""
    from kubernetes import client, config

    with config.new_client_from_config(str(kubeconfig)) as api:
        core = client.CoreV1Api(api)
        pods = core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={node},status.phase=Running").items
        staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
        containers = [status for pod in staying for status in pod.status.container_statuses or []]
        return _ready(core.read_node(node)) and all(
            status.ready and status.state.running and status.state.running.started_at >= since for status in containers
        )


def _stopped(env: dict[str, str]) -> str:
    """Return the nodes that have stopped, which the cluster itself notices later; empty if none has."""
    nodes = ["--filter", f"label=io.x-k8s.kind.cluster={NAME}", "--format", "{{.State}} {{.Names}}"]
    containers = run("docker", "ps", "--all", *nodes, env=env).splitlines()
    return ", ".join(line for line in containers if not line.startswith("running "))


def address_towards(kubeconfig: Path) -> str:
    """Return SCOREMILL_TEST_HOST, or this machine's address on the way to the cluster's API server, which pods can reach."""
    from kubernetes import client, config

    if given := os.environ.get("SCOREMILL_TEST_HOST"):
        return given
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    server = urlsplit(configuration.host)
    with socket.create_connection((server.hostname, server.port or 443), timeout=10) as connection:
        address = str(connection.getsockname()[0])
    if ipaddress.ip_address(address).is_loopback:
        raise NoClusterError(
            f"pods cannot reach {address}: set SCOREMILL_TEST_HOST to an address of this machine that they reach,\n"
            "  for a cluster of kind the gateway that `docker network inspect kind` shows"
        )
    return address


def _ready(node: object) -> bool:
    conditions = node.status.conditions or []  # type: ignore[attr-defined]
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
