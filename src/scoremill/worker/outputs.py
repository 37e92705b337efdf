"""The objects of one partition: its parts, and its rejected rows if there are any."""

from __future__ import annotations

import base64
import hashlib
import sys
import zlib
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa

from scoremill.errors import ClusterError
from scoremill.ledger import Part
from scoremill.naming import ERRORS, part_name
from scoremill.storage.filesystem import Store
from scoremill.tabular.parquet_reader import as_json
from scoremill.tabular.rows import Reject

from .numbering import LINE_IN_PARTITION
from .opened import OpenPartition
from .parts import OutputObject, Parts
from .scoring import Scored
from .work import Task

RAW_ARROW = "rawArrow"
"""Key of a rejected Parquet row as a compressed Arrow stream."""


class PartFiles:
    """Write the batches of a partition; a context manager that leaves no visible objects after an error."""

    def __init__(self, task: Task, schema: pa.Schema) -> None:
        self.parts: tuple[Part, ...] = ()
        self.errors: tuple[Part, ...] = ()
        self.files: tuple[Part, ...] = ()
        self._task, self._settings = task, task.work.settings
        self._store = Store(task.work.output_uri, task.work.output_storage)
        self._rejects: OutputObject | None = None
        self._files: OutputObject | None = None
        self._named: set[int] = set()
        self._parts = Parts(task, self._store, schema)

    def write(self, batch: Scored, opened: OpenPartition) -> None:
        """Append a batch to the parts, and its rejected rows to the errors object, which exists only if there are any."""
        self._parts.write(batch.table)
        rejects = batch.rejects
        if not rejects:
            return
        if self._rejects is None:
            self._rejects = self._jsonl(ERRORS)
        self._rejects.stream.write(b"".join(self._line(reject, opened) for reject in rejects))
        self._rejects.rows += len(rejects)

    def _list_files(self, unreadable: Iterable[tuple[str, str]]) -> None:
        """Write the input objects that are rejected as a whole, each with the reason, to a separate object."""
        lines = [
            orjson.dumps({"file": uri, "reason": reason}, option=orjson.OPT_APPEND_NEWLINE)
            for uri, reason in unreadable
        ]
        if lines:
            self._files = self._jsonl(f"{ERRORS}/files")
            self._files.stream.write(b"".join(lines))
            self._files.rows = len(lines)

    def _jsonl(self, folder: str) -> OutputObject:
        partition = self._task.partition
        name = f"{folder}/{part_name(partition.number, partition.id, 'jsonl')}"
        return OutputObject(self._store, name, self._task.might_exist)

    def publish(self, unreadable: Iterable[tuple[str, str]]) -> None:
        """Publish all objects, and set `parts`, `errors` and `files`.

        `unreadable` has the rejected input objects and the reasons.
        """
        self._list_files(unreadable)
        _refuse_cancelled()
        # Rejects first: a part without its errors object would lose rows.
        self.files = (self._files.close(),) if self._files else ()
        self.errors = (self._rejects.close(),) if self._rejects else ()
        self.parts = self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._parts.abort(error)
            for each in filter(None, (self._rejects, self._files)):
                each.abort(error)

    def _line(self, reject: Reject, opened: OpenPartition) -> bytes:
        row = opened.rejected_row(reject, self._task.first_line)
        record: dict[str, Any] = {
            "file": row.file,
            "partition": self._task.partition.number,
            "line": row.line,
            "offset": row.offset,
            "row": row.row,
            "column": row.column,
            "reason": row.reason,
            **_raw(reject, self._settings.raw),
        }
        if row.line is None and row.row is None:
            record[LINE_IN_PARTITION] = reject.line
        if (at := opened.piece_of(reject.row)) not in self._named:
            # Once per file, because `scoremill retry` needs it to parse the raw text.
            self._named.add(at)
            record["header"] = list(opened.pieces[at].header)
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _refuse_cancelled() -> None:
    """Raise ClusterError in a task that Dask cancelled, because its driver has ended, but cannot stop.

    The next driver might have another plan, or know that the partition starts in the wrong place. The objects of this task
    could appear after that driver has deleted such objects, and readers would take them for predictions.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None or (key := getattr(distributed.utils.thread_state, "key", None)) is None:
        return
    task = distributed.get_worker().state.tasks.get(key)
    if task is None or task.state == "cancelled":
        raise ClusterError("the driver of this task has ended")


def _raw(reject: Reject, rule: str) -> dict[str, str]:
    """Return the fields for the text of a row, and for Parquet also its typed values."""
    if rule == "Omit":
        return {}
    is_text = reject.offset >= 0
    raw = reject.raw if is_text else as_json(reject.raw)
    if rule == "Hash":
        return {"rawSha256": hashlib.sha256(raw).hexdigest()}
    arrow = {} if is_text else {RAW_ARROW: base64.b64encode(zlib.compress(reject.raw)).decode()}
    try:
        return {"raw": raw.decode(), **arrow}
    except UnicodeDecodeError:
        return {"rawBase64": base64.b64encode(raw).decode()}
