"""Convert the results of a model to columns of a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scoremill.bundle import Bundle
from scoremill.errors import FitError, UsageError
from scoremill.planning import Settings
from scoremill.spec import Column
from scoremill.tabular.convert import arrow_type, kept_type
from scoremill.units import quoted


@dataclass(frozen=True, slots=True)
class Shape:
    """The results that a job requests, their names and their type."""

    columns: tuple[tuple[str, str], ...]
    threshold: float | None
    dtype: str | None


_POSITION = (pa.field("source", pa.string(), nullable=False), pa.field("position", pa.int64(), nullable=False))


def result_columns(shape: Shape, results: tuple[Column, ...]) -> tuple[tuple[str, Column], ...]:
    """Return pairs of a result and its output column; raise UsageError for a result that does not exist."""
    if not shape.columns:
        return tuple((column.name, _typed(column.name, column, shape.dtype)) for column in results)
    found = ((_find(asked, results), name) for asked, name in shape.columns)
    return tuple((column.name, _typed(name, column, shape.dtype)) for column, name in found)


def shape_of(settings: Settings) -> Shape:
    """Return the settings for results."""
    return Shape(settings.columns, settings.threshold, settings.dtype)


class ResultColumns:
    """The columns of a part: kept columns, source and position of the row, and results."""

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        self._threshold, self._classes = settings.threshold, bundle.classes
        self._chosen = result_columns(shape_of(settings), bundle.results[settings.method])
        fields = [pa.field(column.name, kept_type(column)) for column in settings.keep]
        fields += _POSITION if settings.row_id else ()
        fields += [pa.field(column.name, arrow_type(column)) for _, column in self._chosen]
        self.schema = pa.schema(fields)

    def arrays(self, values: Mapping[str, npt.NDArray[np.generic]]) -> list[pa.Array]:
        """Return the results of one batch, in the order and with the types of `schema`."""
        if self._threshold is not None:
            values = {"prediction": _decide(values, self._threshold, self._classes)}
        missing = next((given for given, _ in self._chosen if given not in values), None)
        if missing is not None:
            raise FitError(
                f"the model returned no result {quoted(missing)}; it returned {', '.join(values)}",
                "Pack the bundle again.",
                code="InvalidResult",
            )
        return [_array(values[given], column) for given, column in self._chosen]


def _array(values: npt.NDArray[np.generic], column: Column) -> pa.Array:
    wanted = arrow_type(column)
    if values.dtype == object:
        return pa.array(values.tolist(), type=wanted, from_pandas=True)
    if values.dtype.kind in "US":
        return pa.array(values.astype(object), type=pa.string()).cast(wanted)
    if values.dtype.kind == "f" and pa.types.is_integer(wanted):
        return _whole(values, column, wanted)
    return pa.array(values).cast(wanted, safe=False)


def _whole(values: npt.NDArray[np.generic], column: Column, wanted: pa.DataType) -> pa.Array:
    """Convert floats to the integers of the packed model; NaN becomes null, fractions are an error."""
    try:
        return pa.array(values, from_pandas=True).cast(wanted)
    except pa.ArrowInvalid:
        raise FitError(
            f"the result {quoted(column.name)} has fractions, but was {column.dtype} when the model was packed",
            "Pack the model again with a sample for which the result has such values.",
            code="InvalidResult",
        ) from None


def _decide(
    values: Mapping[str, npt.NDArray[np.generic]], threshold: float, classes: tuple[object, ...] | None
) -> npt.NDArray[np.generic]:
    """Return the second of two classes if its probability is at least `threshold`, otherwise the first."""
    second: npt.NDArray[np.floating] = list(values.values())[1]  # type: ignore[assignment]
    return np.asarray(classes)[(second >= threshold).astype(np.intp)]


def _typed(name: str, column: Column, dtype: str | None) -> Column:
    real = column.dtype in {"float32", "float64"}
    return Column(name, dtype if real and dtype else column.dtype, column.categories)


def _find(asked: str, results: tuple[Column, ...]) -> Column:
    """Return the result `asked`, given by its name or only by its class (`1` for `proba_1`)."""
    for column in results:
        if asked == column.name:
            return column
    ends = [column for column in results if column.name.partition("_")[2] == asked]
    if len(ends) == 1:
        return ends[0]
    names = ", ".join(column.name for column in results)
    raise UsageError(
        f"`spec.output.columns`: the model has no result {quoted(asked)}",
        f"Give RESULT=NAME. The results are: {names}.",
        code="UnknownResult",
    )
