"""Datasets: an input that is held in a cluster's memory, read once and scored by several models in turn."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self
from uuid import uuid4

import dask
import dask.dataframe as dd
import distributed
import pandas as pd
from distributed import Client, Future, futures_of
from distributed.scheduler import KilledWorker

from scoremill.bundle import inspect
from scoremill.errors import ClusterError, FitError, UsageError
from scoremill.ledger import Manifest, Receipt
from scoremill.plan import Needs, Partition, Piece, Plan, Survey, build_plan, take_survey
from scoremill.spec import Column, Input, JobSpec, ScoringJob
from scoremill.storage.uri import absolute
from scoremill.units import format_bytes

from .dask_engine import OnDask
from .driver import execute
from .events import Event, Progress, Started, Watcher
from .inputs import open_partition
from .persisted import ReadOnly, as_frame, learned_of, read_partition, score_held, size_of
from .prepare import Prepared, _absolute, prepare, refuse_problems
from .proofs import Proofs
from .work import Task

SHARE = 0.6
"""Of a worker's memory limit, what data may take: scoring a batch, and partitions on the move, need the rest."""
SAMPLE_ROWS, SAMPLE_FILES = 20_000, 16
"""Rows that are read to measure what a row takes in memory, and the most files that they come from."""
_FRAME, _ABOUT = "frame", "scoremill"


@dataclass(frozen=True, slots=True)
class Quotes:
    """What a receipt tells of a partition's quotes."""

    quotes: int
    irregular: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of an input in a cluster's memory; enough to plan a job on it without listing it again."""

    name: str
    input: Input
    """As it was asked for, with the settings of its store."""
    survey: Survey
    columns: tuple[Column, ...]
    """What is held of each row, with the types that its samples, or the bundles it was loaded for, give."""
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


@dataclass(frozen=True, slots=True)
class _Held:
    """One partition in memory."""

    rows: int
    rejected: int
    bytes: int
    quotes: Quotes


class OnDataset(OnDask):
    """Hands each task its partition as a dataset holds it; what it does not hold is read from the store, as ever."""

    def __init__(self, name: str, *connection: Any, **settings: Any) -> None:
        """`connection` and `settings` are those of OnDask."""
        super().__init__(*connection, **settings)
        self._name = name

    def __enter__(self) -> Self:
        super().__enter__()
        dataset = find(self, self._name)
        futures = partitions_of(self._client.get_dataset(self._name)[_FRAME])
        self._held, self._refuted = dict(zip(dataset.pieces, futures, strict=True)), dataset.refuted
        return self

    def _start(self, task: Task, key: str) -> Future[Receipt]:
        pieces = task.partition.pieces
        if pieces in self._refuted:
            return self._client.submit(_refute, task, self._refuted[pieces], key=key, pure=False, retries=0)
        # What failed once may have failed in memory: a worker died, and its partition could not be read again.
        if pieces not in self._held or task.attempt:
            return super()._start(task, key)
        return self._client.submit(score_held, task, self._held[pieces], key=key, pure=False, retries=0)


def _refute(task: Task, quotes: Quotes) -> Receipt:
    """The receipt of a partition that begins in the wrong place: nothing was read or written, its quotes are known."""
    return _receipt(task.partition, quotes)


def _receipt(partition: Partition, quotes: Quotes) -> Receipt:
    return Receipt(
        partition.number, partition.id, 0, 0, 0, (), quotes=quotes.quotes, irregular=quotes.irregular, ended=time.time()
    )


