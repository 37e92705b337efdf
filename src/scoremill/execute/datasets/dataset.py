"""Datasets: inputs in the memory of a cluster, read once and scored by several models."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import dask.dataframe as dd
import pandas as pd
from distributed import Future, futures_of

from scoremill.engines.dask.engine import OnDask
from scoremill.engines.dask.session import Session
from scoremill.errors import FitError, UsageError
from scoremill.events import Watcher
from scoremill.ledger import Manifest, Receipt
from scoremill.planning import Partition, Piece, Survey
from scoremill.spec import Column, Input, ScoringJob
from scoremill.storage.uri import absolute
from scoremill.units import quoted
from scoremill.worker.opened import Quotes
from scoremill.worker.work import Task, used_columns

from ..coordinator.prepare import Prepared, prepare
from ..coordinator.run import execute
from .frame import score_held

FRAME, ABOUT = "frame", "scoremill"
"""Keys of a published dataset for its Dask data frame and its Dataset."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Description of an input in the memory of a cluster, from which a job can be planned without listing it again."""

    name: str
    input: Input
    """The requested input, with the settings of its store."""
    survey: Survey
    columns: tuple[str, ...]
    """Names of the columns in memory."""
    where_columns: tuple[Column, ...]
    """Columns of the condition that selected the rows, with the types that it compared."""
    pieces: tuple[tuple[Piece, ...], ...]
    """Pieces of each partition of the frame"""
    refuted: dict[tuple[Piece, ...], Quotes]
    """Partitions of a plan that do not start where a row starts, and the quotes that prove it."""
    rows: int
    rejected: int
    """Number of rows that cannot be read, not included in `rows`."""
    bytes: int
    """Size in the memory of workers."""
    loaded: float
    """Seconds since the epoch."""
    by_worker: dict[str, int]
    """Bytes in the memory of each worker after loading, by its address."""


class OnDataset(OnDask):
    """Engine that takes partitions from a dataset, and reads those that it does not hold from the store."""

    def __init__(self, name: str, *connection: Any, **settings: Any) -> None:
        """Take the arguments of OnDask as `connection` and `settings`."""
        super().__init__(*connection, **settings)
        self._name = name
        self._held: dict[tuple[Piece, ...], Future[pd.DataFrame]] = {}
        self._refuted: dict[tuple[Piece, ...], Quotes] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            _published(self, self._name)
        except BaseException:
            self._stack.close()
            raise
        return self

    def _resume(self, session: Session, *, is_first: bool) -> None:
        published = session.answer(lambda: session.client.get_dataset(self._name, default=None))
        # A new scheduler has no dataset: then everything is read from the store.
        self._held = {}
        if _is_ours(published):
            futures = partitions_of(published[FRAME])
            self._held = dict(zip(published[ABOUT].pieces, futures, strict=True))
            self._refuted = published[ABOUT].refuted
        super()._resume(session, is_first=is_first)

    def _call(self, task: Task) -> tuple[Any, ...]:
        pieces = task.partition.pieces
        if pieces in self._refuted:
            return _refute, task, self._refuted[pieces]
        # After a failure, read from the store: the worker with the partition might have died.
        if pieces not in self._held or task.attempt or self._lost[task.partition.id]:
            return super()._call(task)
        return score_held, task, self._held[pieces]


def _refute(task: Task, quotes: Quotes) -> Receipt:
    """Return the receipt of a partition that starts in the wrong place, whose quotes are known already."""
    return receipt_of(task.partition, quotes)


def receipt_of(partition: Partition, quotes: Quotes) -> Receipt:
    """Return the receipt of a partition for which nothing was written."""
    return Receipt(
        number=partition.number,
        id=partition.id,
        rows=0,
        scored=0,
        rejected=0,
        parts=(),
        quotes=quotes.quotes,
        irregular=quotes.irregular,
        ended=time.time(),
    )


def datasets(engine: OnDask) -> list[Dataset]:
    """Return the datasets in the memory of the cluster of `engine`, ordered by name."""
    with engine._calls():
        published = [engine._client.get_dataset(name) for name in engine._client.list_datasets()]
    return [each[ABOUT] for each in published if _is_ours(each)]


def find(engine: OnDask, name: str) -> Dataset:
    """Return the dataset `name`; otherwise raise UsageError with the names that exist."""
    dataset: Dataset = _published(engine, name)[ABOUT]
    return dataset


