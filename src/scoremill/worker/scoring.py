"""Score batches of rows into batches of output columns and rejects, without writing anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.bundle import LoadedModel, call
from scoremill.errors import InputError, ObjectError, RejectLimitError
from scoremill.planning import NOTHING, Sample
from scoremill.tabular.convert import carry, to_frame
from scoremill.tabular.place import RejectedRow
from scoremill.tabular.rows import Reject, Rows

from .batches import rebatch
from .opened import OpenPartition
from .parity import refuse_difference
from .predict import Results, kind_of, predict_rows, reason_of
from .results import ResultColumns
from .work import Work, typed_columns

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")


def timed(
    action: Callable[Arguments, Value], *arguments: Arguments.args, **named: Arguments.kwargs
) -> tuple[Value, float]:
    """Return the result of `action`, and how many seconds it took."""
    begin = time.perf_counter()
    value = action(*arguments, **named)
    return value, time.perf_counter() - begin


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of batches, and the seconds spent."""

    scored: int = 0
    rejected: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    predicting: float = 0.0
    writing: float = 0.0
    compared: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.scored + other.scored,
            self.rejected + other.rejected,
            self.unseen + other.unseen,
            self.reasons + other.reasons,
            self.predicting + other.predicting,
            self.writing + other.writing,
            self.compared + other.compared,
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """One batch: the rows of the part and the rejected rows, both in order."""

    table: pa.Table
    rejects: list[Reject]
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class Preview:
    """A scored batch for a preview."""

    table: pa.Table
    rejected: list[RejectedRow]


class Scorer:
    """Score the rows of one partition, batch after batch."""

    def __init__(
        self,
        work: Work,
        model: LoadedModel,
        opened: OpenPartition,
        *,
        model_works: bool = False,
        first_line: int = 0,
        parity: Sample = NOTHING,
    ) -> None:
        """Take `model_works`, `first_line` and `parity` from the Task."""
        self._work, self._model, self._opened = work, model, opened
        self._model_works, self._first_line = model_works, first_line
        self._parity = parity
        self._called = work.settings.method if work.settings.threshold is None else "predict_proba"
        self._columns = ResultColumns(work.settings, model.bundle)
        self._typed = typed_columns(work.settings)

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._columns.schema

    def batches(self, rows: Iterable[Rows] | None = None) -> Iterator[Scored]:
        """Yield the scored batches of the partition, or of `rows` if given, one at a time."""
        done, number = Counts(), 0
        for batch in rebatch(iter(self._opened if rows is None else rows), self._work.settings.batch_rows):
            scored = self._score(batch, done, number)
            done += scored.counts
            # Batches that have only rejects depend on how much a store delivers at a time.
            number += len(batch) > 0
            yield scored

    def readable(self, rows: Iterable[Rows] | None = None) -> Iterator[Scored]:
        """Yield batches like `batches`; stop at an object that cannot be read if the job rejects such objects."""
        try:
            yield from self.batches(rows)
        except ObjectError:
            if not self._work.rejects_objects:
                raise

    def _score(self, rows: Rows, done: Counts, number: int) -> Scored:
        work, rejects = self._work, rows.rejects
        converted = to_frame(rows, self._model.bundle.columns, work.settings.csv, self._typed)
        if converted.rejects:
            rows, rejects = rows.take(converted.positions), rejects + converted.rejects
        rejected = done.rejected + len(rejects)
        (values, rows, failed), predicting = timed(
            self._predict, converted.frame, rows, rejected, number, has_scored=done.scored > 0
        )
        rejects = rejects + failed
        reasons = Counter(reject.column or "row" for reject in rejects)
        rejects = sorted(rejects, key=lambda reject: reject.row)
        if work.settings.raw != "Keep":
            rejects = [_without_value(reject) for reject in rejects]
        if rejects and work.fail_on_row_error:
            self._refuse(rejects[0])
        table, writing = timed(self._table, rows, values)
        compared = len(rows) if number in self._parity else 0
        counts = Counts(len(rows), len(rejects), converted.unseen, reasons, predicting, writing, compared)
        return Scored(table, rejects, counts)

    def _predict(
        self, frame: pd.DataFrame, rows: Rows, rejected: int, number: int, *, has_scored: bool
    ) -> tuple[Results | None, Rows, list[Reject]]:
        """Return the results of batch `number`, their rows, and the rejects; `rejected` rows were rejected before."""
        if not len(frame):
            return None, rows, []
        limit = self._work.max_rejects
        values, failed = predict_rows(
            lambda some: call(self._model.estimator, self._model.bundle, self._called, some),
            frame,
            None if limit is None else limit - rejected,
            has_scored=self._model_works or has_scored,
            describe=reason_of if self._work.settings.raw == "Keep" else kind_of,
        )
        if not failed:
            self._compare(frame, values, number)
            return values, rows, []
        bad = [rows.reject(one.position, None, one.reason) for one in failed]
        good = np.setdiff1d(np.arange(len(rows)), [one.position for one in failed])
        self._compare(frame.iloc[good].reset_index(drop=True), values, number)
        return values, rows.take(good), bad

    def _compare(self, frame: pd.DataFrame, values: Results | None, number: int) -> None:
        """Raise ParityError if the original model gives other results for a batch of the sample."""
        if values is not None and number in self._parity:
            where = f"batch {number} of {self._opened.partition}"
            refuse_difference(self._work.model.original(), self._called, frame, values, where)

    def _refuse(self, reject: Reject) -> None:
        raise RejectLimitError(
            str(self._opened.rejected_row(reject, self._first_line)),
            "Fix the row, or write rejected rows to _errors/ with `spec.errors.onRowError: Reject`.",
            code="RowRejected",
        )

    def _table(self, rows: Rows, values: Results | None) -> pa.Table:
        columns = self._kept(rows) + (self._positions(rows) if self._work.settings.row_id else [])
        if values is None:
            columns += [pa.array([], field.type) for field in self.schema][len(columns) :]
        else:
            columns += self._columns.arrays(values)
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _kept(self, rows: Rows) -> list[pa.Array]:
        """Return the kept columns with their types in the plan."""
        keep, csv = self._work.settings.keep, self._work.settings.csv
        try:
            return [carry(rows, column, csv) for column in keep]
        except InputError as error:
            piece = self._opened.partition.pieces[self._opened.piece_of(int(rows.numbers[0]))]
            raise InputError(f"{piece.source.uri}: {error.message}", error.hint, error.code) from None

    def _positions(self, rows: Rows) -> list[pa.Array]:
        """Return the source object of each row, and its byte offset there, or its row number in Parquet."""
        opened = self._opened.pieces
        firsts = np.array([piece.first for piece in opened])
        before = firsts - [piece.origin for piece in opened]
        pieces = np.searchsorted(firsts, rows.numbers, side="right") - 1
        names = pa.array([piece.source.name for piece in self._opened.partition.pieces[: len(opened)]])
        source = pa.DictionaryArray.from_arrays(pa.array(pieces.astype(np.int32)), names)
        offsets = np.asarray(rows.offsets())
        in_parquet = offsets < 0
        offsets = np.where(in_parquet, rows.numbers - before[pieces], offsets)
        return [source.cast(pa.string()), pa.array(offsets, pa.int64())]


def _without_value(reject: Reject) -> Reject:
    """Return `reject` without the value at the start of its reason, which could not be converted."""
    if reject.column is None:
        return reject
    return replace(reject, reason=reject.reason[reject.reason.rindex("is not a") :])
