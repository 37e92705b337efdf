"""Texts that a spreadsheet takes for formulas."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from scoremill.errors import UsageError

# Those that OWASP lists, with the full-width forms that spreadsheets read as the others.
_BEGINS_A_FORMULA = r"^([=+\-@\t\r\n\x00\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"


def escape_formulas(table: pa.Table) -> pa.Table:
    """Return `table` with a single quote before each text, and each column name, that could begin a formula."""
    names = _escaped(pa.chunked_array([table.column_names], pa.string())).to_pylist()
    if len({*names}) < len(names):
        raise UsageError(
            "two columns of the output have one name when formulas are escaped",
            "Rename one of them with `spec.output.columns` or `spec.input.rename`.",
            code="DuplicateOutputColumn",
        )
    return pa.table([_escaped(column) for column in table.columns], names)


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _escaped(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.replace_substring_regex(column, _BEGINS_A_FORMULA, r"'\1")
    return column
