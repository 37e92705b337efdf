"""One Dask cluster on Kubernetes: found by its name, made, scaled and connected to."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.spec import Workers

from .client import Kube, Object, connect
from .objects import Certificates, Resource, autoscaler, names, owned_by
from .port_forward import Forward

_POLL = 1.0
_HANDOVER_SECONDS = 30.0
"""For objects of an earlier cluster of this name to go."""


@dataclass(frozen=True)
class Named:
    """A cluster by its name."""

    kube: Kube
    name: str

    def exists(self) -> Resource:
        """Return the DaskCluster; ClusterError that names those that exist."""
        cluster = self.kube.get("DaskCluster", self.name)
        if cluster is not None:
            return Resource.of(cluster)
        others = sorted(each["metadata"]["name"] for each in self.kube.select("DaskCluster"))
        there_are = f"There {'is' if len(others) == 1 else 'are'} {', '.join(others)}."
        raise ClusterError(
            f"there is no cluster {self.name!r} in namespace {self.kube.namespace}",
            there_are if others else f"Start it: scoremill cluster up {self.name}",
        )

    def scheduler_pod(self) -> str | None:
        """The name of the scheduler's pod; None while none is ready."""
        pods = map(Resource.of, self.kube.each("Pod", names.selector(self.name, "scheduler")))
        return next((pod.name for pod in pods if pod.is_ready), None)

    def forward(self, pod_port: int, port: int = 0) -> Forward:
        """The scheduler's port on this machine."""
        return Forward(self.kube, self.scheduler_pod, pod_port, port)

    def workers(self) -> Workers | None:
        """How many workers there may be; None where the cluster was scaled to none."""
        scaler = self.kube.get("DaskAutoscaler", self.name)
        if scaler is not None:
            return Workers(min=scaler["spec"]["minimum"], max=scaler["spec"]["maximum"])
        count = self.wanted()
        return Workers(min=count, max=count) if count else None

    def wanted(self) -> int:
        """Workers asked of dask-kubernetes at the moment."""
        group = self.kube.get("DaskWorkerGroup", names.group_name(self.name)) or self.kube.get("DaskCluster", self.name)
        return Resource.of(group).replicas if group else 0


def create(at: Named, cluster: Object, children: list[Object]) -> bool:
    """Makes what is not there yet; whether the cluster was made now.

    The cluster comes first and owns the rest, so that nothing is left over where this is interrupted; the rest
    follows at once, and pods wait for it.
    """
    made = at.kube.create(cluster)
    owner = Resource.of(made) if made else _same(at, cluster)
    try:
        for child in children:
            _create_child(at, owned_by(child, owner))
    except ScoremillError:
        if made:
            at.kube.delete("DaskCluster", at.name)
        raise
    return made is not None


def _same(at: Named, cluster: Object) -> Resource:
    """The cluster of this name that is there, if it is what is asked for."""
    there = at.exists()
    if there.is_deleting:
        raise ClusterError(f"cluster {at.name} is being removed", "Wait: scoremill cluster down " + at.name)
    if Resource.of(cluster).annotations.get(names.SPEC) != there.annotations.get(names.SPEC):
        raise UsageError(
            f"there is a cluster {at.name} in namespace {at.kube.namespace} that was made with other settings",
            f"`scoremill cluster scale {at.name}` changes its number of workers; for anything else, delete it first.",
        )
    return there


def _create_child(at: Named, child: Object) -> None:
    kind, name = child["kind"], child["metadata"]["name"]
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while at.kube.create(child) is None:
        there = at.kube.get(kind, name)
        if there and Resource.of(child).owners[0] in Resource.of(there).owners:
            return
        # That of an earlier cluster: Kubernetes removes it soon, and would take ours for it.
        if time.monotonic() > deadline:
            raise ClusterError(f"there is a {kind} {name} that is not ours", "Remove it, or give another NAME.")
        time.sleep(_POLL)


def scale(at: Named, workers: Workers) -> None:
    """Asks for that many workers: a plain number ends autoscaling, a range begins or changes it."""
    cluster = at.exists()
    scaler = autoscaler(at.name, at.kube.namespace, workers)
    if workers.min < workers.max:
        if at.kube.create(owned_by(scaler, cluster)) is None:
            at.kube.patch("DaskAutoscaler", at.name, {"spec": scaler["spec"]})
        return
    at.kube.delete("DaskAutoscaler", at.name)
    change = {"spec": {"worker": {"replicas": workers.max}}}
    if at.kube.patch("DaskWorkerGroup", names.group_name(at.name), change) is None:
        raise ClusterError(f"cluster {at.name} has no workers yet", "Wait until it is up.")


def certificates_of(at: Named) -> Certificates:
    """The credentials in the cluster's Secret."""
    secret = at.kube.get("Secret", names.secret_name(at.name))
    if secret is None:
        raise ClusterError(
            f"cluster {at.name} has no Secret {names.secret_name(at.name)}", "Was it made by scoremill cluster up?"
        )
    texts = [base64.b64decode(secret["data"][key]).decode() for key in ("ca.crt", "tls.crt", "tls.key")]
    return Certificates(*texts)


def named(name: str, places: dict[str, str | None]) -> Named:
    """The cluster `name` at `kubeconfig`, `context` and `namespace` of `places`; UsageError for what is no name."""
    names.refuse_name(name)
    return Named(connect(**places), name)
