"""Check that a model gives the same results for rows of its training data and for the same rows read from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from scoremill.errors import ScoremillError
from scoremill.spec import Column, Csv, Gap
from scoremill.tabular.rows import Reject
from scoremill.units import quoted

from ..results import Mask, Results, is_same, rows_apart
from .carry import Carried, Format, carried
from .learned import Learned

Score = Callable[[pd.DataFrame], dict[str, Results]]
"""The results of each method for the rows of a frame."""
_SHOWN = 60
"""Characters of a value in a message."""
_FORMS = {"None": "None", "nan": "NaN", "<NA>": "NA"}
"""How a message calls the forms of missing values, by their text in Python."""


def gaps(
    score: Score, frame: pd.DataFrame, columns: Sequence[Column], csv: Csv, learned: Mapping[str, Learned]
) -> tuple[tuple[Gap, ...], pd.DataFrame]:
    """Where input formats alter what a model gets, and the rows of `frame` as it gets them from one that does not.

    `frame` are rows as the model gets them in training.
    """
    found: list[Gap] = []
    fed = frame
    for form in reversed(get_args(Format)):
        trip = _Trip(form, score, frame, columns, csv)
        found += (new := list(trip.gaps()))
        if not new and trip.carried is not None:
            fed = trip.carried
    known = {(gap.column, gap.spelling) for gap in found}
    texts = {column.name: column.texts for column in columns}
    found += [gap for gap in _known_spellings(learned, texts, csv) if (gap.column, gap.spelling) not in known]
    return tuple(found), fed


class _Trip:
    """Rows through one format to the model."""

    def __init__(self, form: Format, score: Score, frame: pd.DataFrame, columns: Sequence[Column], csv: Csv) -> None:
        self._form, self._score, self._frame, self._columns, self._csv = form, score, frame, columns, csv
        self.carried: pd.DataFrame | None = None
        """The rows at the end of the trip."""

    def gaps(self) -> Iterator[Gap]:
        """What differs at the end of the trip, if it makes a difference to the model."""
        try:
            found = carried(self._form, self._frame, self._columns, self._csv)
        except ScoremillError as error:
            yield Gap(self._form, None, "", error.message, len(self._frame))
            return
        self.carried = found.frame
        yield from self._rejected(found.rejects)
        yield from self._altered(found)

    def _rejected(self, rejects: Sequence[Reject]) -> Iterator[Gap]:
        for column in dict.fromkeys(reject.column for reject in rejects):
            those = [reject for reject in rejects if reject.column == column]
            yield Gap(self._form, column, "", those[0].reason, len(those), is_rejected=True)

    def _altered(self, found: Carried) -> Iterator[Gap]:
        given, fed = self._frame.iloc[found.positions].reset_index(drop=True), found.frame
        names = [column.name for column in self._columns]
        cells = {name: apart for name in names if (apart := _cells_apart(given[name], fed[name])).any()}
        if not cells:
            return
        judge = _Judge(self._score, given)
        rows = judge.rows_apart(fed)
        if rows.any():
            gaps = [gap for name in cells for gap in self._of_column(name, judge, fed[name], cells[name])]
            together = f"the columns {', '.join(map(quoted, cells))} together change the results"
            yield from gaps or [Gap(self._form, None, "", together, int(rows.sum()))]

    def _of_column(self, name: str, judge: _Judge, fed: pd.Series, cells: Mask) -> Iterator[Gap]:
        """The gaps of a column: one for each text that is read as missing, and one for all else."""
        rows = judge.rows_apart(judge.given.assign(**{name: fed}))
        if not rows.any():
            return
        guilty = cells & rows if (cells & rows).any() else cells
        values = judge.given[name].astype(object)
        is_spelling = guilty & np.array([self._is_spelling(value) for value in values])
        for value in dict.fromkeys(values[is_spelling]):
            count = int((is_spelling & (values == value).to_numpy()).sum())
            yield Gap(self._form, name, _shown(value), _shown(np.nan), count, spelling=value)
        if (others := guilty & ~is_spelling).any():
            first = int(np.flatnonzero(others)[0])
            yield Gap(self._form, name, _shown(values.iloc[first]), _shown(fed.iloc[first]), int(others.sum()))

    def _is_spelling(self, value: Any) -> bool:
        return self._form == "csv" and isinstance(value, str) and value in self._csv.null_values


class _Judge:
    """What the model makes of rows, and of others in their place."""

    def __init__(self, score: Score, given: pd.DataFrame) -> None:
        self._score, self.given = score, given
        self._expected = score(given)
        again = score(given)
        self._methods = [name for name, values in self._expected.items() if not rows_apart(values, again[name]).any()]
        """Those that give the same each time."""

    def rows_apart(self, other: pd.DataFrame) -> Mask:
        """Return for each row whether the model distinguishes `other` from the given rows."""
        try:
            found = self._score(other)
        except Exception:  # a model can raise anything on values it was not trained on
            return np.ones(len(other), np.bool_)
        masks = [rows_apart(self._expected[method], found[method]) for method in self._methods]
        apart: Mask = np.logical_or.reduce([np.zeros(len(other), np.bool_), *masks])
        return apart


def _known_spellings(learned: Mapping[str, Learned], texts: Mapping[str, Sequence[str]], csv: Csv) -> Iterator[Gap]:
    """Categories of the model that CSV input reads as missing, whether the sample has them or not."""
    for name, known in learned.items():
        for value in dict.fromkeys(known.categories):
            if isinstance(value, str) and value in csv.null_values and value not in texts.get(name, ()):
                yield Gap("csv", name, _shown(value), _shown(np.nan), 0, spelling=str(value))


def _cells_apart(one: pd.Series, other: pd.Series) -> Mask:
    """Return for each row whether the values differ in type, in kind of missing value or otherwise; all if the dtypes differ."""
    if one.dtype != other.dtype:
        return np.ones(len(one), np.bool_)
    if one.dtype != object and one.equals(other):
        return np.zeros(len(one), np.bool_)
    return np.array([not is_same(a, b) for a, b in zip(one, other, strict=True)], np.bool_)


def _shown(value: Any) -> str:
    text = quoted(value, _SHOWN)
    if isinstance(value, bytes):
        return f"bytes {text}"
    return text if isinstance(value, str) else _FORMS.get(str(value), text)
