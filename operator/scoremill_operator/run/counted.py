"""A client of the Kubernetes API that counts its calls."""

from __future__ import annotations

from typing import Any

from scoremill.kubernetes.api import Kube, connect
from scoremill.kubernetes.api.transport import Transport

from .. import metrics


class Counted(Transport):
    """A transport that counts its requests."""

    def request(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        metrics.CALLS.labels(method).inc()
        return super().request(method, *arguments, **keywords)


def connect_counted(namespace: str | None) -> Kube:
    """Connect to the API of the pod's own cluster, or of KUBECONFIG, with the namespace `namespace`."""
    found = connect(namespace=namespace)
    return Kube(Counted(found.transport.configuration), found.namespace)
