"""Pods of two jobs, what is around them, and connections that must be possible or must not."""

from __future__ import annotations

from typing import Any

from scoremill.kubernetes import objects
from scoremill.kubernetes.objects import Network, Resource, names
from scoremill.kubernetes.objects.names import DASK_OPERATOR
from scoremill.spec import JobSpec
from tests.support.network import Peer

SPEC: dict[str, Any] = {"model": {"uri": "s3://m"}, "input": {"uris": ["s3://i"]}, "output": {"uri": "s3://o"}}
PLACE = "science"
DASK = "dask"
API = "10.0.0.5"
"""The API server's endpoint."""


def job(name: str, namespace: str = PLACE) -> Resource:
    return Resource("ScoringJob", name, namespace, f"uid-{name}", spec=SPEC)


def children(of: Resource, network: Network) -> list[dict[str, Any]]:
    """What the operator creates for a job before its pods, and its first driver."""
    spec = JobSpec.model_validate(of.spec)
    certificates = objects.Certificates("ca", "certificate", "key")
    support = objects.job_support(of, lambda *_: certificates, network)
    cluster = objects.job_cluster(of, spec, "runner:1")
    runner = objects.driver_job(of, spec, 1, cluster, resources={}, seconds=None)
    return [*support, *objects.driver_access(of, spec, network), runner]


def policies(network: Network) -> list[dict[str, Any]]:
    """The policies of the jobs `one` and `two`."""
    made = [each for name in ("one", "two") for each in children(job(name), network)]
    return [each for each in made if each["kind"] == "NetworkPolicy"]


def part(name: str, component: str, last: int) -> Peer:
    """The scheduler or worker of a job as dask-kubernetes makes it of the DaskCluster."""
    of = job(name)
    made = objects.job_cluster(of, JobSpec.model_validate(of.spec), "runner:1")
    own = made["spec"][component]["metadata"]["labels"]
    labels = {
        **made["metadata"]["labels"],
        **own,
        names.DASK_COMPONENT: component,
        names.DASK_CLUSTER: made["metadata"]["name"],
    }
    return Peer(f"10.1.0.{last}", PLACE, labels)


def driver(name: str, last: int) -> Peer:
    (made,) = [each for each in children(job(name), Network()) if each["kind"] == "Job"]
    return Peer(f"10.1.0.{last}", PLACE, made["spec"]["template"]["metadata"]["labels"])


PEERS = {
    "scheduler": part("one", "scheduler", 1),
    "worker": part("one", "worker", 2),
    "worker 2": part("one", "worker", 3),
    "driver": driver("one", 4),
    "other worker": part("two", "worker", 5),
    "other driver": driver("two", 6),
    "stranger": Peer("10.1.0.7", PLACE, {"app": "web"}),
    # A pod of another namespace with every label of the first job's worker.
    "impostor": Peer("10.2.0.1", "attack", part("one", "worker", 2).labels),
    "dask-kubernetes": Peer("10.3.0.1", DASK, {"app.kubernetes.io/name": DASK_OPERATOR}),
    "false dask-kubernetes": Peer("10.2.0.2", "attack", {"app.kubernetes.io/name": DASK_OPERATOR}),
    "store": Peer("10.4.0.1", "minio", {"app": "minio"}),
    "DNS": Peer("10.5.0.1", "kube-system", {"k8s-app": "kube-dns"}),
    "DNS of the node": Peer("169.254.20.10"),
    "bucket": Peer("52.216.1.1"),
    "bucket by IPv6": Peer("2600:1fa0::1"),
    "API": Peer(API),
    "metadata": Peer("169.254.169.254"),
    "metadata by IPv6": Peer("fd00:ec2::254"),
    "metadata of Azure": Peer("168.63.129.16"),
    "credentials of ECS": Peer("169.254.170.2"),
    "node": Peer("fe80::1"),
}

COMM, HTTP = names.COMM_PORT, names.HTTP_PORT
NEEDED: list[tuple[str, str, int, str]] = [
    ("worker", "scheduler", COMM, "TCP"),
    ("driver", "scheduler", COMM, "TCP"),
    ("scheduler", "worker", 40001, "TCP"),
    ("worker", "worker 2", 40002, "TCP"),
    ("driver", "worker", 40001, "TCP"),
    ("dask-kubernetes", "scheduler", HTTP, "TCP"),
    ("driver", "API", 6443, "TCP"),
    ("driver", "API", 443, "TCP"),
    *((pod, "DNS", 53, "UDP") for pod in ("worker", "scheduler", "driver")),
    ("worker", "DNS of the node", 53, "UDP"),
]
"""Without these nothing is scored."""
BUCKETS: list[tuple[str, str, int, str]] = [
    ("worker", "bucket", 443, "TCP"),
    ("driver", "bucket", 443, "TCP"),
    ("worker", "bucket by IPv6", 443, "TCP"),
    ("worker", "store", 9000, "TCP"),
    ("driver", "store", 9000, "TCP"),
]
ATTACKS: list[tuple[str, str, int, str]] = [
    *(
        (pod, "scheduler", HTTP, "TCP")
        for pod in ("worker", "driver", "other worker", "stranger", "impostor", "false dask-kubernetes")
    ),
    *(
        (pod, "scheduler", COMM, "TCP")
        for pod in ("other worker", "other driver", "stranger", "impostor", "dask-kubernetes", "false dask-kubernetes")
    ),
    *((pod, "worker", 40001, "TCP") for pod in ("other worker", "other driver", "stranger", "impostor")),
    *((pod, "driver", port, "TCP") for pod in ("worker", "other worker", "stranger") for port in (22, 8080, 40001)),
    *((pod, "API", 6443, "TCP") for pod in ("worker", "scheduler")),
    ("worker", "API", 443, "TCP"),
]
METADATA: list[tuple[str, str, int, str]] = [
    (pod, service, 80, "TCP")
    for pod in ("worker", "scheduler", "driver")
    for service in ("metadata", "metadata by IPv6", "metadata of Azure", "credentials of ECS")
]
