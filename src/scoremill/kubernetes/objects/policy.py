"""Who may talk to whom, and what a drained node may take away."""

from __future__ import annotations

from typing import Any

from . import names
from .network import Network, worker_egress

_NAMESPACE = "kubernetes.io/metadata.name"
"""Label of every namespace: its name."""
OPERATOR = "dask-kubernetes-operator"
"""`app.kubernetes.io/name` of dask-kubernetes' operator, by its chart."""


def network_policies(cluster: str, namespace: str, network: Network | None = None) -> list[dict[str, Any]]:
    """Scheduler and workers are reached from the cluster's own pods; plain HTTP from dask-kubernetes alone.

    A driver outside of Kubernetes comes by a forwarded port, which no policy sees; one inside carries the label
    `scoremill.dev/cluster`. The kubelet's probes are always let in. Without `network`, what pods reach is not limited.
    """
    own = {"podSelector": {"matchLabels": {names.LABEL: cluster}}}
    place = {_NAMESPACE: network.dask_namespace} if network and network.dask_namespace else None
    operator = {
        "namespaceSelector": {"matchLabels": place} if place else {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": OPERATOR}},
    }
    egress = worker_egress(cluster, network) if network else None
    from_cluster = {"from": [own], "ports": [{"protocol": "TCP", "port": names.COMM_PORT}]}
    from_operator = {"from": [operator], "ports": [{"protocol": "TCP", "port": names.HTTP_PORT}]}
    return [
        _policy(cluster, namespace, "scheduler", [from_cluster, from_operator], egress),
        # Worker and nanny listen on ports that the kernel picks.
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
    """A drain waits for the scheduler until the cluster ends; workers may go at any time, which costs only time."""
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
            # One that does not run holds up nobody.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": pods},
        },
    }
