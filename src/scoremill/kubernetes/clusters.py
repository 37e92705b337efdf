"""Find, create, scale and connect to one Dask cluster on Kubernetes."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.spec import Workers
from scoremill.units import quoted

from .api import Kube, Object, connect
from .objects import Certificates, Resource, autoscaler, names, owned_by
from .port_forward import Forward

_POLL = 1.0
_HANDOVER_SECONDS = 30.0
"""Seconds to wait for objects of an earlier cluster of the same name to be deleted."""


@dataclass(frozen=True)
class Named:
    """A cluster, identified by its name."""

    kube: Kube
    name: str

    def exists(self) -> Resource:
        """Return the DaskCluster; raise ClusterError with the names of existing clusters if it does not exist."""
        cluster = self.kube.find("DaskCluster", self.name)
        if cluster is not None:
            return cluster
        others = sorted(each.name for each in self.kube.each("DaskCluster"))
        more = f", or use an existing one: {', '.join(others)}" if others else ""
        raise ClusterError(
            f"cluster {quoted(self.name)} not found in namespace {self.kube.namespace}",
            f"Create it with `scoremill cluster up {self.name}`{more}.",
            code="ClusterNotFound",
        )

    def scheduler_pod(self) -> str | None:
        """Return the name of the scheduler's pod, or None while it is not ready."""
        pods = self.kube.each("Pod", names.selector(self.name, "scheduler"))
        return next((pod.name for pod in pods if pod.is_ready), None)

    def forward(self, pod_port: int, port: int = 0) -> Forward:
        """Forward a local port to a port of the scheduler's pod."""
        return Forward(self.kube, self.scheduler_pod, pod_port, port)

    def workers(self) -> Workers | None:
        """Return the minimum and maximum number of workers; None if the cluster was scaled to 0."""
        scaler = self.kube.find("DaskAutoscaler", self.name)
        if scaler is not None:
            return Workers(min=scaler.spec["minimum"], max=scaler.spec["maximum"])
        count = self.wanted()
        return Workers(min=count, max=count) if count else None

    def wanted(self) -> int:
        """Return the number of workers that dask-kubernetes is currently asked for."""
        group = self.kube.find("DaskWorkerGroup", names.group_name(self.name))
        group = group or self.kube.find("DaskCluster", self.name)
        return group.replicas if group else 0


def create(at: Named, cluster: Object, children: list[Object]) -> bool:
    """Create what does not exist yet; return whether the cluster was created now.

    The cluster is created first and owns the rest, so that nothing is left over if this is interrupted.
    """
    made = at.kube.create(cluster)
    owner = made or _same(at, cluster)
    try:
        for child in children:
            _create_child(at, owned_by(child, owner))
    except ScoremillError:
        if made:
            at.kube.delete("DaskCluster", at.name)
        raise
    return made is not None


def _same(at: Named, cluster: Object) -> Resource:
    """Return the existing cluster of this name; raise UsageError if it was created with other settings."""
    there = at.exists()
    if there.is_deleting:
        raise ClusterError(
            f"cluster {at.name} is being deleted",
            f"Wait for that with `scoremill cluster down {at.name}`, then retry.",
            code="BeingDeleted",
        )
    if Resource.of(cluster).annotations.get(names.SPEC) != there.annotations.get(names.SPEC):
        raise UsageError(
            f"cluster {at.name} exists in namespace {at.kube.namespace} with other settings",
            f"Change its number of workers with `scoremill cluster scale {at.name} N`; for other settings, delete it "
            f"first with `scoremill cluster down {at.name}`.",
            code="ClusterExists",
        )
    return there


def _create_child(at: Named, child: Object) -> None:
    wanted = Resource.of(child)
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while at.kube.create(child) is None:
        there = at.kube.find(wanted.kind, wanted.name)
        if there and wanted.owners[0] in there.owners:
            return
        # It belongs to an earlier cluster of this name, and Kubernetes deletes it soon.
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{wanted.kind} {wanted.name} exists and does not belong to cluster {at.name}",
                f"Delete it with `kubectl delete {wanted.kind} {wanted.name} --namespace {at.kube.namespace}`, or "
                "choose another name for the cluster.",
            )
        time.sleep(_POLL)


def scale(at: Named, workers: Workers) -> None:
    """Set the number of workers: a plain number ends autoscaling, a range starts or changes it."""
    cluster = at.exists()
    scaler = autoscaler(at.name, at.kube.namespace, workers)
    if workers.min < workers.max:
        if at.kube.create(owned_by(scaler, cluster)) is None:
            at.kube.patch("DaskAutoscaler", at.name, {"spec": scaler["spec"]})
        return
    at.kube.delete("DaskAutoscaler", at.name)
    change = {"spec": {"worker": {"replicas": workers.max}}}
    if at.kube.patch("DaskWorkerGroup", names.group_name(at.name), change) is None:
        raise ClusterError(
            f"cluster {at.name} has no worker group yet", "Wait until it is up, and retry.", code="NoWorkers"
        )


def certificates_of(at: Named) -> Certificates:
    """Return the certificates in the cluster's Secret."""
    secret = at.kube.get("Secret", names.secret_name(at.name))
    if secret is None:
        raise ClusterError(
            f"cluster {at.name} has no Secret {names.secret_name(at.name)}",
            f"Delete the cluster with `scoremill cluster down {at.name}` and create it with `scoremill cluster up`.",
            code="ClusterNotReady",
        )
    texts = [base64.b64decode(secret["data"][key]).decode() for key in names.TLS_FILES]
    return Certificates(*texts)


def named(name: str, places: dict[str, str | None]) -> Named:
    """Return the cluster `name` at the `kubeconfig`, `context` and `namespace` of `places`."""
    names.refuse_name(name)
    return Named(connect(**places), name)