def _published(engine: OnDask, name: str) -> dict[str, Any]:
    with engine._calls():
        published = engine._client.get_dataset(name, default=None)
    if _is_ours(published):
        return published  # type: ignore[no-any-return]
    there = [dataset.name for dataset in datasets(engine)]
    raise UsageError(
        f"the cluster has no dataset {quoted(name)}",
        f"Choose one of: {', '.join(there)}." if there else "Load one with `scoremill dataset load`.",
        code="DatasetNotFound",
    )


def _is_ours(published: object) -> bool:
    """Return whether it is a dataset of scoremill: other programs can publish anything on a cluster."""
    return isinstance(published, dict) and isinstance(published.get(ABOUT), Dataset)


def drop(engine: OnDask, name: str) -> None:
    """Remove the dataset `name` from the cluster; raise UsageError if it does not exist."""
    find(engine, name)
    with engine._calls():
        engine._client.unpublish_dataset(name)


def score_dataset(
    dataset: Dataset,
    job: ScoringJob,
    engine: OnDataset,
    watchers: Iterable[Watcher] = (),
    *,
    wait: bool | float = False,
    uid: str | None = None,
) -> Manifest:
    """Score `dataset` with the settings of `job`; the output is the same as from streaming the same input.

    For `wait` and `uid` see `execute`. Raises UsageError if the job has another input, FitError for columns that were not loaded.
    """
    _refuse_other_input(dataset, job.spec.input)
    prepared = prepare(job, dataset.survey)
    _refuse_unfit(dataset, prepared)
    return execute(job, engine, watchers, wait=wait, prepared=prepared, uid=uid)


def _refuse_other_input(dataset: Dataset, asked: Input) -> None:
    """Raise UsageError if `asked` is read differently from `dataset`; types of other columns can differ."""
    csv = dataset.input.csv
    csv = csv.model_copy(update={"dtypes": {**csv.dtypes, **asked.csv.dtypes}})
    loaded = dataset.input.model_copy(update={"storage": None, "csv": csv, "allow_empty": asked.allow_empty})
    if loaded.where is None:
        loaded = loaded.model_copy(update={"where": asked.where})
    asked = asked.model_copy(update={"storage": None, "uris": tuple(map(absolute, asked.uris))})
    here, there = asked.model_dump(by_alias=True), loaded.model_dump(by_alias=True)
    other = [
        f"{name}: {quoted(value)}, loaded with {quoted(there[name])}"
        for name, value in here.items()
        if value != there[name]
    ]
    if other:
        raise UsageError(
            f"the dataset {quoted(dataset.name)} was loaded with other settings: {'; '.join(other)}",
            "Remove these settings to score the loaded data, or load a dataset with them.",
            code="DatasetSettings",
        )


def _refuse_unfit(dataset: Dataset, prepared: Prepared) -> None:
    """Raise FitError if the job reads a column that is not loaded, or its condition compares it as another type."""
    settings = prepared.plan.settings
    held = dataset.columns
    kept = (column.name for column in settings.keep)
    needed = dict.fromkeys((*used_columns(prepared.bundle.columns, settings), *kept))
    missing = [name for name in needed if name not in held]
    if missing:
        raise FitError(
            f"the dataset {quoted(dataset.name)} does not have the columns {', '.join(missing)}; it has {', '.join(held)}",
            f"Load it with --for {prepared.bundle.uri}, or with --columns {','.join(missing)}.",
            code="DatasetDoesNotFit",
        )
    if dataset.where_columns and settings.where_columns != dataset.where_columns:
        was, now = (
            ", ".join(f"{column.name} as {column.dtype}" for column in columns)
            for columns in (dataset.where_columns, settings.where_columns)
        )
        raise FitError(
            f"the rows of the dataset {quoted(dataset.name)} were selected by {was}, but this model compares {now}",
            "Load it for this model, or give the type with `spec.input.csv.dtypes` both when loading and when scoring.",
            code="DatasetDoesNotFit",
        )


def partitions_of(frame: dd.DataFrame) -> list[Future[pd.DataFrame]]:
    """Return the partitions of a persisted frame, in their order."""
    return sorted(futures_of(frame), key=lambda future: future.key[1])
