"""The objects of one partition: its part, and its rejected rows where there are any."""

from __future__ import annotations

import base64
import hashlib
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa

from scoremill.ledger import Part
from scoremill.naming import ERRORS, part_name
from scoremill.storage.filesystem import Publication, Store
from scoremill.storage.rows import Reject
from scoremill.storage.writers import open_writer

from .inputs import Opened
from .results import part_schema
from .work import Task


class _Same(Exception):
    """The object is there already, byte for byte."""


class _Object:
    """One object being written: appears whole when closed, unless the same bytes are there already."""

    def __init__(self, store: Store, name: str, may_exist: bool) -> None:
        self.name, self.rows = name, 0
        self._store, self._may_exist = store, may_exist
        self._context = store.publish(name)
        self.stream: Publication = self._context.__enter__()

    def close(self) -> Part:
        self.stream.close()
        part = Part(self.name, self.rows, self.stream.size, self.stream.sha256)
        if self._may_exist and self._is_there(part):
            # What an earlier driver published is left untouched: readers may be at it.
            self.abort(_Same())
        else:
            self._context.__exit__(None, None, None)
        return part

    def abort(self, error: BaseException) -> None:
        try:
            self._context.__exit__(type(error), error, error.__traceback__)
        except BaseException as raised:
            if raised is not error:
                raise

    def _is_there(self, part: Part) -> bool:
        info = self._store.info(part.name)
        if info is None or info.size != part.size:
            return False
        hashed = hashlib.sha256()
        with self._store.open(part.name) as file:
            while block := file.read(2**23):
                hashed.update(block)
        return hashed.hexdigest() == part.sha256


class PartFiles:
    """Writes a partition's batches; `parts` and `errors` tell of them once the block has ended well."""

    def __init__(self, task: Task) -> None:
        self.parts: tuple[Part, ...] = ()
        self.errors: tuple[Part, ...] = ()
        self._task, self._settings = task, task.work.settings
        self._store = Store(task.work.output_uri, task.work.output_storage)
        self._part: _Object | None = None
        self._rejects: _Object | None = None
        self._named: set[int] = set()

    def __enter__(self) -> Self:
        self._part = self._open(self._name(self._settings.format))
        self._writer = open_writer(self._settings.format, self._part.stream, self._schema())
        return self

    def write(self, table: pa.Table) -> None:
        """Appends a batch to the part."""
        if self._part is not None and table.num_rows:
            self._writer.write(table)
            self._part.rows += table.num_rows

    def reject(self, rejects: list[Reject], opened: Opened) -> None:
        """Appends rejected rows to the errors object, which exists only if there are any."""
        if not rejects:
            return
        if self._rejects is None:
            self._rejects = self._open(f"{ERRORS}/{self._name('jsonl')}")
        self._rejects.stream.write(b"".join(self._line(reject, opened) for reject in rejects))
        self._rejects.rows += len(rejects)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abort(error)
            return
        try:
            self._writer.close()
            # Rejects first: a part without its errors object would be a row lost.
            self.errors = (self._rejects.close(),) if self._rejects else ()
            self.parts = (self._part.close(),) if self._part else ()
        except BaseException as failure:
            self._abort(failure)
            raise

    def _abort(self, error: BaseException) -> None:
        for each in (self._rejects, self._part):
            if each is not None:
                each.abort(error)

    def _open(self, name: str) -> _Object:
        return _Object(self._store, name, self._task.may_exist)

    def _name(self, suffix: str) -> str:
        return part_name(self._task.partition.number, self._task.partition.id, suffix)

    def _schema(self) -> pa.Schema:
        return part_schema(self._settings, self._task.work.results)

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


def _raw(raw: bytes, rule: str) -> dict[str, str]:
    if rule == "Omit":
        return {}
    if rule == "Hash":
        return {"rawSha256": hashlib.sha256(raw).hexdigest()}
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"rawBase64": base64.b64encode(raw).decode()}