def load(
    name: str, job: JobSpec, bundles: Sequence[str], engine: OnDask, watchers: Iterable[Watcher] = ()
) -> tuple[Dataset, dict[str, int]]:
    """Reads the input of `job` into the memory of the cluster of `engine`; the dataset, and its bytes by worker.

    Held are the columns that `bundles` read, those that the job keeps and those of its condition. Raises UsageError
    where there is such a dataset already, ClusterError where it does not fit.
    """
    if name in engine._client.list_datasets():
        raise UsageError(
            f"the cluster has a dataset {name!r} already", f"`scoremill dataset drop {name}`, or choose another name."
        )
    job = _absolute(job)
    survey, plan, reading = _plan(job, bundles)
    room, (row_bytes, meta) = _room(engine._client), _measure(plan, reading)
    _refuse_too_much(row_bytes * plan.estimated_rows, room)
    loading = _Loading(plan, reading, meta, room, engine._client, tuple(watchers), job.deadlines.no_progress_seconds)
    frame, held = loading.to_the_end()
    dataset = Dataset(
        name,
        job.input.model_copy(update={"storage": job.input_storage}),
        survey,
        tuple({column.name: column for column in reading.read_columns}.values()),
        plan.settings.where_columns,
        tuple(partition.pieces for partition, _ in held),
        loading.refuted,
        sum(each.rows for _, each in held),
        sum(each.rejected for _, each in held),
        sum(each.bytes for _, each in held),
        time.time(),
    )
    engine._client.publish_dataset({_FRAME: frame, _ABOUT: dataset}, name=name)
    return dataset, _by_worker(engine._client, frame, [each.bytes for _, each in held])


def datasets(engine: OnDask) -> list[Dataset]:
    """The datasets that the cluster of `engine` holds, by name."""
    client = engine._client
    published = [client.get_dataset(name) for name in client.list_datasets()]
    return [each[_ABOUT] for each in published if isinstance(each, dict) and isinstance(each.get(_ABOUT), Dataset)]


def find(engine: OnDask, name: str) -> Dataset:
    """The dataset `name`; UsageError naming those there are."""
    there = {dataset.name: dataset for dataset in datasets(engine)}
    if name not in there:
        raise UsageError(
            f"the cluster has no dataset {name!r}",
            f"It has: {', '.join(there)}." if there else "It has none; `scoremill dataset load` makes one.",
        )
    return there[name]


def drop(engine: OnDask, name: str) -> None:
    """Lets the cluster forget the dataset `name`; UsageError where there is none."""
    find(engine, name)
    engine._client.unpublish_dataset(name)


def score_dataset(
    dataset: Dataset, job: ScoringJob, engine: OnDataset, watchers: Iterable[Watcher] = (), *, wait: bool = False
) -> Manifest:
    """Scores what `dataset` holds as `job` asks; the same objects as by streaming the same input.

    Raises UsageError where the job's input is not the dataset's, FitError for columns that were not loaded.
    """
    _refuse_other_input(dataset, job.spec.input)
    prepared = prepare(job, dataset.survey)
    _refuse_unfit(dataset, prepared)
    return execute(job, engine, watchers, wait=wait, prepared=prepared)


def _plan(job: JobSpec, bundles: Sequence[str]) -> tuple[Survey, Plan, ReadOnly]:
    columns: dict[str, Column] = {}
    for uri in bundles:
        for column in inspect(uri, job.model_storage).columns:
            columns.setdefault(column.name, column)
    if not columns and not job.output.keep:
        raise UsageError("nothing says which columns to load", "Give --for BUNDLE, or --columns a,b ('*' is all).")
    needs = Needs("", "", tuple(columns.values()))
    survey, problems = take_survey(job, needs, list(columns))
    plan = replace(build_plan(job, needs, (), survey), problems=problems)
    refuse_problems(plan)
    settings = plan.settings
    read = (*needs.columns, *settings.keep, *settings.where_columns)
    return survey, plan, ReadOnly(settings, plan.settings_hash, read, job.input_storage)


def _measure(plan: Plan, reading: ReadOnly) -> tuple[float, pd.DataFrame]:
    """The mean bytes that a row of the input takes in memory, by the first rows of some files; and their frame, empty."""
    rows, taken, meta = 0, 0, None
    for partition in islice(plan.uncut(), SAMPLE_FILES):
        opened = open_partition(reading, partition)
        opened.rows = islice(opened.rows, 1)
        frame = as_frame(opened, reading)
        held = _about(frame)
        rows += held.rows + held.rejected + learned_of(frame).left_out
        taken += held.bytes
        if meta is None or held.rows:
            meta = frame.iloc[:0]
        if rows >= SAMPLE_ROWS:
            break
    if meta is None:
        raise UsageError("there is nothing to load: the input has no row")
    meta.attrs = {}
    return taken / max(rows, 1), meta


