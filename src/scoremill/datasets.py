"""Inputs in a cluster's memory, from Python: load them once, score them with several models, and drop them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .events import Say, Watcher, say_nothing
from .kubernetes.clusters import Named
from .spec import Input, ScoringJob, Storage, job

if TYPE_CHECKING:
    from .engines.dask.engine import OnDask
    from .execute.datasets.dataset import Dataset

Location = str | os.PathLike[str]


def load(
    name: str,
    input: Location | Iterable[Location] | Mapping[str, Any] | Input,
    *,
    cluster: str | Named,
    models: Iterable[Location] = (),
    columns: Iterable[str] = (),
    storage: Storage | Mapping[str, Any] | None = None,
    watchers: Iterable[Watcher] = (),
    **connection: Any,
) -> Dataset:
    """Read an input into the memory of a cluster's workers; it stays there until it is dropped or the cluster ends.

    Parameters
    ----------
    name : str
        Name of the dataset.
    input : str, path, iterable of these, mapping or scoremill.spec.Input
        URIs or patterns of the input objects, or `spec.input` of a job.
    cluster : str or scoremill.clusters.ClusterHandle
        A cluster on Kubernetes or its name, or the address of a Dask scheduler.
    models : iterable of str or path
        Bundles whose columns are loaded.
    columns : iterable of str
        Further columns to load; `["*"]` is all of them.
    storage : Storage or mapping, optional
        How the store is reached, as `spec.storage` of a job.
    watchers : iterable of callable
        Each is called with every event, such as `scoremill.events.Progress`.
    **connection
        `namespace`, `context` and `kubeconfig` of a cluster on Kubernetes, and `say`, which is called with each line
        of news, such as `print`.

    Returns
    -------
    Dataset
        Give it to `scoremill.score`. `rows`, `rejected` and `bytes` say what was loaded.

    Raises
    ------
    UsageError
        If the cluster has a dataset of this name, or neither `models` nor `columns` say what to load.
    ClusterError
        If the cluster cannot be reached, or the dataset does not fit into its memory.

    Examples
    --------
    >>> trips = scoremill.datasets.load(  # doctest: +SKIP
    ...     "trips", "s3://bucket/2009/*.csv", cluster="tls://host:8786", models=["s3://models/tips/1"]
    ... )
    >>> job = scoremill.job(model="s3://models/tips/1", input=trips.input, output="s3://bucket/scores/")  # doctest: +SKIP
    >>> scoremill.score(job, cluster="tls://host:8786", dataset=trips)  # doctest: +SKIP

    """
    from .execute.datasets.load import load as load_input

    asked = _unscored(input, keep=columns, **({} if storage is None else {"storage": storage})).spec
    with connected(cluster, **connection) as engine:
        return load_input(name, asked, [os.fspath(model) for model in models], engine, watchers)


def list(*, cluster: str | Named, **connection: Any) -> tuple[Dataset, ...]:  # noqa: A001 - the name of the command
    """Return the datasets in the memory of a cluster, by name.

    Parameters
    ----------
    cluster : str or scoremill.clusters.ClusterHandle
        A cluster on Kubernetes or its name, or the address of a Dask scheduler.
    **connection
        As for `load`.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached.

    """
    from .execute.datasets.dataset import datasets

    with connected(cluster, **connection) as engine:
        return tuple(datasets(engine))


def find(name: str, *, cluster: str | Named, **connection: Any) -> Dataset:
    """Return a dataset in the memory of a cluster.

    Parameters
    ----------
    name : str
        Name of the dataset.
    cluster : str or scoremill.clusters.ClusterHandle
        A cluster on Kubernetes or its name, or the address of a Dask scheduler.
    **connection
        As for `load`.

    Raises
    ------
    UsageError
        If it does not exist, naming those that do.
    ClusterError
        If the cluster cannot be reached.

    """
    from .execute.datasets.dataset import find as find_dataset

    with connected(cluster, **connection) as engine:
        return find_dataset(engine, name)


def drop(name: str, *, cluster: str | Named, **connection: Any) -> None:
    """Drop a dataset from the memory of a cluster; the objects that it was loaded from stay.

    Parameters
    ----------
    name : str
        Name of the dataset.
    cluster : str or scoremill.clusters.ClusterHandle
        A cluster on Kubernetes or its name, or the address of a Dask scheduler.
    **connection
        As for `load`.

    Raises
    ------
    UsageError
        If it does not exist, naming those that do.
    ClusterError
        If the cluster cannot be reached.

    """
    from .execute.datasets.dataset import drop as drop_dataset

    with connected(cluster, **connection) as engine:
        drop_dataset(engine, name)


@contextmanager
def connected(
    cluster: str | Named,
    *,
    say: Say | None = None,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Iterator[OnDask]:
    """Connect to a cluster that outlives this process; UsageError for `local` and `in-process`."""
    from .engines.dask.engine import OnDask
    from .execute.place import engine_at
    from .kubernetes.objects import names

    if cluster in names.RESERVED:
        raise UsageError(
            "a local cluster ends with the command, and so would a dataset in its memory",
            "Start one that stays: `scoremill cluster up NAME`, or `dask scheduler` and `dask worker`, and give its "
            "name or address (tcp://host:8786).",
        )
    places = {"kubeconfig": kubeconfig, "context": context, "namespace": namespace}
    unread = _unscored("unread")
    with (
        engine_at(cluster, unread, places) as at,
        OnDask(at.address, unread.spec.cluster, unread.spec.deadlines, at.security) as engine,
    ):
        engine.wait(say or say_nothing)
        yield engine


def _unscored(input: Any, **spec: Any) -> ScoringJob:
    """Return a job that reads `input`, and that nobody scores."""
    return job(model="unread", input=input, output="memory://unwritten", **spec)
