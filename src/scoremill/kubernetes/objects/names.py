"""Names, labels, ports and paths of the objects of a cluster and its pods."""

from __future__ import annotations

import re
from hashlib import sha256

from scoremill.errors import UsageError
from scoremill.units import quoted

JOB = "scoremill.dev/job"
"""Label of every object of a ScoringJob, including pods: the job's child name."""
JOB_NAME = "scoremill.dev/job-name"
"""Annotation of the same objects: the full name of the ScoringJob."""
JOB_OF_POD = "batch.kubernetes.io/job-name"
"""Label that Kubernetes sets on the pods of a batch Job: the name of the Job."""
LABEL = "scoremill.dev/cluster"
"""Label of every object of a cluster, including pods: the name of the cluster."""
SPEC = "scoremill.dev/spec"
"""Annotation of a DaskCluster: the digest of its requested spec."""
SCHEDULE = "scoremill.dev/schedule"
"""Label of a schedule's jobs with the `schedule_label` of the schedule."""
SCHEDULED_TIME = "scoremill.dev/scheduled-time"
"""Annotation of a schedule's job with the time that it was created for (RFC 3339)."""
DASK_CLUSTER = "dask.org/cluster-name"
DASK_COMPONENT = "dask.org/component"
DASK_API_VERSION = "kubernetes.dask.org/v1"

APP = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "scoremill-operator"
"""Label APP of scoremill's operator, its field manager, and the default name of its Lease."""
DASK_OPERATOR = "dask-kubernetes-operator"
"""Label APP of dask-kubernetes' operator, as its chart sets it."""

COMM_PORT = 8786
"""Port on which the scheduler communicates with workers and clients over TLS."""
HTTP_PORT = 8787
"""Port of the scheduler's health checks, metrics and HTTP API, without TLS."""

DRIVER = "driver"
"""Label COMPONENT of a driver's pods, and the name of its container."""

TLS_FOLDER = "/tls"
TLS_FILES = ("ca.crt", "tls.crt", "tls.key")
"""Keys of the Secret with certificates, and files in TLS_FOLDER, in the order of the fields of `Certificates`."""
SCRATCH = "/scratch"

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")
"""With the suffix `-scheduler` the name of a Service, which has at most 63 characters and starts with a letter."""
RESERVED = frozenset({"auto", "local", "in-process"})
"""Values of `cluster` with another meaning."""


def is_name(where: str) -> bool:
    """Return whether a value of `cluster` is the name of a cluster, and not an address or a reserved word."""
    return where not in RESERVED and "://" not in where


def is_cluster_name(name: str) -> bool:
    """Return whether `name` is a valid cluster name: at most 53 of a-z, 0-9 and -, starting with a letter."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def refuse_name(name: str) -> None:
    """Raise UsageError if `name` is not a valid cluster name."""
    if not is_cluster_name(name):
        raise UsageError(
            f"{quoted(name)} is not a valid cluster name",
            "Use at most 53 lower-case letters, digits and hyphens, starting with a letter; local and in-process are "
            "reserved.",
        )


def refuse_user(where: str) -> None:
    """Raise UsageError if a cluster's address contains a user or a password, because it is printed and logged."""
    if "@" in where:
        message = "`cluster=` contains a user or a password, which would be logged"
        raise UsageError(message, "Use an address such as tls://HOST:PORT.", code="SecretExposed")


def child_name(job: str, uid: str) -> str:
    """Return the name of a ScoringJob's cluster, which is the prefix of the names of all its children.

    It is unique to the job's uid, so that remains of a deleted job of the same name do not conflict.
    """
    stem = re.sub(r"[^a-z0-9]+", "-", job)
    stem = (stem if stem[0].isalpha() else f"job-{stem}")[:40].rstrip("-")
    return f"{stem}-{sha256(f'{uid}/{job}'.encode()).hexdigest()[:8]}"


def driver_name(child: str, attempt: int) -> str:
    """Return the name of the driver Job of one attempt."""
    return f"{child}-{attempt}"


def labels(cluster: str) -> dict[str, str]:
    """Return the labels of every object of `cluster`."""
    return {
        APP: "dask",
        INSTANCE: cluster,
        PART_OF: "scoremill",
        MANAGED_BY: "scoremill",
        LABEL: cluster,
    }


def selector(cluster: str | None = None, component: str | None = None) -> str:
    """Return the label selector of one cluster's objects, of one component's pods, or of all clusters."""
    parts = [f"{MANAGED_BY}=scoremill"]
    parts.append(f"{LABEL}={cluster}" if cluster else LABEL)
    if component:
        parts.append(f"{DASK_COMPONENT}={component}")
    return ",".join(parts)


def scheduler_name(cluster: str) -> str:
    """Return the name that dask-kubernetes gives the scheduler's Deployment and Service."""
    return f"{cluster}-scheduler"


def group_name(cluster: str) -> str:
    """Return the name of the cluster's DaskWorkerGroup, the only one that dask-kubernetes' autoscaler changes."""
    return f"{cluster}-default"


def secret_name(cluster: str) -> str:
    """Return the name of the Secret with the cluster's certificates."""
    return f"{cluster}-tls"


def scheduler_host(cluster: str, namespace: str) -> str:
    """Return the name of the scheduler inside Kubernetes."""
    return f"{scheduler_name(cluster)}.{namespace}.svc.cluster.local"


def scheduler_address(cluster: str, namespace: str) -> str:
    """Return the address of the scheduler inside Kubernetes."""
    return f"tls://{scheduler_host(cluster, namespace)}:{COMM_PORT}"
