"""The operator of dask-kubernetes, from the chart in its package."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from tests.cluster.parts import tool
from tests.cluster.steps import NoClusterError, run, step

NAMESPACE = "dask-operator"
_CHART = Path("operator", "deployment", "helm", "dask-kubernetes-operator")


def install(kubeconfig: Path, image: str) -> None:
    """Install the operator from `image` for all namespaces, with its resource definitions."""
    name, _, tag = image.rpartition(":")
    values = [f"image.name={name}", f"image.tag={tag}", "image.pullPolicy=IfNotPresent"]
    command = ["upgrade", "--install", "dask-kubernetes-operator", str(_chart()), "--namespace", NAMESPACE]
    command += ["--create-namespace", "--wait", "--timeout", "180s", *(f"--set={value}" for value in values)]
    with step("install dask-kubernetes' operator", "15 s"):
        run(tool("helm"), *command, env={**os.environ, "KUBECONFIG": str(kubeconfig)})


def check(kubeconfig: Path) -> None:
    """Raise NoClusterError if a user's cluster does not have dask-kubernetes, which the user has to install."""
    from kubernetes import client, config

    with config.new_client_from_config(str(kubeconfig)) as api:
        groups = {group.name for group in client.ApisApi(api).get_api_versions(_request_timeout=10).groups}
    if "kubernetes.dask.org" not in groups:
        raise NoClusterError(f"the cluster of {kubeconfig} lacks dask-kubernetes: helm install it from helm.dask.org")


def _chart() -> Path:
    return Path(str(files("dask_kubernetes"))) / _CHART
