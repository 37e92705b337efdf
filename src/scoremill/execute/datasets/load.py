"""Load a dataset: measure it, refuse it if it does not fit, read it into the memory of workers, and publish it."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import uuid4

import dask
import dask.dataframe as dd
import distributed
import pandas as pd
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from scoremill.bundle import inspect
from scoremill.engines.dask.engine import OnDask
from scoremill.errors import ClusterError, KilledWorkerError, UsageError
from scoremill.events import Event, Note, Progress, Started, Watcher
from scoremill.kubernetes.objects.dask_config import KILLS
from scoremill.planning import Needs, Partition, Piece, Plan, Survey, build_plan, take_survey
from scoremill.spec import Column, JobSpec
from scoremill.units import format_bytes, quoted
from scoremill.worker.inputs import PartitionReader
from scoremill.worker.opened import Quotes
from scoremill.worker.reading import Reading

from ..coordinator.earlier import earlier_of
from ..coordinator.estimate import SAMPLE_FILES, SAMPLE_ROWS
from ..coordinator.prepare import absolute_spec, refuse_problems
from ..coordinator.proofs import Proofs
from .dataset import ABOUT, FRAME, Dataset, partitions_of, receipt_of
from .frame import as_frame, learned_of, read_partition, size_of

SHARE = 0.6
"""Fraction of the memory limit of a worker for data; scoring a batch and moving partitions need the rest."""


@dataclass(frozen=True, slots=True)
class _HeldPartition:
    """One partition in memory."""

    rows: int
    rejected: int
    bytes: int
    quotes: Quotes


def load(name: str, job: JobSpec, bundles: Sequence[str], engine: OnDask, watchers: Iterable[Watcher] = ()) -> Dataset:
    """Read the input of `job` into the memory of the cluster of `engine`.

    The columns that `bundles` read, that the job keeps and that its condition uses are loaded. Raises UsageError if a
    dataset with this name exists, ClusterError if it does not fit.
    """
    with engine._calls():
        return _load(name, job, bundles, engine, watchers)


def _load(name: str, job: JobSpec, bundles: Sequence[str], engine: OnDask, watchers: Iterable[Watcher]) -> Dataset:
    watchers = tuple(watchers)
    engine.wait(lambda text: _notify(watchers, Note(text)), for_worker=True)
    if name in engine._client.list_datasets():
        raise UsageError(
            f"the cluster already has a dataset {quoted(name)}",
            f"Remove it with `scoremill dataset drop {name}`, or choose another name.",
            code="DatasetExists",
        )
    job = absolute_spec(job)
    survey, plan, reading = _plan(job, bundles)
    room, (row_bytes, meta) = _room(engine._client), _measure(plan, reading)
    _refuse_too_much(row_bytes * plan.estimated_rows, room)
    loading = _Loading(plan, reading, meta, room, engine._client, watchers, job.deadlines.no_progress_seconds)
    frame, held = loading.to_the_end()
    dataset = Dataset(
        name,
        job.input.model_copy(update={"storage": job.input_storage}),
        survey,
        reading.carried,
        plan.settings.where_columns,
        tuple(partition.pieces for partition, _ in held),
        loading.refuted,
        sum(each.rows for _, each in held),
        sum(each.rejected for _, each in held),
        sum(each.bytes for _, each in held),
        time.time(),
        _by_worker(engine._client, frame, [each.bytes for _, each in held]),
    )
    engine._client.publish_dataset({FRAME: frame, ABOUT: dataset}, name=name)
    return dataset


def _plan(job: JobSpec, bundles: Sequence[str]) -> tuple[Survey, Plan, Reading]:
    columns: dict[str, Column] = {}
    for uri in bundles:
        for column in inspect(uri, job.model_storage).columns:
            columns.setdefault(column.name, column)
    if not columns and not job.output.keep:
        raise UsageError(
            "no columns to load are given",
            "Give a bundle with `models=`, or columns with `columns=` ('*' means all).",
            code="MissingArgument",
        )
    needs = Needs("", "", tuple(columns.values()))
    survey, problems = take_survey(job, needs, list(columns), earlier_of(job))
    plan = replace(build_plan(job, needs, (), survey), problems=problems)
    refuse_problems(plan)
    settings = plan.settings
    compared = tuple(column.name for column in settings.where_columns)
    held = dict.fromkeys((*columns, *(column.name for column in settings.keep), *compared))
    return survey, plan, Reading(settings, plan.settings_hash, compared, tuple(held), job.input_storage)


def _measure(plan: Plan, reading: Reading) -> tuple[float, pd.DataFrame]:
    """Return the mean bytes per row in memory, measured on the first rows of some files, and their frame without rows."""
    rows, taken, meta = 0, 0, None
    for partition in islice(plan.uncut(), SAMPLE_FILES):
        opened = PartitionReader(reading, partition)
        frame = as_frame(opened, islice(opened, 1), reading)
        held = _about(frame)
        rows += held.rows + held.rejected + learned_of(frame).left_out
        taken += held.bytes
        if meta is None or held.rows:
            meta = frame.iloc[:0]
        if rows >= SAMPLE_ROWS:
            break
    if meta is None:
        raise UsageError("there is nothing to load: the input has no rows")
    meta.attrs = {}
    return taken / max(rows, 1), meta


def _room(client: Client) -> float:
    """Return how many bytes of data still fit into the workers, infinity if one has no limit; ClusterError without any."""
    workers: list[dict[str, Any]] = list(client.scheduler_info(n_workers=-1)["workers"].values())
    if not workers:
        raise ClusterError(
            "the cluster has no worker",
            "Wait for a worker, or find out why there is none with `scoremill cluster status`.",
            code="NoWorkers",
        )
    if not all(worker["memory_limit"] for worker in workers):
        return math.inf
    return math.fsum(max(0.0, SHARE * worker["memory_limit"] - worker["metrics"]["memory"]) for worker in workers)


def _by_worker(client: Client, frame: dd.DataFrame, sizes: list[int]) -> dict[str, int]:
    """Return how many bytes of `frame`, whose partitions have these sizes, each worker holds."""
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
            f"{format_bytes(round(room))}: {100 * SHARE:.0f} % of their limits minus the memory in use",
            "Give the cluster more workers or memory, load fewer columns (`columns=`) or rows (`spec.input.where`), drop another dataset, "
            "or score without one: `scoremill score --input …` holds a batch at a time.",
            code="NotEnoughMemory",
        )


class _Loading:
    """One load: the partitions in memory, and which of them count."""

    def __init__(
        self,
        plan: Plan,
        reading: Reading,
        meta: pd.DataFrame,
        room: float,
        client: Client,
        watchers: tuple[Watcher, ...],
        patience: float,
    ) -> None:
        self._plan, self._reading, self._meta, self._room = plan, reading, meta, room
        self._client, self._watchers, self._patience = client, watchers, patience
        self._proofs = Proofs(plan)
        self._loaded: dict[tuple[int, str], tuple[Partition, _HeldPartition, Future[pd.DataFrame]]] = {}
        self._rows = self._rejected = self._taken = self._done = 0
        self.refuted: dict[tuple[Piece, ...], Quotes] = {}

    def to_the_end(self) -> tuple[dd.DataFrame, list[tuple[Partition, _HeldPartition]]]:
        """Return the frame of all partitions that start where a row starts, and their descriptions, in input order."""
        self._notify(Started(len(self._plan), 0, 0, self._plan.bytes, self._plan.estimated_rows))
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
            with self._client.as_current():
                distributed.wait(frame)
        return frame, [(partition, held) for partition, held, _ in loaded]

    def _read(self, asked: list[Partition]) -> tuple[dd.DataFrame, list[Partition]]:
        """Return the frame of these partitions, in memory, and the partitions to read in place of some of them."""
        # A unique label: Dask would otherwise reuse the partition, or the failure, of another load.
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
                f"no partition was loaded for {self._patience} s",
                "Check the workers with `scoremill cluster status`.",
                code="NoProgress",
            ) from None

    def _result(self, partition: Partition, about: Future[_HeldPartition]) -> _HeldPartition:
        try:
            return about.result(timeout=self._patience)
        except KilledWorker:
            raise KilledWorkerError(
                f"{KILLS} workers died while loading {partition.pieces[0].source.uri}",
                "Their logs show why they ended. If memory ran out, give the cluster more workers or memory, or load "
                "less (`columns=`, `spec.input.where`).",
            ) from None

    def _take(self, partition: Partition, held: _HeldPartition, future: Future[pd.DataFrame]) -> list[Partition]:
        """Count a partition that is in memory; return those to read because it, or others, start inside quotes."""
        self._loaded[partition.number, partition.id] = partition, held, future
        self._count(partition, held, 1)
        outcome = self._proofs.take(receipt_of(partition, held.quotes))
        for wrong in outcome.discarded:
            wrong_partition, wrong_held, _ = self._loaded.pop((wrong.number, wrong.id))
            self.refuted[wrong_partition.pieces] = wrong_held.quotes
            self._count(wrong_partition, wrong_held, -1)
        _refuse_too_much(self._taken, self._room)
        workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
        self._notify(Progress(len(self._loaded), self._rows, self._rejected, self._done, workers))
        return outcome.again

    def _count(self, partition: Partition, held: _HeldPartition, sign: int) -> None:
        self._rows += sign * (held.rows + held.rejected)
        self._rejected += sign * held.rejected
        self._taken += sign * held.bytes
        self._done += sign * partition.size

    def _notify(self, event: Event) -> None:
        _notify(self._watchers, event)


def _notify(watchers: Iterable[Watcher], event: Event) -> None:
    for watcher in watchers:
        watcher(event)


def _about(frame: pd.DataFrame) -> _HeldPartition:
    """Describe a partition in memory; runs on the worker that holds it."""
    learned = learned_of(frame)
    return _HeldPartition(len(frame), len(learned.rejects), size_of(frame), Quotes.of(learned.pieces))
