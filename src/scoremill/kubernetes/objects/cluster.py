"""The DaskCluster: one scheduler, one worker process a pod, TLS between all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoremill import naming
from scoremill.naming import LEAVE_SECONDS
from scoremill.spec import Cluster, Credentials, Workers
from scoremill.units import GIB, MIB

from . import names
from .dask_config import LEAVE, scheduler_env, worker_env
from .merge import merge

Object = dict[str, Any]

MEMORY, CPU = 4 * GIB, 1.0
"""Of a worker where nothing is said."""
SCHEDULER_MEMORY, SCHEDULER_CPU = 1 * GIB, 0.5
SCRATCH_BYTES = 10 * GIB
"""The most that bundles and temporary files of a pod may take."""
_END_SECONDS = 30
"""Time in which a worker's processes end."""
_UID = 1000


def dask_cluster(name: str, namespace: str, image: str, cluster: Cluster, credentials: Credentials) -> Object:
    """The DaskCluster `name` of dask-kubernetes with `cluster.template` laid over it.

    `image` is used where `cluster.image` is not given. Its annotation holds the digest of its spec.
    """
    workers = cluster.bounds or Workers()
    made: Object = {
        "apiVersion": names.DASK_GROUP,
        "kind": "DaskCluster",
        "metadata": {"name": name, "namespace": namespace, "labels": names.labels(name)},
        "spec": {
            "idleTimeout": cluster.idle_timeout_seconds,
            "scheduler": {
                "metadata": _metadata("scheduler"),
                "spec": pod_of(cluster, _scheduler(cluster.image or image)),
                "service": _service(name),
            },
            "worker": {
                "replicas": workers.min,
                "metadata": _metadata("worker"),
                "spec": pod_of(cluster, _worker(name, namespace, cluster.image or image, cluster, credentials)),
            },
        },
    }
    _mount_certificates(made, name)
    made = merge(made, cluster.template)
    asked = naming.digest([made["spec"], workers.model_dump()])
    return merge(made, {"metadata": {"annotations": {names.SPEC: asked}}})  # type: ignore[no-any-return]


def said_of(template: Mapping[str, Any], part: str) -> Object:
    """What a template says of the container of `scheduler` or `worker`; empty where it says nothing."""
    containers = template.get("spec", {}).get(part, {}).get("spec", {}).get("containers", ())
    return next((each for each in containers if each["name"] == part), {})


def image_of(cluster: Mapping[str, Any]) -> str:
    """The image of a DaskCluster's workers, which is its driver's too; KeyError where it has none."""
    return str(cluster["spec"]["worker"]["spec"]["containers"][0]["image"])


def worker_memory(memory: int) -> int:
    """Dask's memory limit, in bytes, in a pod that may use `memory`.

    The rest is for the nanny beside the worker (90 MiB) and for what is freed late, so that Dask ends a worker that
    grows too large before the kernel kills the pod.
    """
    return memory - max(192 * MIB, memory // 10)


def _metadata(component: str) -> Object:
    evict = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}}
    return {
        "labels": {"app.kubernetes.io/component": component},
        # Autoscalers of nodes may move workers; with its scheduler a run is lost.
        **(evict if component == "scheduler" else {}),
    }


def _scheduler(image: str) -> Object:
    health = {"path": "/health", "port": "http-dashboard"}
    return {
        "name": "scheduler",
        "image": image,
        "args": [
            "dask", "scheduler", "--host", "0.0.0.0", "--protocol", "tls", "--port", str(names.COMM_PORT),  # noqa: S104
            "--dashboard-address", f":{names.HTTP_PORT}",
        ],
        "env": env_of(scheduler_env()),
        "ports": [
            {"name": "tcp-comm", "containerPort": names.COMM_PORT},
            {"name": "http-dashboard", "containerPort": names.HTTP_PORT},
        ],
        "readinessProbe": {"httpGet": health, "periodSeconds": 2, "timeoutSeconds": 5},
        "livenessProbe": {"httpGet": health, "periodSeconds": 20, "timeoutSeconds": 20, "failureThreshold": 6,
                          "initialDelaySeconds": 30},
        "resources": _resources(SCHEDULER_CPU, SCHEDULER_MEMORY),
    }  # fmt: skip


def _worker(name: str, namespace: str, image: str, cluster: Cluster, credentials: Credentials) -> Object:
    memory = cluster.memory or MEMORY
    address = {"DASK_SCHEDULER_ADDRESS": names.scheduler_address(name, namespace)}
    secret = credentials.secret_ref
    return {
        "name": "worker",
        "image": image,
        "args": [
            "dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nthreads", "1", "--no-dashboard",
            "--protocol", "tls", "--local-directory", names.SCRATCH, "--memory-limit", str(worker_memory(memory)),
            *LEAVE,
        ],
        "env": env_of({**worker_env(), **address, **cluster.env}),
        **({"envFrom": [{"secretRef": {"name": secret.name}}]} if secret else {}),
        "resources": _resources(cluster.cpu or CPU, memory),
    }  # fmt: skip


def pod_of(cluster: Cluster, container: Object) -> Object:
    """A pod that Pod Security `restricted` admits, with one container."""
    locked = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = [{"name": "scratch", "mountPath": names.SCRATCH}, {"name": "tls", "mountPath": names.TLS_FOLDER,
                                                                "readOnly": True}]  # fmt: skip
    is_worker = container["name"] == "worker"
    return {
        **({"serviceAccountName": cluster.service_account} if cluster.service_account and is_worker else {}),
        **({"terminationGracePeriodSeconds": LEAVE_SECONDS + _END_SECONDS} if is_worker else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**container, "securityContext": locked, "volumeMounts": mounts}],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": str(SCRATCH_BYTES)}}],
    }


def certificates_volume(name: str) -> Object:
    """The volume of the certificates of cluster `name`."""
    # Readable by the pod's group alone, which is its fsGroup: without both, Dask may not read its own key.
    return {"name": "tls", "secret": {"secretName": names.secret_name(name), "defaultMode": 0o440}}


def _mount_certificates(made: Object, name: str) -> None:
    for part in ("scheduler", "worker"):
        made["spec"][part]["spec"]["volumes"].append(certificates_volume(name))


def _service(name: str) -> Object:
    return {
        "type": "ClusterIP",
        "selector": {names.DASK_CLUSTER: name, names.DASK_COMPONENT: "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": names.COMM_PORT, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": names.HTTP_PORT, "targetPort": "http-dashboard"},
        ],
    }


def _resources(cpu: float, memory: int) -> Object:
    """Memory and disk are bounded, cores only asked for: a bound on them makes the last call of a batch wait."""
    return {
        "requests": {"cpu": f"{round(cpu * 1000)}m", "memory": str(memory), "ephemeral-storage": str(GIB)},
        "limits": {"memory": str(memory), "ephemeral-storage": str(SCRATCH_BYTES + GIB)},
    }


def env_of(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]
