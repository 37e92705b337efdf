"""The objects of one partition: its part, and its rejected rows where there are any."""

from __future__ import annotations

import base64
import hashlib
import sys
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa

from scoremill.errors import ClusterError
from scoremill.ledger import Part
from scoremill.naming import ERRORS, part_name
from scoremill.storage.filesystem import Store
from scoremill.storage.rows import Reject

from .inputs import Opened
from .parts import OutputObject, Parts
from .results import part_schema
from .work import Task


class PartFiles:
    """Writes a partition's batches; a context in which an error leaves nothing behind that readers could see."""

    def __init__(self, task: Task) -> None:
        self.parts: tuple[Part, ...] = ()
        self.errors: tuple[Part, ...] = ()
        self._task, self._settings = task, task.work.settings
        self._store = Store(task.work.output_uri, task.work.output_storage)
        self._rejects: OutputObject | None = None
        self._named: set[int] = set()
        self._parts = Parts(task, self._store, part_schema(self._settings, task.work.results))

    def write(self, table: pa.Table) -> None:
        """Appends a batch to the part."""
        self._parts.write(table)

    def reject(self, rejects: list[Reject], opened: Opened) -> None:
        """Appends rejected rows to the errors object, which exists only if there are any."""
        if not rejects:
            return
        if self._rejects is None:
            partition = self._task.partition
            name = f"{ERRORS}/{part_name(partition.number, partition.id, 'jsonl')}"
            self._rejects = OutputObject(self._store, name, self._task.may_exist)
        self._rejects.stream.write(b"".join(self._line(reject, opened) for reject in rejects))
        self._rejects.rows += len(rejects)

    def publish(self) -> None:
        """Makes all objects appear; from here on `parts` and `errors` tell of them."""
        _refuse_cancelled()
        # Rejects first: a part without its errors object would be a row lost.
        self.errors = (self._rejects.close(),) if self._rejects else ()
        self.parts = self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._parts.abort(error)
            if self._rejects is not None:
                self._rejects.abort(error)

    def _line(self, reject: Reject, opened: Opened) -> bytes:
        at = opened.piece_of(reject.row)
        piece = opened.partition.pieces[at]
        record: dict[str, Any] = {
            "file": piece.source.uri,
            "offset": reject.offset if reject.offset >= 0 else None,
            "row": reject.row - opened.firsts[at],
            "line": reject.line if reject.line >= 0 else None,
            "column": reject.column,
            "reason": reject.reason,
        } | _raw(reject.raw, self._settings.raw)
        if at not in self._named:
            # Once a file: what a later retry needs to read the raw text again.
            self._named.add(at)
            record["header"] = list(opened.headers[at])
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _refuse_cancelled() -> None:
    """Raises in a task that Dask has cancelled, because its driver has ended, but cannot stop.

    The next driver may have another plan, or have found that the partition began in the wrong place: this one's objects
    would appear when it has cleared away, and readers would take them for predictions.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None or (key := getattr(distributed.utils.thread_state, "key", None)) is None:
        return
    task = distributed.get_worker().state.tasks.get(key)
    if task is None or task.state == "cancelled":
        raise ClusterError("the driver of this task has ended")


def _raw(raw: bytes, rule: str) -> dict[str, str]:
    if rule == "Omit":
        return {}
    if rule == "Hash":
        return {"rawSha256": hashlib.sha256(raw).hexdigest()}
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"rawBase64": base64.b64encode(raw).decode()}