def _room(client: Client) -> float:
    """Bytes that data may still take in the memory of the workers there are; infinite where one has no limit."""
    workers: list[dict[str, Any]] = list(client.scheduler_info(n_workers=-1)["workers"].values())
    if not all(worker["memory_limit"] for worker in workers):
        return math.inf
    return math.fsum(max(0.0, SHARE * worker["memory_limit"] - worker["metrics"]["memory"]) for worker in workers)


def _by_worker(client: Client, frame: dd.DataFrame, sizes: list[int]) -> dict[str, int]:
    """Bytes of `frame`, whose partitions have these sizes, in the memory of each worker."""
    futures = partitions_of(frame)
    holders, taken = client.who_has(futures), dict.fromkeys(client.scheduler_info(n_workers=-1)["workers"], 0)
    for future, size in zip(futures, sizes, strict=True):
        for worker in holders[future.key]:
            taken[worker] += size
    return taken


def _refuse_too_much(wanted: float, room: float) -> None:
    if wanted > room:
        raise ClusterError(
            f"the dataset takes about {format_bytes(round(wanted))} in memory, and the workers have room for "
            f"{format_bytes(round(room))}: {SHARE:.0%} of their limits, less what they use now",
            "Give the cluster more workers or memory, load fewer --columns or rows (--where), drop another dataset, "
            "or score without one: `scoremill score --input …` holds a batch at a time.",
        )


def _refuse_other_input(dataset: Dataset, asked: Input) -> None:
    """UsageError where `asked` is read in another way than `dataset` was; further types of columns are free."""
    csv = dataset.input.csv
    csv = csv.model_copy(update={"dtypes": {**csv.dtypes, **asked.csv.dtypes}})
    loaded = dataset.input.model_copy(update={"storage": None, "csv": csv})
    if loaded.where is None:
        loaded = loaded.model_copy(update={"where": asked.where})
    asked = asked.model_copy(update={"storage": None, "uris": tuple(map(absolute, asked.uris))})
    here, there = asked.model_dump(by_alias=True), loaded.model_dump(by_alias=True)
    other = [f"{name}: {value!r}, loaded with {there[name]!r}" for name, value in here.items() if value != there[name]]
    if other:
        raise UsageError(
            f"the dataset {dataset.name!r} was loaded otherwise: {'; '.join(other)}",
            "Leave that out to score what is loaded, or load a dataset with it.",
        )


def _refuse_unfit(dataset: Dataset, prepared: Prepared) -> None:
    """FitError where the job reads a column that is not held, or one as another type than rows were chosen by."""
    settings = prepared.plan.settings
    held = [column.name for column in dataset.columns]
    needed = dict.fromkeys(c.name for c in (*prepared.bundle.columns, *settings.keep, *settings.where_columns))
    missing = [name for name in needed if name not in held]
    if missing:
        raise FitError(
            f"the dataset {dataset.name!r} does not hold {', '.join(map(repr, missing))}; it holds {', '.join(held)}",
            f"Load it with --for {prepared.bundle.uri}, or with --columns {','.join(missing)}.",
        )
    if dataset.where_columns and settings.where_columns != dataset.where_columns:
        was, now = (
            ", ".join(f"{column.name} as {column.dtype}" for column in columns)
            for columns in (dataset.where_columns, settings.where_columns)
        )
        raise FitError(
            f"the rows of the dataset {dataset.name!r} were chosen by {was}; with this model --where means {now}",
            "Load it for this model, or give the type: --dtypes NAME=TYPE, when loading and when scoring.",
        )


