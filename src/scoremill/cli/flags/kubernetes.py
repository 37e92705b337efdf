"""Flags of a job that mean something on Kubernetes only."""

from __future__ import annotations

from .options import Flag

KUBERNETES = (
    Flag(
        "--image",
        "spec.cluster.image",
        "Container image of driver, scheduler, and workers. Defaults to that of the operator.",
        metavar="IMAGE",
    ),
    Flag(
        "--cpu", "spec.cluster.cpu", "CPU cores of a worker pod.  [default: 1]", settings={"type": float}, metavar="N"
    ),
    Flag(
        "--secret",
        "spec.credentials.secretRef.name",
        "Secret with storage credentials, whose keys become environment variables of the pods.",
        metavar="NAME",
    ),
    Flag(
        "--service-account",
        "spec.cluster.serviceAccount",
        "Service account of driver and workers, for workload identity.",
        metavar="NAME",
    ),
)
"""Flags of a job that mean something on Kubernetes only."""
