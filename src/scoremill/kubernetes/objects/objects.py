"""What stands beside a DaskCluster: all of it owned by it, so that it goes with it."""

from __future__ import annotations

from typing import Any

from scoremill.spec import Workers

from . import names, policy, tls

Object = dict[str, Any]


def cluster_objects(cluster: str, namespace: str, workers: Workers, certificates: tls.Certificates) -> list[Object]:
    """Certificates, policies, and for a range of workers the autoscaler."""
    return [
        tls.secret(cluster, namespace, certificates),
        *policy.network_policies(cluster, namespace),
        policy.disruption_budget(cluster, namespace),
        *([autoscaler(cluster, namespace, workers)] if workers.min < workers.max else []),
    ]


def autoscaler(cluster: str, namespace: str, workers: Workers) -> Object:
    """The DaskAutoscaler of a cluster."""
    return {
        "apiVersion": names.DASK_GROUP,
        "kind": "DaskAutoscaler",
        "metadata": {"name": cluster, "namespace": namespace, "labels": names.labels(cluster)},
        "spec": {"cluster": cluster, "minimum": workers.min, "maximum": workers.max},
    }


def owned_by(child: Object, owner: Object, *, blocks: bool = False) -> Object:
    """`child` as Kubernetes is to remove it with `owner`, an object that it has made.

    One that `blocks` is waited for: an owner that is removed in the foreground is there until it is gone.
    """
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **({"blockOwnerDeletion": True} if blocks else {}),
    }
    return {**child, "metadata": {**child["metadata"], "ownerReferences": [reference]}}


def is_ready(pod: Object) -> bool:
    """Whether the pod is ready and not about to end."""
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
