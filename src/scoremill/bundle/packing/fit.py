"""What keeps a model and its sample from being packed: types, forms and values that files cannot give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import pandas as pd

from scoremill.errors import FitError, ModelError, UsageError
from scoremill.spec import Column, Gap
from scoremill.spec.mention import mention, mention_argument
from scoremill.tabular.convert import arrow_type
from scoremill.units import quoted

from ..results import TOLERANCE, Results, difference
from .carry import Format
from .learned import Learned

_TEXT = ("string", "object")
_KINDS = ("float", "int", "uint", "Float", "Int", "UInt", "bool")


def refuse_other_kinds(
    columns: Sequence[Column], learned: Mapping[str, Learned], rows: pd.DataFrame, *, in_csv: bool
) -> None:
    """FitError naming a column that is text for the model and numbers in the sample, or the other way round."""
    for at, column in enumerate(columns):
        known, values = learned.get(column.name, Learned()), rows.iloc[:, at].dropna()
        if known.is_text and _is_number(column):
            kind, dtype = "text", "string"
        elif known.is_numeric and _is_text(column) and len(values):
            kind, dtype = "numbers", "float64"
        else:
            continue
        example = f", such as {quoted(_plain(values.iloc[0]))}" if len(values) else ""
        raise FitError(
            f"column {quoted(column.name)}: the model learned {kind}, such as {quoted(_plain(known.values[0]))}, "
            f"and the sample has {column.dtype}{example}",
            f"Give its type: {mention('spec.input.csv.dtypes', {column.name: dtype})}; see also `spec.input.csv.decimal` and "
            "`spec.input.csv.nullValues`."
            if in_csv
            else f"Give a sample in which the column has the {kind} of the training data.",
            code="ColumnType",
        )


def refuse_unreadable(columns: Sequence[Column]) -> None:
    """FitError naming a column of a dtype that no input has."""
    for column in columns:
        try:
            arrow_type(column)
        except UsageError:
            raise FitError(
                f"column {quoted(column.name)} is {column.dtype}, which is not read from any input format",
                "Train with text, numbers, truth values, datetimes, or categories of text or numbers instead; "
                "for example, convert time spans to seconds and periods to text.",
                code="InvalidColumn",
            ) from None


def refuse_other_frame(
    score: Callable[[pd.DataFrame], dict[str, Results]],
    direct: Mapping[str, Results],
    rows: pd.DataFrame,
    plain: pd.DataFrame,
) -> None:
    """FitError if the model gives other results for `plain` rows, without index and labels, than for `rows`."""
    try:
        found = score(plain)
    except Exception as error:
        raise ModelError(
            f"the model scores the sample, but not its rows in a data frame with text as column names: "
            f"{type(error).__name__}: {error}",
            "Train it with column names that are text, as files have them.",
            code="InvalidColumn",
        ) from None
    if not (apart := _methods_apart(direct, found)):
        return
    again = score(plain)
    if all(difference(found[method], again[method]) > 0 for method in apart):
        return  # It gives other results each time, which the proof says.
    if not _methods_apart(direct, score(plain.set_axis(rows.index))):
        raise FitError(
            "the results depend on the index of the sample, and rows of a file have no index",
            "Make the index a column (`reset_index`), and train the model with that column.",
            code="InvalidColumn",
        )
    raise FitError(
        "the model gives other results for the rows of the sample in a plain data frame",
        "Train and pack it with a data frame that has one index level, text as column names, and no sparse columns.",
        code="InvalidColumn",
    )


def refuse_gaps(gaps: Sequence[Gap]) -> None:
    """FitError if no input format carries the sample, whatever the dialect."""
    lasting = [gap for gap in gaps if gap.spelling is None]
    if {gap.format for gap in lasting} != set(get_args(Format)):
        return
    first = lasting[0]
    hint = (
        "Convert the column before training, so that files can hold its values; or leave such rows out of the sample."
    )
    forms = {"None", "NaN", "NA"}
    if first.column is not None and first.value in forms and first.becomes in forms:
        hint = (
            f"Choose one form of missing values: {mention_argument('missing', {first.column: 'None'})}, "
            "or train with one of them."
        )
    raise FitError("\n".join(dict.fromkeys(gap.message for gap in lasting)), hint)


def _methods_apart(one: Mapping[str, Results], other: Mapping[str, Results]) -> list[str]:
    return [method for method in one if difference(one[method], other[method]) > TOLERANCE]


def _is_number(column: Column) -> bool:
    dtype = column.values or column.dtype
    if column.categories:
        return all(isinstance(one, int | float) for one in column.categories)
    return dtype.startswith(_KINDS)


def _is_text(column: Column) -> bool:
    if column.categories:
        return all(isinstance(one, str) for one in column.categories)
    return column.dtype in _TEXT and column.values is None


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
