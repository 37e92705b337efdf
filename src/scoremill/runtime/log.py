"""The driver's log, kept in the output too: what a pod has said can be read when the pod is gone."""

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
    from scoremill.kubernetes.client import Object
    from scoremill.spec import ScoringJob
    from scoremill.storage.filesystem import Store

WRITE_SECONDS = 60.0
"""What a driver that is killed may take along."""
END_SECONDS = 10.0
"""Most that the end of a driver waits for its log."""
HEAD_BYTES, TAIL_BYTES = 256 * KIB, 767 * KIB
"""What is kept of a long log; with a line about the rest, below 1 MiB."""
_LEAST_SECRET = 8
"""Characters from which on a value is taken for a secret, so that words of the log are not."""


class DriverLog:
    """What this process says on stdout and stderr, kept; use it as a context, at whose end the last of it is written.

    A thread writes it, which calls `tell` with the URI of the folder after the first write, and `say` with what kept it
    from writing; it can never harm the run.
    """

    def __init__(self, tell: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._tell, self._say = tell, say
        self._ends, self._lock = Ends(), threading.Lock()
        self._wake, self._is_over, self._is_left = threading.Event(), False, False
        self._has_failed = self._is_told = False
        self._streams = ExitStack()
        self._thread: threading.Thread | None = None

    def keep(self, job: ScoringJob, made: Object, attempt: int) -> None:
        """From now on it is kept in the job's output."""
        # A pod that Kubernetes replaces belongs to the same attempt, and shall not write over the log of the one before.
        name = f"{folder(Resource.of(made))}/{attempt:05d}-{datetime.now(UTC).strftime(TIME_FORMAT)}.log"
        self._thread = threading.Thread(target=self._keep_writing, args=(job, name), name="scoremill-log", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Has it written now: there may be no other time."""
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
        from scoremill.storage.filesystem import Store

        try:
            store = Store(job.spec.output.uri, job.spec.output_storage)
            store.write(name, without_secrets(data))
        except Exception as error:
            if not self._has_failed and not self._is_left:
                self._has_failed = True
                self._say(f"note: this log is not kept in the output: {error}")
            return False
        if not self._is_told:
            self._is_told = True
            self._tell(f"{store.uri}/{name.rpartition('/')[0]}/")
            self._remove_expired(store, job, name)
        return True

    def _remove_expired(self, store: Store, job: ScoringJob, name: str) -> None:
        try:
            remove_expired(store, job.spec.cleanup, name, datetime.now(UTC))
        except Exception as error:
            if not self._is_left:
                self._say(f"note: logs of earlier drivers could not be removed: {error}")


class Ends:
    """The head and the tail of a long text."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of all of it."""
        self._head, self._tail = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Goes on with `data`."""
        self.size += len(data)
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def whole(self) -> bytes:
        """The text, at most 1 MiB of it; in place of whole lines from its middle stands how much they were."""
        head, tail = bytes(self._head), bytes(self._tail[-TAIL_BYTES:])
        if len(head) + len(tail) == self.size:
            return head + tail
        head, tail = head[: head.rfind(b"\n") + 1], tail[tail.find(b"\n") + 1 :]
        return head + f"… {self.size - len(head) - len(tail):,} bytes are left out here …\n".encode() + tail


def without_secrets(data: bytes) -> bytes:
    """`data` with *** for the values of this process' variables that are secrets by the look of their names.

    Nothing of ours tells them; a traceback through somebody else's library might.
    """
    secrets = {value for name, value in os.environ.items() if is_secret(name) and len(value) >= _LEAST_SECRET}
    for secret in sorted(secrets, key=len, reverse=True):
        data = data.replace(secret.encode(errors="surrogateescape"), b"***")
    return data


class _Copied:
    """A stream that is otherwise the one it copies; where nobody listens to that any more, the run goes on."""

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
