"""Names and labels of the objects of a cluster, and where things are inside its pods."""

from __future__ import annotations

import re
from hashlib import sha256

from scoremill.errors import UsageError

JOB = "scoremill.dev/job"
"""On every object of a ScoringJob, pods included: its child name."""
JOB_NAME = "scoremill.dev/job-name"
"""Annotation beside it: the ScoringJob's whole name."""
JOB_OF_POD = "batch.kubernetes.io/job-name"
"""Label that Kubernetes gives the pods of a batch Job: its name."""
LABEL = "scoremill.dev/cluster"
"""On every object of a cluster, pods included: its name."""
SPEC = "scoremill.dev/spec"
"""Annotation of a DaskCluster: the digest of what was asked for."""
DASK_CLUSTER = "dask.org/cluster-name"
DASK_COMPONENT = "dask.org/component"
DASK_GROUP = "kubernetes.dask.org/v1"

COMM_PORT = 8786
"""Where the scheduler talks to workers and clients, by TLS."""
HTTP_PORT = 8787
"""Where the scheduler's health, metrics and HTTP API are, in plain text."""

DRIVER = "driver"
"""`app.kubernetes.io/component` of a driver's pods, and the name of its container."""

TLS_FOLDER = "/tls"
SCRATCH = "/scratch"

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")
"""A Service's name of at most 63 with `-scheduler` behind it; Services begin with a letter."""
RESERVED = frozenset({"local", "in-process"})
"""What `--cluster` means otherwise."""


def is_name(where: str) -> bool:
    """Whether `--cluster` names a cluster on Kubernetes: it is neither an address nor one of the reserved words."""
    return where not in RESERVED and "://" not in where


def is_cluster_name(name: str) -> bool:
    """Whether `name` can name a cluster: at most 53 of a-z, 0-9 and -, beginning with a letter."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def refuse_name(name: str) -> None:
    """Raise UsageError if `name` cannot name a cluster."""
    if not is_cluster_name(name):
        raise UsageError(
            f"{name!r} cannot name a cluster",
            "At most 53 letters a-z, digits and '-', beginning with a letter; not local or in-process.",
        )


def refuse_user(where: str) -> None:
    """Raise UsageError if the address of a cluster holds a user or a password: it is printed and logged."""
    if "@" in where:
        raise UsageError("--cluster holds a user or a password, which would be logged", "Give tls://HOST:PORT.")


def child_name(job: str, uid: str) -> str:
    """The name of a ScoringJob's cluster and the beginning of all its children's, within all their limits.

    No other job has it, nor had one that was deleted: what is left of that one is in nobody's way.
    """
    stem = re.sub(r"[^a-z0-9]+", "-", job)
    stem = (stem if stem[0].isalpha() else f"job-{stem}")[:40].rstrip("-")
    return f"{stem}-{sha256(f'{uid}/{job}'.encode()).hexdigest()[:8]}"


def driver_name(child: str, attempt: int) -> str:
    """The driver Job of one attempt."""
    return f"{child}-{attempt}"


def labels(cluster: str) -> dict[str, str]:
    """The labels of every object of `cluster`."""
    return {
        "app.kubernetes.io/name": "dask",
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/part-of": "scoremill",
        "app.kubernetes.io/managed-by": "scoremill",
        LABEL: cluster,
    }


def selector(cluster: str | None = None, component: str | None = None) -> str:
    """The label selector of one cluster's objects, of one component's pods, or of everybody's clusters."""
    parts = ["app.kubernetes.io/managed-by=scoremill"]
    parts.append(f"{LABEL}={cluster}" if cluster else LABEL)
    if component:
        parts.append(f"{DASK_COMPONENT}={component}")
    return ",".join(parts)


def scheduler_name(cluster: str) -> str:
    """The Deployment and the Service of the scheduler, as dask-kubernetes names them."""
    return f"{cluster}-scheduler"


def group_name(cluster: str) -> str:
    """The one DaskWorkerGroup of a cluster: dask-kubernetes' autoscaler touches no other."""
    return f"{cluster}-default"


def secret_name(cluster: str) -> str:
    """The Secret of the cluster's certificates."""
    return f"{cluster}-tls"


def scheduler_address(cluster: str, namespace: str) -> str:
    """Where pods reach the scheduler."""
    return f"tls://{scheduler_name(cluster)}.{namespace}.svc.cluster.local:{COMM_PORT}"
