"""Rejected rows as a data frame."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from scoremill.ledger import Ledger, require_output
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]

COLUMNS = ("file", "line", "offset", "row", "column", "reason", "raw", "raw_sha256")
"""Of the frame: where each row is, what is wrong with it, and its text or the hash of that."""


def rejected(output: str, storage: Storage | None = None) -> pd.DataFrame:
    """Return the rows that a run rejected, one line each, in the order of the input.

    Parameters
    ----------
    output : str
        Folder or prefix that the run wrote to; the run need not be complete.
    storage : Storage, optional
        How the store is reached.

    Returns
    -------
    pandas.DataFrame
        Columns `file`, `line` (from 1, CSV), `offset` (bytes, CSV), `row` (from 0, Parquet), `column`, `reason` and
        `raw` (the row's text; bytes if it is not UTF-8), `raw_sha256` (the hash of its text, if the job keeps that instead).
        What is not known is missing. Empty if no row was rejected.

    Raises
    ------
    UsageError
        If there is no output at `output`.
    StorageError
        If it cannot be read.

    """
    import pandas as pd

    store = Store(output, storage or Storage())
    require_output(store)
    receipts = sorted(Ledger(store).receipts(), key=lambda receipt: receipt.number)
    records = [record for receipt in receipts for part in receipt.errors for record in part.records(store)]
    rows = [{**record, "raw": _raw(record), "raw_sha256": record.get("rawSha256")} for record in records]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(("line", "offset", "row"), "Int64"))


def _raw(record: Record) -> str | bytes | None:
    if "rawBase64" in record:
        return base64.b64decode(record["rawBase64"])
    return record.get("raw")
