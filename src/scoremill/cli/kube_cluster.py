"""One Dask cluster on Kubernetes: found by its name, made, scaled and connected to."""

from __future__ import annotations

import base64
import difflib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from scoremill.deploy import Certificates, autoscaler, is_ready, names, owned_by
from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.kube import Kube, Object, connect
from scoremill.spec import ScoringJob, Workers

from .kube_flags import check_address, refuse_name
from .kube_forward import Forward

_POLL = 1.0
_HANDOVER_SECONDS = 30.0
"""For objects of an earlier cluster of this name to go."""


@dataclass(frozen=True)
class Named:
    """A cluster by its name."""

    kube: Kube
    name: str

    def exists(self) -> Object:
        """The DaskCluster; ClusterError that names those there are."""
        cluster = self.kube.get("DaskCluster", self.name)
        if cluster is not None:
            return cluster
        others = sorted(each["metadata"]["name"] for each in self.kube.select("DaskCluster"))
        raise ClusterError(
            f"there is no cluster {self.name!r} in namespace {self.kube.namespace}",
            f"There {'is' if len(others) == 1 else 'are'} {', '.join(others)}." if others else
            f"Start it: scoremill cluster up {self.name}",
        )  # fmt: skip

    def scheduler_pod(self) -> str | None:
        """The name of the scheduler's pod; None while none is ready."""
        pods = self.kube.select("Pod", names.selector(self.name, "scheduler"))
        return next((pod["metadata"]["name"] for pod in pods if is_ready(pod)), None)

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
        return int(group["spec"]["worker"].get("replicas", 1)) if group else 0


def create(at: Named, cluster: Object, children: list[Object]) -> bool:
    """Makes what is not there yet; whether the cluster was made now.

    The cluster comes first and owns the rest, so that nothing is left over where this is interrupted; the rest
    follows at once, and pods wait for it.
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


def _same(at: Named, cluster: Object) -> Object:
    """The cluster of this name that is there, if it is what is asked for."""
    there = at.exists()
    if "deletionTimestamp" in there["metadata"]:
        raise ClusterError(f"cluster {at.name} is being removed", "Wait: scoremill cluster down " + at.name)
    asked, has = (each["metadata"].get("annotations", {}).get(names.SPEC) for each in (cluster, there))
    if asked != has:
        raise UsageError(
            f"there is a cluster {at.name} in namespace {at.kube.namespace} that was made with other settings",
            f"scoremill cluster scale {at.name} changes its workers; for anything else, take it down first.",
        )
    return there


def _create_child(at: Named, child: Object) -> None:
    kind, name = child["kind"], child["metadata"]["name"]
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while at.kube.create(child) is None:
        there = at.kube.get(kind, name)
        owners = there["metadata"].get("ownerReferences", []) if there else []
        if child["metadata"]["ownerReferences"][0]["uid"] in {owner["uid"] for owner in owners}:
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


@dataclass(frozen=True)
class Connection:
    """What a Dask client needs."""

    address: str
    security: Any
    workers: Workers


@contextmanager
def connected(at: Named) -> Iterator[Connection]:
    """A way to the cluster's scheduler by a forwarded port, open while this is."""
    from scoremill.execute.security import security_from

    at.exists()
    certificates = certificates_of(at)
    workers = at.workers()
    if workers is None:
        raise ClusterError(f"cluster {at.name} has no workers", f"scoremill cluster scale {at.name} 4")
    with at.forward(names.COMM_PORT) as forward:
        if at.scheduler_pod() is None:
            raise ClusterError(f"the scheduler of {at.name} is not ready", f"See scoremill cluster status {at.name}.")
        security = security_from(certificates.ca, certificates.certificate, certificates.key)
        yield Connection(f"tls://127.0.0.1:{forward.port}", security, workers)


def certificates_of(at: Named) -> Certificates:
    """The credentials in the cluster's Secret."""
    secret = at.kube.get("Secret", names.secret_name(at.name))
    if secret is None:
        raise ClusterError(
            f"cluster {at.name} has no Secret {names.secret_name(at.name)}", "Was it made by scoremill cluster up?"
        )
    texts = [base64.b64decode(secret["data"][key]).decode() for key in ("ca.crt", "tls.crt", "tls.key")]
    return Certificates(*texts)


@dataclass(frozen=True)
class EnginePlace:
    """Where a job is run: what `scoremill.execute.score` takes."""

    job: ScoringJob
    address: str
    security: Any = None


@contextmanager
def engine_at(where: str, job: ScoringJob, places: dict[str, str | None]) -> Iterator[EnginePlace]:
    """What `--cluster WHERE` means for `job`, open while this is.

    `local`, `in-process` and addresses are what they are; a name is a cluster of the Kubernetes in `places`, and the
    job then has the workers that are there.
    """
    check_address(where)
    if not names.is_name(where):
        yield EnginePlace(job, where)
        return
    with ExitStack() as stack:
        try:
            found = stack.enter_context(connected(named(where, places)))
        except (ClusterError, UsageError) as error:
            raise _meant(where, error) from None
        spec = job.spec.model_copy(update={"cluster": job.spec.cluster.within(found.workers)})
        yield EnginePlace(job.model_copy(update={"spec": spec}), found.address, found.security)


def _meant(where: str, error: ScoremillError) -> ScoremillError:
    """`error`, whose hint asks first whether one of the words was meant that need no Kubernetes."""
    close = difflib.get_close_matches(where.lower(), names.RESERVED, n=1)
    if not close:
        return error
    return type(error)(error.message, " ".join(filter(None, [f"Did you mean --cluster {close[0]}?", error.mend])))


def named(name: str, places: dict[str, str | None]) -> Named:
    """The cluster `name` at `kubeconfig`, `context` and `namespace` of `places`; UsageError for what is no name."""
    refuse_name(name)
    return Named(connect(**places), name)