class _Loading:
    """One load: what is in memory, and which of it counts."""

    def __init__(
        self, plan: Plan, reading: ReadOnly, meta: pd.DataFrame, room: float, client: Client,
        watchers: tuple[Watcher, ...], patience: float,
    ) -> None:  # fmt: skip
        self._plan, self._reading, self._meta, self._room = plan, reading, meta, room
        self._client, self._watchers, self._patience = client, watchers, patience
        self._proofs = Proofs(plan)
        self._loaded: dict[tuple[int, str], tuple[Partition, _Held, Future[pd.DataFrame]]] = {}
        self._rows = self._rejected = self._taken = self._done = 0
        self.refuted: dict[tuple[Piece, ...], Quotes] = {}

    def to_the_end(self) -> tuple[dd.DataFrame, list[tuple[Partition, _Held]]]:
        """The frame of all partitions that begin where a row begins, and what each is, in the order of the input."""
        self._tell(Started(len(self._plan), 0, 0, self._plan.bytes, self._plan.estimated_rows))
        asked, rounds = list(self._proofs.pending()), 0
        while asked:
            frame, asked = self._read(asked)
            rounds += 1
        loaded = [self._loaded.pop((receipt.number, receipt.id)) for _, receipt in self._proofs.accepted()]
        self.refuted |= {partition.pieces: held.quotes for partition, held, _ in self._loaded.values()}
        if rounds > 1:
            frame = self._client.persist(
                dd.from_delayed([future for _, _, future in loaded], meta=self._meta, verify_meta=False)
            )
            distributed.wait(frame)
        return frame, [(partition, held) for partition, held, _ in loaded]

    def _read(self, asked: list[Partition]) -> tuple[dd.DataFrame, list[Partition]]:
        """The frame of these partitions, in memory, and those that are to be read in the place of some of them."""
        # A label of its own: Dask would take another load's partition, or its failure, for the same result.
        label = f"load-{uuid4().hex}"
        with dask.config.set({"dataframe.convert-string": False}):
            frame = self._client.persist(
                dd.from_map(read_partition, asked, reading=self._reading, meta=self._meta, label=label)
            )
        futures, ended = partitions_of(frame), queue.SimpleQueue[int]()
        abouts = [self._client.submit(_about, future, key=f"about-{label}-{i}") for i, future in enumerate(futures)]
        for i, about in enumerate(abouts):
            about.add_done_callback(lambda _, i=i: ended.put(i))
        again: list[Partition] = []
        for _ in asked:
            i = self._next(ended)
            again += self._take(asked[i], self._result(asked[i], abouts[i]), futures[i])
        return frame, again

    def _next(self, ended: queue.SimpleQueue[int]) -> int:
        try:
            return ended.get(timeout=self._patience)
        except queue.Empty:
            raise ClusterError(
                f"no partition was loaded for {self._patience} s", "Look at the workers: `scoremill cluster status`."
            ) from None

    def _result(self, partition: Partition, about: Future[_Held]) -> _Held:
        try:
            return about.result(timeout=self._patience)
        except KilledWorker:
            raise ClusterError(
                f"workers died while loading {partition.pieces[0].source.uri}, most often because their memory ran out",
                "Give the cluster more workers or memory, or load less (--columns, --where).",
            ) from None
        except (CancelledError, TimeoutError):
            raise ClusterError("the Dask scheduler was lost", "Load the dataset again.") from None

    def _take(self, partition: Partition, held: _Held, future: Future[pd.DataFrame]) -> list[Partition]:
        """Counts a partition that is in memory; those to be read because it, or others, begin inside quotes."""
        self._loaded[partition.number, partition.id] = partition, held, future
        self._count(partition, held, 1)
        outcome = self._proofs.take(_receipt(partition, held.quotes))
        for wrong in outcome.discarded:
            wrong_partition, wrong_held, _ = self._loaded.pop((wrong.number, wrong.id))
            self.refuted[wrong_partition.pieces] = wrong_held.quotes
            self._count(wrong_partition, wrong_held, -1)
        _refuse_too_much(self._taken, self._room)
        workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
        self._tell(Progress(len(self._loaded), self._rows, self._rejected, self._done, workers))
        return outcome.again

    def _count(self, partition: Partition, held: _Held, sign: int) -> None:
        self._rows += sign * (held.rows + held.rejected)
        self._rejected += sign * held.rejected
        self._taken += sign * held.bytes
        self._done += sign * partition.size

    def _tell(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher(event)


def partitions_of(frame: dd.DataFrame) -> list[Future[pd.DataFrame]]:
    """The partitions of a persisted frame, in their order."""
    return sorted(futures_of(frame), key=lambda future: future.key[1])


def _about(frame: pd.DataFrame) -> _Held:
    """What a partition in memory is; asked where it lies."""
    learned = learned_of(frame)
    return _Held(
        rows=len(frame),
        rejected=len(learned.rejects),
        bytes=size_of(frame),
        quotes=Quotes(
            sum(tally.quotes for tally in learned.tallies),
            tuple(at for at, tally in enumerate(learned.tallies) if tally.irregular),
        ),
    )
