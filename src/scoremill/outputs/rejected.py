"""Rejected rows as a data frame."""

from __future__ import annotations

import base64
import os
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from scoremill.ledger import Ledger, Part, read_manifest, require_output
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]

COLUMNS = ("file", "line", "offset", "row", "column", "reason", "raw", "raw_sha256")
"""Columns of the frame: the place of each row, what is wrong with it, and its text or the hash of its text."""


def rejected(output: str | os.PathLike[str], storage: Storage | None = None) -> pd.DataFrame:
    """Return the rows that a run rejected, in the order of the input.

    The frame holds all of them in memory. Input objects that were rejected as a whole are not in it, and a retry changes
    nothing: it has an output of its own.

    Parameters
    ----------
    output : str or path
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
    VerificationError
        If its manifest or its ledger is damaged.

    """
    import pandas as pd

    store = Store(os.fspath(output), storage or Storage())
    require_output(store)
    rows = [_row(record) for part in _parts(store) for record in part.records(store)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(("line", "offset", "row"), "Int64"))


def _parts(store: Store) -> list[Part]:
    """Return the objects of rejected rows that count.

    A partition has several receipts if its lines were numbered later or if it was scored again, and the objects of
    discarded receipts no longer exist.
    """
    manifest = read_manifest(store)
    if manifest is not None:
        return [entry.part for entry in manifest.entries() if entry.kind == "errors"]
    ledger = Ledger(store)
    latest, there = sorted(ledger.latest(), key=attrgetter("number", "id")), ledger.published()
    return [part for receipt in latest for part in receipt.errors if part.name in there]


def _row(record: Record) -> Record:
    # Rows of Parquet also have their typed values, which are large.
    row = {name: record.get(name) for name in COLUMNS}
    return {**row, "raw": record.get("raw", raw_of(record)), "raw_sha256": record.get("rawSha256")}


def raw_of(record: Record) -> bytes | None:
    """The text of a rejected row as it stands in its file; None if it was not kept."""
    if "rawBase64" in record:
        return base64.b64decode(record["rawBase64"])
    return str(record["raw"]).encode() if "raw" in record else None
