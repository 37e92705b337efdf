"""Flags of a job that mean something on Kubernetes only."""

from __future__ import annotations

from .options import Flag

KUBERNETES = (
    Flag(
        "--image",
        "spec.cluster.image",
        "Container image of driver, scheduler, and workers. Defaults to that of the operator.",
    ),
    Flag("--cpu", "spec.cluster.cpu", "CPU cores of a worker pod (1).", settings={"type": float}),
    Flag(
        "--secret",
        "spec.credentials.secretRef.name",
        "Secret with storage credentials, whose keys become environment variables of the pods.",
    ),
    Flag(
        "--service-account",
        "spec.cluster.serviceAccount",
        "Service account of driver and workers, for workload identity.",
    ),
)
"""Flags of a job that mean something on Kubernetes only."""
