"""A condition evaluated over batches of rows by Arrow."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.errors import UsageError
from scoremill.spec import Column, Csv, RowCondition
from scoremill.spec.mention import mention
from scoremill.units import quoted

from .convert.columns import convert_column
from .convert.frame import _reason
from .convert.nulls import given_values
from .parquet_reader import as_message
from .rows import Reject, Rows

_COMPARE = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
_COMPUTE = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}


_FEW = 16
"""Where less than one row in so many is chosen, the others' text is let go."""


class RowFilter:
    """Keeps the rows for which a condition holds; null is not true, as in SQL."""

    def __init__(self, text: str, columns: Sequence[Column], dialect: Csv) -> None:
        self._condition = RowCondition(text)
        self._columns, self._dialect = columns, dialect
        self._text = text

    def choose(self, rows: Rows, read: Sequence[str], *, holds_text: bool = True) -> tuple[Rows, int]:
        """The rows for which the condition holds, with all rejects, and how many do not count.

        A value that does not convert makes its row a reject: whether it was meant is not known. `read` are the
        columns that the object itself has; `holds_text` says whether the rows keep their blocks' text in memory.
        """
        values: dict[str, pa.Array] = {}
        rejects: dict[int, Reject] = {}
        for column in self._columns:
            values[column.name], bad = convert_column(given_values(rows, column, self._dialect), column, self._dialect)
            for i in np.flatnonzero(bad).tolist() if bad is not None else ():
                if i not in rejects:
                    rejects[i] = rows.reject(i, column.name, _reason(rows, i, column))
        holds = self._holds(values, len(rows))
        holds[list(rejects)] = False
        positions = np.flatnonzero(holds)
        chosen = rows.take(positions)
        if holds_text and len(positions) * _FEW < len(rows):
            _detach(chosen, read)
        chosen.rejects = sorted([*rows.rejects, *rejects.values()], key=lambda reject: reject.row)
        return chosen, len(rows) - len(chosen) - len(rejects)

    def check(self) -> None:
        """Return if the condition can be evaluated over columns of these types; else raise UsageError."""
        # A category has the type that it has in the input.
        if all(column.dtype != "category" for column in self._columns):
            none = pa.chunked_array([[]], pa.string())
            self._holds({column.name: convert_column(none, column, self._dialect)[0] for column in self._columns}, 0)

    def _holds(self, values: dict[str, pa.Array], count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        try:
            result = self._evaluate(self._condition.tree, values)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            types = ", ".join(f"{column.name} is {column.dtype}" for column in self._columns)
            raise UsageError(
                f"{mention('spec.input.where', self._text)} cannot be evaluated: {str(error).splitlines()[0]}",
                f"{types}; give another type with `spec.input.csv.dtypes`, or compare with a value of that type.",
                code="InvalidWhere",
            ) from None
        if isinstance(result, pa.Scalar):
            result = pa.array([result.as_py()] * count, pa.bool_())
        holds: np.ndarray[Any, np.dtype[np.bool_]] = pc.fill_null(result, False).to_numpy(zero_copy_only=False).copy()
        return holds

    def _evaluate(self, node: ast.expr, values: dict[str, pa.Array]) -> Any:
        match node:
            case ast.Constant(value=value):
                return pa.scalar(value)
            case ast.Name(id=name):
                return values[self._condition.column(name)]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return pc.invert(self._evaluate(operand, values))
            case ast.UnaryOp(operand=operand):
                return pc.negate(self._evaluate(operand, values))
            case ast.BinOp(left=left, op=op, right=right):
                return pc.call_function(
                    _COMPUTE[type(op)], [self._evaluate(left, values), self._evaluate(right, values)]
                )
            case ast.BoolOp(op=op, values=parts):
                return self._join("and_kleene" if isinstance(op, ast.And) else "or_kleene", parts, values)
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return (pc.is_null if name == "isnull" else pc.is_valid)(self._evaluate(argument, values))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._chain(left, ops, others, values)
        raise UsageError(f"`spec.input.where`: {quoted(ast.unparse(node))} is not understood", code="InvalidWhere")

    def _join(self, function: str, parts: list[ast.expr], values: dict[str, pa.Array]) -> Any:
        result = self._evaluate(parts[0], values)
        for part in parts[1:]:
            result = pc.call_function(function, [result, self._evaluate(part, values)])
        return result

    def _chain(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], values: dict[str, pa.Array]) -> Any:
        """`0 < a <= b` as its links, all of which must hold."""
        result = None
        for op, right in zip(ops, others, strict=True):
            link = self._link(left, op, right, values)
            result = link if result is None else pc.and_kleene(result, link)
            left = right
        return result

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr, values: dict[str, pa.Array]) -> Any:
        column = self._evaluate(left, values)
        if isinstance(op, ast.In | ast.NotIn):
            members = pa.array(list(ast.literal_eval(right)))
            if isinstance(column, pa.Array) and members.type != column.type:
                members = members.cast(column.type)
            found = pc.if_else(pc.is_valid(column), pc.is_in(column, members), pa.scalar(None, pa.bool_()))
            return pc.invert(found) if isinstance(op, ast.NotIn) else found
        return pc.call_function(_COMPARE[type(op)], [column, self._evaluate(right, values)])


def _detach(rows: Rows, read: Sequence[str]) -> None:
    """Store the places of `rows` in them, because a batch can come from very many blocks."""
    offsets = rows.offsets()
    if len(rows) and offsets[0] < 0:
        table = rows.table.select(list(read))
        rows.raw, rows.line = lambda i: as_message(table, i), lambda _: -1
    else:
        texts, lines = [rows.raw(i) for i in range(len(rows))], [rows.line(i) for i in range(len(rows))]
        rows.raw, rows.line = texts.__getitem__, lines.__getitem__
    rows.offsets = lambda: offsets
