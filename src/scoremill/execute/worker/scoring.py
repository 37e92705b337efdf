"""The heart of a task: batches of rows in, batches of result columns and rejects out. Writes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.bundle import call, load_estimator
from scoremill.errors import InputError, ObjectError, RejectLimitError
from scoremill.spec import Column
from scoremill.tabular.convert import carry, to_frame
from scoremill.tabular.rows import Reject, Rows

from .batches import rebatch
from .inputs import Opened
from .predict import Results, kind_of, predict_rows, reason_of
from .results import part_schema, result_arrays
from .work import Work


@dataclass(slots=True)
class Scored:
    """One batch: the rows of the part, and those set aside, both in their order."""

    table: pa.Table
    rejects: list[Reject]


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"read": 0.0, "predict": 0.0, "write": 0.0}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


@dataclass(slots=True)
class Counts:
    """What the batches of a partition add up to."""

    scored: int = 0
    rejected: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def scored_batches(
    work: Work, opened: Opened, clock: Clock, counts: Counts, *, model_works: bool = False, first_line: int = 0
) -> Iterator[Scored]:
    """The partition's batches, scored one at a time; `clock` and `counts` follow. See Task for `first_line`."""
    estimator = load_estimator(
        work.bundle.uri,
        work.bundle.digest,
        work.model_storage,
        allow_version_skew=work.allow_version_skew,
        trusted_types=work.trusted_types,
    )
    scoring = _Scoring(work, opened, estimator, clock, counts, model_works, first_line)
    batches = rebatch(opened.rows, work.settings.batch_rows)
    while True:
        with clock("read"):
            rows = next(batches, None)
        if rows is None:
            return
        yield scoring.score(rows)


def readable_batches(work: Work, opened: Opened) -> Iterator[Scored]:
    """The same for a look at some rows: if the job rejects objects that cannot be read, the batches end at one."""
    try:
        yield from scored_batches(work, opened, Clock(), Counts())
    except ObjectError:
        if not work.rejects_objects:
            raise


class _Scoring:
    """Scores batch after batch of one partition."""

    def __init__(
        self,
        work: Work,
        opened: Opened,
        estimator: Any,
        clock: Clock,
        counts: Counts,
        model_works: bool,
        first_line: int,
    ) -> None:
        self._work, self._opened, self._estimator, self._model_works = work, opened, estimator, model_works
        self._clock, self._counts, self._first_line = clock, counts, first_line
        self._schema = part_schema(work.settings, work.results)
        self._typed = [Column(kept.name, kept.dtype) for kept in work.settings.keep if kept.dtype is not None]

    def score(self, rows: Rows) -> Scored:
        rejects = rows.rejects
        with self._clock("read"):
            frame, rows, bad = self._frame(rows)
            rejects = rejects + bad
        with self._clock("predict"):
            values, rows, bad = self._predict(frame, rows, len(rejects))
            rejects = rejects + bad
        if self._work.settings.raw != "Keep":
            rejects = [_without_value(reject) for reject in rejects]
        self._count(len(rows), rejects)
        with self._clock("write"):
            return Scored(self._table(rows, values), sorted(rejects, key=lambda reject: reject.row))

    def _frame(self, rows: Rows) -> tuple[pd.DataFrame, Rows, list[Reject]]:
        """What the model gets, of the rows that convert; and the others."""
        converted = to_frame(rows, self._work.columns, self._work.settings.csv, self._typed)
        self._counts.unseen.update(converted.unseen)
        if converted.rejects:
            rows = rows.take(converted.positions)
        return converted.frame, rows, converted.rejects

    def _predict(self, frame: pd.DataFrame, rows: Rows, rejected: int) -> tuple[Results | None, Rows, list[Reject]]:
        if not len(frame):
            return None, rows, []
        work = self._work
        most = None if work.max_rejects is None else work.max_rejects - self._counts.rejected - rejected
        values, failed = predict_rows(
            lambda some: call(self._estimator, work.bundle, work.called, some),
            frame,
            most,
            has_scored=self._model_works or self._counts.scored > 0,
            tell=reason_of if work.settings.raw == "Keep" else kind_of,
        )
        if failed:
            bad = [rows.reject(one.position, None, one.reason) for one in failed]
            good = np.setdiff1d(np.arange(len(rows)), [one.position for one in failed])
            return values, rows.take(good), bad
        return values, rows, []

    def _count(self, scored: int, rejects: list[Reject]) -> None:
        self._counts.scored += scored
        self._counts.rejected += len(rejects)
        self._counts.reasons.update(reject.column or "row" for reject in rejects)
        if rejects and self._work.fail_on_row_error:
            first = min(rejects, key=lambda reject: reject.row)
            column = f", column {first.column!r}" if first.column else ""
            raise RejectLimitError(
                f"{self._opened.place_of(first, self._first_line)}{column}: {first.reason}",
                "Fix the row, or write rejected rows to _errors/ with --on-row-error Reject.",
            )

    def _table(self, rows: Rows, values: Results | None) -> pa.Table:
        settings, results = self._work.settings, self._work.results
        columns = self._kept(rows) + (self._positions(rows) if settings.row_id else [])
        if values is None:
            columns += [pa.array([], field.type) for field in self._schema][len(columns) :]
        else:
            columns += result_arrays(values, settings, results, self._work.bundle.classes)
        return pa.Table.from_arrays(columns, schema=self._schema)

    def _kept(self, rows: Rows) -> list[pa.Array]:
        """The kept columns with the types that the plan fixed."""
        keep, csv = self._work.settings.keep, self._work.settings.csv
        try:
            return [carry(rows, column, csv) for column in keep]
        except InputError as error:
            piece = self._opened.partition.pieces[self._opened.piece_of(int(rows.numbers[0]))]
            raise InputError(f"{piece.source.uri}: {error.message}", error.hint) from None

    def _positions(self, rows: Rows) -> list[pa.Array]:
        """The object that each row came from, and its byte offset there, or row number in Parquet."""
        pieces = np.searchsorted(self._opened.firsts, rows.numbers, side="right") - 1
        names = pa.array([piece.source.name for piece in self._opened.partition.pieces[: len(self._opened.firsts)]])
        source = pa.DictionaryArray.from_arrays(pa.array(pieces.astype(np.int32)), names)
        offsets = np.asarray(rows.offsets())
        in_parquet = offsets < 0
        before = np.asarray(self._opened.firsts) - np.asarray(self._opened.origins)
        offsets = np.where(in_parquet, rows.numbers - before[pieces], offsets)
        return [source.cast(pa.string()), pa.array(offsets, pa.int64())]


def _without_value(reject: Reject) -> Reject:
    """`reject` without the value that does not convert, which its reason begins with."""
    if reject.column is None:
        return reject
    return replace(reject, reason=reject.reason[reject.reason.rindex("is not a") :])
