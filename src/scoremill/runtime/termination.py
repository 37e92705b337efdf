"""The termination message of a runner pod: one JSON object, which the operator reads from the container's status."""

from __future__ import annotations

import copy
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from scoremill.errors import INTERRUPTED, ScoremillError

LIMIT = 4096
"""Bytes at which Kubernetes truncates a termination message, which would make the JSON invalid."""
_LEAST = 40
"""Characters that a shortened text keeps at least."""

Fields = dict[str, Any]


class TerminationMessage:
    """The termination message, written whenever the driver might end; later writes replace earlier ones."""

    def __init__(self, place: Path) -> None:
        self._place, self._lock = place, threading.Lock()
        self._fields: Fields = {}
        self._logs: Fields = {}

    def write(self, fields: Fields) -> None:
        """Write how the run ended."""
        with self._lock:
            self._fields = fields
            self._write()

    def report_logs(self, uri: str) -> None:
        """Write where the logs are, which is all that a driver leaves if it is killed."""
        with self._lock:
            self._logs = {"logs": uri}
            self._write()

    def _write(self) -> None:
        outputs = {**self._fields.get("outputs", {}), **self._logs}
        # Without a writable file, only the exit code is left.
        with suppress(OSError):
            self._place.write_bytes(as_message({**self._fields, **({"outputs": outputs} if outputs else {})}))


def exit_code(error: BaseException) -> int:
    """Return the exit code of a driver that `error` ended."""
    if isinstance(error, ScoremillError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code else 1


def failed(error: BaseException, failures: list[Fields]) -> Fields:
    """Return the termination message of a run that `error` ended; `failures` have the fields `uri` and `message`."""
    message = error.message if isinstance(error, ScoremillError) else str(error) or type(error).__name__
    hint = error.hint if isinstance(error, ScoremillError) else None
    if isinstance(error, KeyboardInterrupt):
        message = "the driver was interrupted; completed partitions are saved"
    code = error.code if isinstance(error, ScoremillError) else ScoremillError.code
    fields: Fields = {"exitCode": exit_code(error), "error": type(error).__name__, "code": code, "message": message}
    return fields | ({"hint": hint} if hint else {}) | ({"failedObjects": failures} if failures else {})


def as_message(fields: Fields) -> bytes:
    """Return `fields` as JSON of less than 4,096 bytes, dropping failed objects, then ends of texts, then outputs."""
    fields = copy.deepcopy(fields)
    while len(message := json.dumps(fields, ensure_ascii=False).encode(errors="replace")) >= LIMIT:
        longest = max(("message", "hint"), key=lambda name: len(fields.get(name, "")))
        if fields.get("failedObjects"):
            fields["failedObjects"].pop()
        elif len(fields.get(longest, "")) > 2 * _LEAST:
            fields[longest] = fields[longest][: len(fields[longest]) * 3 // 4].rstrip(" …") + " …"
        else:
            fields["outputs"].popitem()
    return message
