"""Flags of a job that mean something on Kubernetes only."""

from __future__ import annotations

from .options import Flag

KUBERNETES = (
    Flag("--image", "spec.cluster.image", "Container image of driver, scheduler and workers; the operator's by default."),
    Flag("--cpu", "spec.cluster.cpu", "Cores that a worker's pod asks for (1).", settings={"type": float}),
    Flag("--secret", "spec.credentials.secretRef.name",
         "Secret whose keys become the environment of driver and workers: credentials of buckets."),
    Flag("--service-account", "spec.cluster.serviceAccount",
         "Service account of driver and workers, for a bucket's workload identity."),
)  # fmt: skip
"""Flags of a job that mean something on Kubernetes only."""
