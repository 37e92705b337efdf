"""Render NetworkPolicies, and the PodDisruptionBudget of the scheduler."""

from __future__ import annotations

from typing import Any

from . import names
from .network import Network, worker_egress

_NAMESPACE = "kubernetes.io/metadata.name"
"""Label of every namespace with its name."""


def network_policies(cluster: str, namespace: str, network: Network | None = None) -> list[dict[str, Any]]:
    """Render policies that admit the cluster's own pods, and on the HTTP port dask-kubernetes alone.

    A driver outside of Kubernetes uses a forwarded port, to which no policy applies; one inside has the label
    `scoremill.dev/cluster`. Probes of the kubelet are always admitted. Without `network`, egress is not limited.
    """
    own = {"podSelector": {"matchLabels": {names.LABEL: cluster}}}
    place = {_NAMESPACE: network.dask_namespace} if network and network.dask_namespace else None
    operator = {
        "namespaceSelector": {"matchLabels": place} if place else {},
        "podSelector": {"matchLabels": {names.APP: names.DASK_OPERATOR}},
    }
    egress = worker_egress(cluster, network) if network else None
    from_cluster = {"from": [own], "ports": [{"protocol": "TCP", "port": names.COMM_PORT}]}
    from_operator = {"from": [operator], "ports": [{"protocol": "TCP", "port": names.HTTP_PORT}]}
    return [
        _policy(cluster, namespace, "scheduler", [from_cluster, from_operator], egress),
        # Worker and nanny listen on random ports.
        _policy(cluster, namespace, "worker", [{"from": [own]}], egress),
    ]


def _policy(
    cluster: str, namespace: str, component: str, ingress: list[Any], egress: list[Any] | None
) -> dict[str, Any]:
    pods = {names.LABEL: cluster, names.DASK_COMPONENT: component}
    types = ["Ingress"] if egress is None else ["Ingress", "Egress"]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{cluster}-{component}", "namespace": namespace, "labels": names.labels(cluster)},
        "spec": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": types,
            "ingress": ingress,
            **({} if egress is None else {"egress": egress}),
        },
    }


def disruption_budget(cluster: str, namespace: str) -> dict[str, Any]:
    """Render a budget that keeps the scheduler from being evicted; workers can be evicted at any time."""
    pods = {names.LABEL: cluster, names.DASK_COMPONENT: "scheduler"}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": names.scheduler_name(cluster),
            "namespace": namespace,
            "labels": names.labels(cluster),
        },
        "spec": {
            "minAvailable": 1,
            # A scheduler that is not healthy must not block a drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": pods},
        },
    }
