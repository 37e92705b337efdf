"""Dask clusters on Kubernetes, from Python: create, find, list, scale and delete them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from .errors import ClusterError, ScoremillError, UsageError
from .events import Say, say_nothing
from .kubernetes.clusters import Named
from .kubernetes.where import Where
from .notebook import html_table
from .spec import Workers
from .units import MIB, format_bytes

if TYPE_CHECKING:
    from .kubernetes.objects import Certificates
    from .spec import Cluster as ClusterSpec
    from .spec import Credentials

LEAST_MEMORY = 512 * MIB
"""Python, pandas, pyarrow and scikit-learn take 300 MiB of a worker, the nanny another 90."""
_DELETE_SECONDS = 180.0
_CLEANUP_SECONDS = 120.0
"""For a cluster that did not start. The operator of dask-kubernetes pauses for 60 s after a broken connection."""
_NOT_ISSUED = "<made when the cluster is>"


class ClusterSettings(TypedDict, total=False):
    """What a cluster is created with; see `create`."""

    workers: int | str | Workers
    memory: int | str | None
    cpu: float | None
    image: str | None
    secret: str | None
    service_account: str | None
    env: Mapping[str, str]
    idle_timeout: float
    template: Mapping[str, Any]


@dataclass(frozen=True)
class Worker:
    """A worker that is connected to the scheduler; memory in bytes."""

    name: str
    node: str
    memory: int
    limit: int
    executing: int


@dataclass(frozen=True)
class ClusterStatus:
    """What a cluster does at the moment.

    Attributes
    ----------
    state : str
        `up`, or `waiting`; `waits_for` then says for what.
    wanted : int
        Number of workers that the cluster should have; `range` has their bounds if they follow the load.
    tasks : dict
        Number of tasks by their state.
    workers : tuple of Worker
        Those that are connected, with node, memory and running tasks.

    """

    name: str
    namespace: str
    state: str
    waits_for: str | None
    image: str | None
    wanted: int
    range: str | None
    tasks: dict[str, int]
    workers: tuple[Worker, ...]

    def _repr_html_(self) -> str:
        workers = f"{len(self.workers)} of {self.wanted}"
        tasks = ", ".join(f"{count} {state}" for state, count in self.tasks.items()) or None
        fields = {"state": self.state, "waits for": self.waits_for, "image": self.image, "workers": workers}
        return html_table(f"{self.name} in {self.namespace}", {**fields, "tasks": tasks})


@dataclass(frozen=True)
class Summary:
    """A cluster in a list: its age in seconds, its workers such as `4` or `0:20`, and whether its scheduler is ready."""

    name: str
    namespace: str
    age: int
    workers: str
    ready: bool


@dataclass(frozen=True)
class ClusterHandle(Named):
    """A Dask cluster on Kubernetes; get one from `create` or `find`, and give it to `scoremill.score`.

    In a `with` statement it is deleted at the end.
    """

    def _repr_html_(self) -> str:
        return html_table("Cluster", {"name": self.name, "namespace": self.namespace})

    @property
    def namespace(self) -> str:
        """The namespace of the cluster."""
        return self.kube.namespace

    def status(self) -> ClusterStatus:
        """Return the state, workers and tasks of the cluster, and what it waits for.

        Raises
        ------
        ClusterError
            If the cluster does not exist or Kubernetes cannot be reached.

        """
        from .kubernetes.cluster_status import status

        found = status(self)
        workers = tuple(Worker(**worker) for worker in found.pop("workers"))
        return ClusterStatus(waits_for=found.pop("waitsFor"), workers=workers, **found)

    def scale(self, workers: int | str | Workers) -> None:
        """Change the number of workers (`8`), or the range that follows the load (`"0:20"`)."""
        from .kubernetes.clusters import scale

        scale(self, Workers.of(workers))

    def logs(self, worker: str | None = None, tail: int = 100) -> dict[str, str]:
        """Return the last lines of the log of each pod: the scheduler's, those of one `worker`, or of `"all"`."""
        from .kubernetes.cluster_status import logs

        return dict(logs(self, worker, tail))

    def delete(self, timeout: float = _DELETE_SECONDS, say: Say | None = None) -> bool:
        """Delete the cluster, wait until nothing of it is left, and return whether it existed."""
        from .kubernetes.readiness import remove

        return remove(self, timeout, say or say_nothing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()


def create(
    name: str,
    *,
    wait: bool = True,
    timeout: float = 300.0,
    keep: bool = False,
    say: Say | None = None,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
    **settings: Unpack[ClusterSettings],
) -> ClusterHandle:
    """Start a Dask cluster on Kubernetes, and wait until all its workers are connected.

    A cluster that exists already with the same settings is returned.

    Parameters
    ----------
    name : str
        At most 53 of a-z, 0-9 and -.
    wait : bool
        Whether to wait until the cluster is up.
    timeout : float
        Seconds to wait.
    keep : bool
        Whether a cluster that does not come up in time is kept for inspection instead of deleted.
    say : callable, optional
        Called with each line of news, such as `print`.
    namespace, context, kubeconfig : str, optional
        See `Where`.
    **settings
        `workers` (a number, or a range that follows the load such as `"0:20"`; 1), `memory` (of a worker, such as
        `"4GiB"`), `cpu` (cores of a worker), `image`, `secret` (Secret whose keys are the environment of the workers),
        `service_account`, `env` (a mapping; no secrets), `idle_timeout` (seconds without work after which the cluster
        is deleted; 1800, 0 disables this), `template` (a part of a DaskCluster that is merged over the one made).

    Returns
    -------
    ClusterHandle

    Raises
    ------
    UsageError
        If a setting is wrong, or a cluster of this name exists with others.
    ClusterError
        If Kubernetes cannot be reached, or the cluster is not up in time; the message names the cause.

    Examples
    --------
    >>> with scoremill.clusters.create("trips", workers=4, memory="4GiB") as cluster:  # doctest: +SKIP
    ...     scoremill.score(job, cluster=cluster)

    """
    from .kubernetes.clusters import create as create_objects
    from .kubernetes.objects import issue

    at = _at(name, {"namespace": namespace, "context": context, "kubeconfig": kubeconfig})
    cluster, *children = _objects(name, at.namespace, issue(name, at.namespace), settings)
    is_new = create_objects(at, cluster, children)
    if wait:
        _wait_or_delete(at, timeout, say or say_nothing, deletes=is_new and not keep)
    return at


def manifests(name: str, *, namespace: str, **settings: Unpack[ClusterSettings]) -> tuple[dict[str, Any], ...]:
    """Return the Kubernetes objects that `create` would create, without its certificates.

    Parameters
    ----------
    name, namespace : str
        Name and namespace of the cluster.
    **settings
        Those of `create`.

    Raises
    ------
    UsageError
        If a setting is wrong.

    """
    from .kubernetes.objects import Certificates

    return _objects(name, namespace, Certificates(_NOT_ISSUED, _NOT_ISSUED, _NOT_ISSUED), settings)


def find(name: str, **where: Unpack[Where]) -> ClusterHandle:
    """Return a cluster by its name; whether it exists is found out when it is used.

    Parameters
    ----------
    name : str
        Name of the cluster.
    **where
        See `Where`.

    Raises
    ------
    UsageError
        If no cluster can have this name.
    ClusterError
        If there is no Kubernetes to work with.

    """
    return _at(name, where)


def scale(name: str, workers: int | str | Workers, **where: Unpack[Where]) -> None:
    """Change the number of workers of a cluster, or the range that follows the load.

    Parameters
    ----------
    name : str
        Name of the cluster.
    workers : int or str
        A number, or a range such as `"0:20"`.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If the cluster does not exist, naming those that do.

    """
    find(name, **where).scale(workers)


def delete(name: str, *, timeout: float = _DELETE_SECONDS, say: Say | None = None, **where: Unpack[Where]) -> bool:
    """Delete a cluster, wait until nothing of it is left, and return whether it existed.

    Parameters
    ----------
    name : str
        Name of the cluster.
    timeout : float
        Seconds to wait.
    say : callable, optional
        Called with each line of news, such as `print`.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If something of it is left after `timeout` seconds.

    """
    return find(name, **where).delete(timeout, say)


def list(*, all_namespaces: bool = False, **where: Unpack[Where]) -> tuple[Summary, ...]:  # noqa: A001 - the command's name
    """Return the clusters that scoremill created, by namespace and name.

    Parameters
    ----------
    all_namespaces : bool
        Whether to list those of every namespace.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If Kubernetes cannot be reached.

    """
    from .kubernetes.api import connect
    from .kubernetes.cluster_status import clusters

    found = clusters(connect(**where), everywhere=all_namespaces)
    return tuple(Summary(**each) for each in found)


def _at(name: str, where: Where) -> ClusterHandle:
    from .kubernetes.api import connect
    from .kubernetes.objects import names

    names.refuse_name(name)
    return ClusterHandle(connect(**where), name)


def _objects(
    name: str, namespace: str, certificates: Certificates, settings: ClusterSettings
) -> tuple[dict[str, Any], ...]:
    from .kubernetes.objects import cluster_objects, dask_cluster, names
    from .naming import RUNNER
    from .version import __version__

    names.refuse_name(name)
    workers = Workers.of(settings.get("workers", 1))
    cluster, credentials = _spec(settings)
    made = dask_cluster(name, namespace, f"{RUNNER}:{__version__}", cluster.within(workers), credentials)
    return (made, *cluster_objects(name, namespace, workers, certificates))


def _spec(settings: ClusterSettings) -> tuple[ClusterSpec, Credentials]:
    from pydantic import ValidationError

    from .kubernetes.objects import refuse_secrets
    from .spec import Cluster, Credentials

    refuse_secrets(dict(settings.get("env", {})))
    others = {"workers", "secret", "idle_timeout"}
    fields = {key: value for key, value in settings.items() if value is not None and key not in others}
    if (idle := settings.get("idle_timeout")) is not None:
        fields["idle_timeout_seconds"] = int(idle)
    secret = settings.get("secret")
    try:
        cluster = Cluster.model_validate(fields)
        credentials = Credentials.model_validate({"secretRef": {"name": secret}} if secret else {})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"`{first['loc'][0]}=`: {first['msg']}") from None
    if cluster.memory is not None and cluster.memory < LEAST_MEMORY:
        raise UsageError(f"`memory=`: a worker needs {format_bytes(LEAST_MEMORY)} before it has read a row")
    return cluster, credentials


def _wait_or_delete(at: ClusterHandle, seconds: float, say: Say, *, deletes: bool) -> None:
    from .kubernetes.readiness import wait_until_up

    try:
        wait_until_up(at, seconds, say)
    except ScoremillError:
        if deletes:
            say("not up in time: removing it again (`keep=True` leaves it to be looked at)")
            try:
                at.delete(_CLEANUP_SECONDS, say)
            except ClusterError as left:
                say(str(left))
        raise
