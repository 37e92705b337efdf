"""Datasets: an input that is held in a cluster's memory, read once and scored by several models in turn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import dask.dataframe as dd
import pandas as pd
from distributed import Future, futures_of

from scoremill.errors import FitError, UsageError
from scoremill.events import Watcher
from scoremill.ledger import Manifest, Receipt
from scoremill.planning import Partition, Piece, Survey
from scoremill.spec import Column, Input, ScoringJob
from scoremill.storage.uri import absolute

from ..coordinator.prepare import Prepared, prepare
from ..coordinator.run import execute
from ..engines.dask.engine import OnDask
from ..engines.dask.session import Session
from ..worker.opened import Quotes
from ..worker.work import Task, used_columns
from .frame import score_held

FRAME, ABOUT = "frame", "scoremill"
"""Where a published dataset has its Dask data frame and its Dataset."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of an input in a cluster's memory; enough to plan a job on it without listing it again."""

    name: str
    input: Input
    """As it was asked for, with the settings of its store."""
    survey: Survey
    columns: tuple[str, ...]
    """What is held of each row."""
    where_columns: tuple[Column, ...]
    """Columns of the condition that chose the rows, with the types that it compared."""
    pieces: tuple[tuple[Piece, ...], ...]
    """Of each partition of the frame."""
    refuted: dict[tuple[Piece, ...], Quotes]
    """Partitions that a run asks for and that do not begin where a row begins, and what proves that."""
    rows: int
    rejected: int
    """Rows that cannot be read; they are not among `rows`."""
    bytes: int
    """In the memory of workers."""
    loaded: float
    """Seconds since the epoch."""
    by_worker: dict[str, int]
    """Bytes in the memory of each worker, by its address, when it was loaded."""


class OnDataset(OnDask):
    """Hands each task its partition as a dataset holds it; what it does not hold is read from the store, as ever."""

    def __init__(self, name: str, *connection: Any, **settings: Any) -> None:
        """`connection` and `settings` are those of OnDask."""
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
        # Another scheduler has no dataset any more: then everything is read from the store.
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
        # What failed once may have failed in memory: a worker died, and its partition could not be read again.
        if pieces not in self._held or task.attempt or self._lost[task.partition.id]:
            return super()._call(task)
        return score_held, task, self._held[pieces]


def _refute(task: Task, quotes: Quotes) -> Receipt:
    """The receipt of a partition that begins in the wrong place: nothing was read or written, its quotes are known."""
    return receipt_of(task.partition, quotes)


def receipt_of(partition: Partition, quotes: Quotes) -> Receipt:
    """The receipt of a partition from which nothing was written."""
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
    """The datasets that the cluster of `engine` holds, by name."""
    with engine._calls():
        published = [engine._client.get_dataset(name) for name in engine._client.list_datasets()]
    return [each[ABOUT] for each in published if _is_ours(each)]


def find(engine: OnDask, name: str) -> Dataset:
    """The dataset `name`; UsageError naming those there are."""
    dataset: Dataset = _published(engine, name)[ABOUT]
    return dataset


def _published(engine: OnDask, name: str) -> dict[str, Any]:
    with engine._calls():
        published = engine._client.get_dataset(name, default=None)
    if _is_ours(published):
        return published  # type: ignore[no-any-return]
    there = [dataset.name for dataset in datasets(engine)]
    raise UsageError(
        f"the cluster has no dataset {name!r}",
        f"It has: {', '.join(there)}." if there else "It has none; `scoremill dataset load` makes one.",
        code="DatasetNotFound",
    )


def _is_ours(published: object) -> bool:
    """Whether it is a dataset of ours: others may publish what they like on a cluster."""
    return isinstance(published, dict) and isinstance(published.get(ABOUT), Dataset)


def drop(engine: OnDask, name: str) -> None:
    """Lets the cluster forget the dataset `name`; UsageError where there is none."""
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
    """Scores what `dataset` holds as `job` asks; the same objects as by streaming the same input.

    `wait` and `uid` are those of `execute`. Raises UsageError where the job's input is not the dataset's, FitError for columns that were not loaded.
    """
    _refuse_other_input(dataset, job.spec.input)
    prepared = prepare(job, dataset.survey)
    _refuse_unfit(dataset, prepared)
    return execute(job, engine, watchers, wait=wait, prepared=prepared, uid=uid)


def _refuse_other_input(dataset: Dataset, asked: Input) -> None:
    """UsageError where `asked` is read in another way than `dataset` was; further types of columns are free."""
    csv = dataset.input.csv
    csv = csv.model_copy(update={"dtypes": {**csv.dtypes, **asked.csv.dtypes}})
    loaded = dataset.input.model_copy(update={"storage": None, "csv": csv, "allow_empty": asked.allow_empty})
    if loaded.where is None:
        loaded = loaded.model_copy(update={"where": asked.where})
    asked = asked.model_copy(update={"storage": None, "uris": tuple(map(absolute, asked.uris))})
    here, there = asked.model_dump(by_alias=True), loaded.model_dump(by_alias=True)
    other = [f"{name}: {value!r}, loaded with {there[name]!r}" for name, value in here.items() if value != there[name]]
    if other:
        raise UsageError(
            f"the dataset {dataset.name!r} was loaded otherwise: {'; '.join(other)}",
            "Leave that out to score what is loaded, or load a dataset with it.",
            code="DatasetSettings",
        )


def _refuse_unfit(dataset: Dataset, prepared: Prepared) -> None:
    """FitError where the job reads a column that is not held, or one as another type than rows were chosen by."""
    settings = prepared.plan.settings
    held = dataset.columns
    kept = (column.name for column in settings.keep)
    needed = dict.fromkeys((*used_columns(prepared.bundle.columns, settings), *kept))
    missing = [name for name in needed if name not in held]
    if missing:
        raise FitError(
            f"the dataset {dataset.name!r} does not hold {', '.join(map(repr, missing))}; it holds {', '.join(held)}",
            f"Load it with --for {prepared.bundle.uri}, or with --columns {','.join(missing)}.",
            code="DatasetDoesNotFit",
        )
    if dataset.where_columns and settings.where_columns != dataset.where_columns:
        was, now = (
            ", ".join(f"{column.name} as {column.dtype}" for column in columns)
            for columns in (dataset.where_columns, settings.where_columns)
        )
        raise FitError(
            f"the rows of the dataset {dataset.name!r} were chosen by {was}; with this model --where means {now}",
            "Load it for this model, or give the type: --dtypes NAME=TYPE, when loading and when scoring.",
            code="DatasetDoesNotFit",
        )


def partitions_of(frame: dd.DataFrame) -> list[Future[pd.DataFrame]]:
    """The partitions of a persisted frame, in their order."""
    return sorted(futures_of(frame), key=lambda future: future.key[1])
