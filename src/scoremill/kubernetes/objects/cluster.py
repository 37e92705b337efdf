"""Render a DaskCluster: one scheduler, one worker process per pod, TLS between all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoremill import naming
from scoremill.spec import Cluster, Credentials, Workers
from scoremill.units import GIB, MIB

from . import names, policy, tls
from .dask_config import LEAVE, scheduler_env, worker_env
from .pod import certificates_volume, env_of, pod_of, resources
from .template import strategic_merge

Object = dict[str, Any]

MEMORY, CPU = 4 * GIB, 1.0
"""Default memory and CPU of a worker."""
SCHEDULER_MEMORY, SCHEDULER_CPU = 1 * GIB, 0.5
_SCHEDULER_ARGS = (
    f"dask scheduler --host 0.0.0.0 --protocol tls --port {names.COMM_PORT} --dashboard-address :{names.HTTP_PORT}"
).split()
_WORKER_ARGS = (
    "dask worker --name $(DASK_WORKER_NAME) --nthreads 1 --no-dashboard --protocol tls "
    f"--local-directory {names.SCRATCH}"
).split()


def dask_cluster(name: str, namespace: str, image: str, cluster: Cluster, credentials: Credentials) -> Object:
    """Render the DaskCluster `name` with `cluster.template` merged into it.

    `image` is the default for `cluster.image`. An annotation holds the digest of the spec.
    """
    workers = cluster.bounds or Workers()
    made: Object = {
        "apiVersion": names.DASK_API_VERSION,
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
    made = strategic_merge(made, cluster.template)
    asked = naming.digest([made["spec"], workers.model_dump()])
    return strategic_merge(made, {"metadata": {"annotations": {names.SPEC: asked}}})  # type: ignore[no-any-return]


def image_of(cluster: Mapping[str, Any]) -> str:
    """Return the image of a DaskCluster's workers, which its driver uses too; raise KeyError if it has none."""
    return str(cluster["spec"]["worker"]["spec"]["containers"][0]["image"])


def cluster_objects(cluster: str, namespace: str, workers: Workers, certificates: tls.Certificates) -> list[Object]:
    """Render what a cluster without a job owns: certificates, policies, and for a range the autoscaler."""
    return [
        tls.secret(cluster, namespace, certificates),
        *policy.network_policies(cluster, namespace),
        policy.disruption_budget(cluster, namespace),
        *([autoscaler(cluster, namespace, workers)] if workers.min < workers.max else []),
    ]


def autoscaler(cluster: str, namespace: str, workers: Workers) -> Object:
    """Render the DaskAutoscaler of a cluster."""
    return {
        "apiVersion": names.DASK_API_VERSION,
        "kind": "DaskAutoscaler",
        "metadata": {"name": cluster, "namespace": namespace, "labels": names.labels(cluster)},
        "spec": {"cluster": cluster, "minimum": workers.min, "maximum": workers.max},
    }


def worker_memory(memory: int) -> int:
    """Return Dask's memory limit in bytes for a worker in a pod with `memory` bytes.

    The rest is for the nanny process (90 MiB) and for memory that is freed late, so that Dask restarts a worker that
    grows too large before the kernel kills the pod.
    """
    return memory - max(192 * MIB, memory // 10)


def _metadata(component: str) -> Object:
    evict = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}}
    return {
        "labels": {names.COMPONENT: component},
        # Node autoscalers can evict workers, but the run fails with its scheduler.
        **(evict if component == "scheduler" else {}),
    }


def _scheduler(image: str) -> Object:
    health = {"path": "/health", "port": "http-dashboard"}
    return {
        "name": "scheduler",
        "image": image,
        "args": list(_SCHEDULER_ARGS),
        "env": env_of(scheduler_env()),
        "ports": [
            {"name": "tcp-comm", "containerPort": names.COMM_PORT},
            {"name": "http-dashboard", "containerPort": names.HTTP_PORT},
        ],
        "readinessProbe": {"httpGet": health, "periodSeconds": 2, "timeoutSeconds": 5},
        "livenessProbe": {
            "httpGet": health,
            "periodSeconds": 20,
            "timeoutSeconds": 20,
            "failureThreshold": 6,
            "initialDelaySeconds": 30,
        },
        "resources": resources(SCHEDULER_CPU, SCHEDULER_MEMORY),
    }


def _worker(name: str, namespace: str, image: str, cluster: Cluster, credentials: Credentials) -> Object:
    memory = cluster.memory or MEMORY
    address = {"DASK_SCHEDULER_ADDRESS": names.scheduler_address(name, namespace)}
    secret = credentials.secret_ref
    return {
        "name": "worker",
        "image": image,
        "args": [*_WORKER_ARGS, "--memory-limit", str(worker_memory(memory)), *LEAVE],
        "env": env_of({**worker_env(), **address, **cluster.env}),
        **({"envFrom": [{"secretRef": {"name": secret.name}}]} if secret else {}),
        "resources": resources(cluster.cpu or CPU, memory),
    }


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
