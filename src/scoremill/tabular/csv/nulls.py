"""Spellings of a missing value in text that was read as it stands in the file."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def without_nulls(text: pa.ChunkedArray, spellings: Sequence[str]) -> pa.ChunkedArray:
    """Return `text`, in which only unquoted empty fields are null, with all `spellings` null.

    The result is what Arrow's CSV reader gives for these spellings, whether a field is quoted or not.
    """
    if "" not in spellings and text.null_count:
        text = pc.fill_null(text, "")
    is_null = pc.is_in(text, pa.array(spellings, pa.string()))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), text) if pc.any(is_null).as_py() else text
