"""Where the API server is, with which credentials: a kubeconfig, or the pod's own cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scoremill.errors import ClusterError
from scoremill.extras import require

from .client import Kube
from .transport import Transport

_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def connect(kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> Kube:
    """Return a client of the API in the kubeconfig or, in a pod without one, of the pod's own cluster."""
    configuration, its_namespace = _configured(kubeconfig, context)
    return Kube(Transport(configuration), namespace or its_namespace)


def current_context() -> str:
    """Return the name of the kubeconfig's current context; ClusterError if there is none."""
    require("kubernetes", "Kubernetes")
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    try:
        _, active = config.list_kube_config_contexts(os.environ.get("KUBECONFIG"))
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(
            f"no kubeconfig was found: {error}", "Set KUBECONFIG, or create ~/.kube/config.", code="NoKubeconfig"
        ) from None
    return str(active["name"])


def _configured(kubeconfig: str | None, context: str | None) -> tuple[Any, str]:
    """Return the configuration of the library kubernetes, and the namespace that goes with it."""
    require("kubernetes", "Kubernetes")
    from kubernetes import config
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException

    configuration = Configuration()
    # The client's own default is the value that the variable had when it was imported.
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if not kubeconfig and not context and _is_pod():
            config.load_incluster_config(client_configuration=configuration)
            # A proxy in HTTPS_PROXY is for buckets; it cannot resolve the cluster's own services.
            configuration.proxy = None
            return configuration, _IN_POD.read_text().strip()
        config.load_kube_config(kubeconfig, context, client_configuration=configuration)
        contexts, active = config.list_kube_config_contexts(kubeconfig)
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(
            f"could not load a Kubernetes configuration: {error}",
            "Set KUBECONFIG, or choose a cluster with `kubeconfig=` and `context=`.",
            code="NoKubeconfig",
        ) from None
    chosen = next((each for each in contexts if each["name"] == context), active)
    return configuration, chosen["context"].get("namespace") or "default"


def _is_pod() -> bool:
    has_config = "KUBECONFIG" in os.environ or (Path.home() / ".kube" / "config").exists()
    return not has_config and "KUBERNETES_SERVICE_HOST" in os.environ and _IN_POD.exists()
