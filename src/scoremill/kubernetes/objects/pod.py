"""What the pods of scheduler, workers and driver have in common."""

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
"""The most that bundles and temporary files of a pod may take."""
_END_SECONDS = 30
"""Time in which a worker's processes end."""
_UID = 1000
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_of(cluster: Cluster, container: Object) -> Object:
    """Return the spec of a pod with one container that Pod Security `restricted` admits."""
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
    """Return the volume of the certificates of a cluster."""
    # Readable by the pod's group alone, which is its fsGroup: without both, Dask may not read its own key.
    return {"name": "tls", "secret": {"secretName": names.secret_name(cluster), "defaultMode": 0o440}}


def resources(cpu: float, memory: int) -> Object:
    """Return requests and limits. Cores are only requested: with a limit, the last call of a batch would wait."""
    return {
        "requests": {"cpu": f"{round(cpu * 1000)}m", "memory": str(memory), "ephemeral-storage": str(GIB)},
        "limits": {"memory": str(memory), "ephemeral-storage": str(SCRATCH_BYTES + GIB)},
    }


def env_of(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return variables as a container has them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def refuse_secrets(variables: Iterable[str]) -> None:
    """Raise UsageError that names the first variable whose name says that its value is a secret."""
    for name in variables:
        if is_secret(name):
            raise UsageError(
                f"{name} looks like a secret, and would stand in the DaskCluster for all to read",
                "Put it into a Secret (kubectl create secret generic NAME …) and give --secret NAME.",
            )
