"""A client of the Kubernetes API that counts its calls."""

from __future__ import annotations

from typing import Any

from scoremill.kubernetes.client import Kube, connect

from .. import metrics


class Counted(Kube):
    """A client that counts its calls."""

    def _request(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        metrics.CALLS.labels(method).inc()
        return super()._request(method, *arguments, **keywords)


def connect_counted(namespace: str | None) -> Kube:
    """Connect to the API of the pod's own cluster, or of KUBECONFIG, with the namespace `namespace`."""
    found = connect(namespace=namespace)
    return Counted(found.configuration, found.namespace)
