"""Retry, compact and clean an output: what Python programs and the command line call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from scoremill.events import Watcher
from scoremill.kubernetes.where import Where
from scoremill.spec import Model, Storage

if TYPE_CHECKING:
    from scoremill.kubernetes.clusters import Named
    from scoremill.ledger import Manifest
    from scoremill.storage.filesystem import Store

    from .clean import LeftOver

Location = str | os.PathLike[str]


def retry_rejected(
    output: Location,
    *,
    model: Location | Mapping[str, Any] | Model | None = None,
    files: bool = False,
    to: Location | None = None,
    cluster: str | Named = "auto",
    storage: Storage | None = None,
    watchers: Iterable[Watcher] = (),
    **where: Unpack[Where],
) -> Manifest:
    """Score the rows that an output rejected once more, into an output of their own.

    An interrupted retry is resumed by the same call. The first output stays as it is.

    Parameters
    ----------
    output : str or path
        Folder or prefix that the run wrote to.
    model : str, path, or mapping, optional
        URI of the fixed bundle, or `spec.model` as a mapping. Without a `uri`, the bundle that the output names is used
        if you trust it by its `digest` or `trustedPrefixes`: an output is data, and a model is code.
    files : bool
        Whether to score input objects that were rejected as a whole, after a repair, instead of rejected rows.
    to : str or path, optional
        Where to write; by default, `OUTPUT/_retries/N`.
    cluster : str or scoremill.clusters.ClusterHandle
        Where to run, as for `scoremill.score`.
    storage : Storage, optional
        How the store of the output is reached.
    watchers : iterable of callable
        Each is called with every event of the run.
    **where
        See `scoremill.jobs.Where`.

    Returns
    -------
    Manifest
        `totals` has the rows that were scored and rejected again.

    Raises
    ------
    UsageError
        If nothing was rejected, or the text of rejected rows was not kept.
    TrustError
        If no model is given and the one that the output names is not trusted.

    Examples
    --------
    >>> scoremill.retry_rejected("s3://b/scores/", model="s3://models/tips/2")  # doctest: +SKIP

    """
    from scoremill.execute.api import score

    from .retry import retry_job

    changes = {"spec": {"model": _model(model), "errors": {"maxFraction": 1.0}}}
    job = retry_job(_store(output, storage), changes, os.fspath(to) if to else None, "files" if files else "errors")
    return score(job, cluster=cluster, watchers=watchers, **where)


def compact(
    output: Location, rows_per_file: int, *, to: Location | None = None, storage: Storage | None = None
) -> Manifest:
    """Rewrite an output with more or fewer rows in a file, and verify that the rows are the same.

    The output itself stays as it is.

    Parameters
    ----------
    output : str or path
        Folder or prefix that the run wrote to.
    rows_per_file : int
        Number of rows in a file.
    to : str or path, optional
        Where to write; by default, `OUTPUT-compact`.
    storage : Storage, optional
        How the store is reached.

    Returns
    -------
    Manifest
        That of the new output.

    Raises
    ------
    UsageError
        If `to` is not empty.
    VerificationError
        If the output is damaged or not complete.

    Examples
    --------
    >>> scoremill.compact("s3://b/scores/", 5_000_000)  # doctest: +SKIP

    """
    from scoremill.storage.filesystem import Store

    from .compact import compact as compact_to

    source = _store(output, storage)
    target = os.fspath(to) if to else f"{os.fspath(output).rstrip('/')}-compact"
    return compact_to(source, Store(target, source.settings), rows_per_file)


def clean(
    output: Location | None = None, *, cache: bool = False, remove: bool = False, storage: Storage | None = None
) -> tuple[LeftOver, ...]:
    """List what earlier runs left in an output and no reader needs, or remove it.

    These are unfinished uploads, parts that the manifest does not name, old retries, and cached bundles.

    Parameters
    ----------
    output : str or path, optional
        Folder or prefix that runs wrote to.
    cache : bool
        Whether to list bundles in the cache of this machine too.
    remove : bool
        Whether to remove what is listed.
    storage : Storage, optional
        How the store is reached.

    Returns
    -------
    tuple of LeftOver
        Each has a `kind`, a `name` and a `size` in bytes.

    Raises
    ------
    UsageError
        If there is no output at `output`.
    LeaseError
        If `remove` is given while a run writes to the output.

    Examples
    --------
    >>> sum(each.size for each in scoremill.clean("s3://b/scores/"))  # doctest: +SKIP
    0

    """
    from scoremill.ledger import require_output

    from .clean import cached_bundles, left_overs, remove_cached
    from .clean import remove as remove_found

    found: list[LeftOver] = []
    if output is not None:
        store = _store(output, storage)
        require_output(store)
        found = list(left_overs(store))
        if remove and found:
            found = remove_found(store)
    cached = list(cached_bundles()) if cache else []
    if remove:
        remove_cached(cached)
    return (*found, *cached)


def _store(output: Location, storage: Storage | None) -> Store:
    from scoremill.storage.filesystem import Store

    return Store(os.fspath(output), storage or Storage())


def _model(given: Location | Mapping[str, Any] | Model | None) -> dict[str, Any]:
    """Return the fields of `spec.model` that change."""
    if given is None:
        return {}
    if isinstance(given, Model):
        return given.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return dict(given) if isinstance(given, Mapping) else {"uri": os.fspath(given)}
