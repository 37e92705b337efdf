"""Copy the driver's log to the output, so that it can be read after the pod is deleted."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

from scoremill.kubernetes.logs import folder
from scoremill.kubernetes.objects import Resource
from scoremill.spec.secrecy import is_secret
from scoremill.units import KIB

from .log_retention import TIME_FORMAT, remove_expired

if TYPE_CHECKING:
    from scoremill.spec import ScoringJob
    from scoremill.storage.filesystem import Store

WRITE_SECONDS = 60.0
"""Seconds between two writes; a driver that is killed loses what it logged since the last one."""
END_SECONDS = 10.0
"""Maximum number of seconds that a driver waits for its log to be written before it exits."""
HEAD_BYTES, TAIL_BYTES = 256 * KIB, 767 * KIB
"""What is kept of a long log; together with the line about the omitted bytes, less than 1 MiB."""
_LEAST_SECRET = 8
"""Minimum length of a value that is masked, so that short values do not mask ordinary words."""


class DriverLog:
    """A context manager that keeps what this process writes to stdout and stderr; at its end the rest is written.

    A thread writes the log to the output. It calls `report` with the URI of the folder after the first write, and `say`
    if a write fails; it never fails the run.
    """

    def __init__(self, report: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._report, self._say = report, say
        self._ends, self._lock = Ends(), threading.Lock()
        self._wake, self._is_over, self._is_left = threading.Event(), False, False
        self._has_failed = self._is_reported = False
        self._streams = ExitStack()
        self._thread: threading.Thread | None = None

    def keep(self, job: ScoringJob, stored: Resource, attempt: int) -> None:
        """Start writing the log to the job's output."""
        # The time keeps a replacement pod of the same attempt from overwriting the log of the pod before it.
        name = f"{folder(stored)}/{attempt:05d}-{datetime.now(UTC).strftime(TIME_FORMAT)}.log"
        self._thread = threading.Thread(target=self._keep_writing, args=(job, name), name="scoremill-log", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Write the log now, because the process might be killed soon."""
        self._wake.set()

    def __enter__(self) -> Self:
        self._streams.enter_context(redirect_stdout(cast("TextIO", _Copied(sys.stdout, self._take))))
        self._streams.enter_context(redirect_stderr(cast("TextIO", _Copied(sys.stderr, self._take))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._streams.close()
        self._is_over = True
        self._wake.set()
        if self._thread:
            self._thread.join(END_SECONDS)
        self._is_left = True

    def _take(self, text: str) -> None:
        with self._lock:
            self._ends.add(text.encode(errors="replace"))

    def _keep_writing(self, job: ScoringJob, name: str) -> None:
        written = 0
        while True:
            self._wake.wait(WRITE_SECONDS)
            self._wake.clear()
            is_over = self._is_over
            with self._lock:
                size, data = self._ends.size, self._ends.whole()
            if size > written and self._write(job, name, data):
                written = size
            if is_over:
                return

    def _write(self, job: ScoringJob, name: str, data: bytes) -> bool:
        from scoremill.storage.filesystem import output_store

        try:
            store = output_store(job.spec)
            store.write(name, without_secrets(data))
        except Exception as error:
            if not self._has_failed and not self._is_left:
                self._has_failed = True
                self._say(f"note: could not write this log to the output: {error}")
            return False
        if not self._is_reported:
            self._is_reported = True
            self._report(f"{store.uri}/{name.rpartition('/')[0]}/")
            self._remove_expired(store, job, name)
        return True

    def _remove_expired(self, store: Store, job: ScoringJob, name: str) -> None:
        try:
            remove_expired(store, job.spec.cleanup, name, datetime.now(UTC))
        except Exception as error:
            if not self._is_left:
                self._say(f"note: could not remove expired driver logs: {error}")


class Ends:
    """The head and the tail of a long text."""

    def __init__(self) -> None:
        self.size = 0
        """Size of the whole text in bytes."""
        self._head, self._tail = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Append `data`."""
        self.size += len(data)
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def whole(self) -> bytes:
        """Return the text, at most 1 MiB; lines omitted from its middle are replaced by a line with their size."""
        head, tail = bytes(self._head), bytes(self._tail[-TAIL_BYTES:])
        if len(head) + len(tail) == self.size:
            return head + tail
        head, tail = head[: head.rfind(b"\n") + 1], tail[tail.find(b"\n") + 1 :]
        return head + f"… {self.size - len(head) - len(tail):,} bytes omitted …\n".encode() + tail


def without_secrets(data: bytes) -> bytes:
    """Return `data` with *** for the values of environment variables whose names mark them as secrets.

    Scoremill never prints them, but a traceback through a third-party library might.
    """
    secrets = {value for name, value in os.environ.items() if is_secret(name) and len(value) >= _LEAST_SECRET}
    for secret in sorted(secrets, key=len, reverse=True):
        data = data.replace(secret.encode(errors="surrogateescape"), b"***")
    return data


class _Copied:
    """A stream that passes a copy of what is written to `take`; a closed pipe does not end the run."""

    def __init__(self, stream: TextIO, take: Callable[[str], None]) -> None:
        self._stream, self._take = stream, take

    def write(self, text: str) -> int:
        self._take(text)
        with suppress(BrokenPipeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(BrokenPipeError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
