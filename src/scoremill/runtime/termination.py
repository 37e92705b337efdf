"""The last word of a driver's pod: one JSON object, as the operator reads it from the container's status."""

from __future__ import annotations

import copy
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from scoremill.errors import INTERRUPTED, ScoremillError

LIMIT = 4096
"""Bytes from which Kubernetes cuts a termination message, which would then be no JSON."""
_LEAST = 40
"""Characters that a text keeps."""

Fields = dict[str, Any]


class LastWord:
    """What is left of a driver, whenever it ends; it may be said again, with more in it."""

    def __init__(self, place: Path) -> None:
        self._place, self._lock = place, threading.Lock()
        self._fields: Fields = {}
        self._logs: Fields = {}

    def leave(self, fields: Fields) -> None:
        """Says how the run has ended."""
        with self._lock:
            self._fields = fields
            self._write()

    def tell_logs(self, uri: str) -> None:
        """Says where the logs are: until the run has ended that alone, of use to whom a killed driver leaves nothing else."""
        with self._lock:
            self._logs = {"logs": uri}
            self._write()

    def _write(self) -> None:
        outputs = {**self._fields.get("outputs", {}), **self._logs}
        # Where there is no such place, the exit code has to do.
        with suppress(OSError):
            self._place.write_bytes(as_message({**self._fields, **({"outputs": outputs} if outputs else {})}))


def exit_code(error: BaseException) -> int:
    """The code that a driver ends with that `error` ended."""
    if isinstance(error, ScoremillError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code else 1


def failed(error: BaseException, failures: list[Fields]) -> Fields:
    """What is told of a run that `error` ended; `failures` are of single objects: `uri`, `message`."""
    told = error.message if isinstance(error, ScoremillError) else str(error) or type(error).__name__
    hint = error.hint if isinstance(error, ScoremillError) else None
    if isinstance(error, KeyboardInterrupt):
        told = "the driver was asked to end; what is done is kept"
    fields: Fields = {"exitCode": exit_code(error), "error": type(error).__name__, "message": told}
    return fields | ({"hint": hint} if hint else {}) | ({"failedObjects": failures} if failures else {})


def as_message(fields: Fields) -> bytes:
    """`fields` as JSON below 4,096 bytes: later failures go first, then the ends of long texts, then later outputs."""
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
