"""Render what the pods of scheduler, workers and driver have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scoremill.errors import UsageError
from scoremill.naming import LEAVE_SECONDS
from scoremill.spec import Cluster
from scoremill.spec.secrecy import is_secret
from scoremill.units import GIB

from . import names

Object = dict[str, Any]

SCRATCH_BYTES = 10 * GIB
"""Size limit of the bundles and temporary files of a pod, in bytes."""
_END_SECONDS = 30
"""Seconds in which a worker's processes exit."""
_UID = 1000
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_of(cluster: Cluster, container: Object) -> Object:
    """Render the spec of a pod with one container, as Pod Security level `restricted` requires."""
    mounts = [
        {"name": "scratch", "mountPath": names.SCRATCH},
        {"name": "tls", "mountPath": names.TLS_FOLDER, "readOnly": True},
    ]
    return {
        **(_of_worker(cluster) if container["name"] == "worker" else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**container, "securityContext": dict(_LOCKED), "volumeMounts": mounts}],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": str(SCRATCH_BYTES)}}],
    }


def _of_worker(cluster: Cluster) -> Object:
    account = {"serviceAccountName": cluster.service_account} if cluster.service_account else {}
    return {**account, "terminationGracePeriodSeconds": LEAVE_SECONDS + _END_SECONDS}


def certificates_volume(cluster: str) -> Object:
    """Render the volume with the certificates of a cluster."""
    # The mode, together with the pod's fsGroup, lets Dask read its key.
    return {"name": "tls", "secret": {"secretName": names.secret_name(cluster), "defaultMode": 0o440}}


def resources(cpu: float, memory: int) -> Object:
    """Render requests and limits. CPU has no limit, because throttling would delay the end of each batch."""
    return {
        "requests": {"cpu": f"{round(cpu * 1000)}m", "memory": str(memory), "ephemeral-storage": str(GIB)},
        "limits": {"memory": str(memory), "ephemeral-storage": str(SCRATCH_BYTES + GIB)},
    }


def env_of(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Render environment variables as a list for a container."""
    return [{"name": name, "value": value} for name, value in values.items()]


def refuse_secrets(variables: Iterable[str]) -> None:
    """Raise UsageError for the first variable whose name marks its value as a secret."""
    for name in variables:
        if is_secret(name):
            raise UsageError(
                f"variable {name} seems to be a secret, which would be readable in the DaskCluster",
                "Create a Secret with `kubectl create secret generic NAME --from-literal KEY=VALUE` and name it with `secret=`.",
                code="SecretExposed",
            )
