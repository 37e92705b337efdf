"""Progress on stderr: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from scoremill.units import format_seconds, printable

from .. import interrupts
from .display import echo, in_flags

if TYPE_CHECKING:
    from scoremill import events
    from scoremill.events import Event

LINE_SECONDS = 60.0
"""Time between two lines if there is no terminal."""
FIRST_SECONDS = 15.0
"""Time until the first of them."""


class ProgressView:
    """A watcher of a run; use it as a context."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._started = self._printed = time.monotonic()
        self._total = 0
        self._first: events.Progress | None = None
        """The first partition of this run, which ends the start-up of the workers: rates count from it."""

    def __enter__(self) -> Self:
        if self._terminal:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        from scoremill import events

        interrupts.check()
        match event:
            case events.Started():
                self._start(event)
            case events.Progress():
                self._advance(event)
            case events.Retrying(number=number, attempt=attempt, seconds=seconds, reason=reason):
                self._say(f"partition {number}: {reason}; attempt {attempt + 1} in {seconds:.0f} s")
            case events.Note(text=text):
                self._say(text)

    def _start(self, event: events.Started) -> None:
        self._started = time.monotonic()
        self._printed = self._started - LINE_SECONDS + FIRST_SECONDS
        self._total, self._first = event.partitions, None
        if event.done:
            to_do = "; nothing to do" if event.done == event.partitions else ""
            self._say(f"resuming: {event.done:,} of {event.partitions:,} partitions are done{to_do}")
        if self._terminal:
            text = f"starting workers for {event.partitions - event.done:,} partitions"
            self._bar.update(self._task, total=event.partitions, completed=event.done, description=text)

    def _advance(self, event: events.Progress) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = event, now
        text = self._text(event, self._first, now - self._started)
        if self._terminal:
            self._bar.update(self._task, completed=event.partitions, description=text)
        elif now - self._printed >= LINE_SECONDS:
            self._printed = now
            self._say(text)

    def _text(self, event: events.Progress, first: events.Progress, seconds: float) -> str:
        parts = [f"{event.partitions:,}/{self._total:,} partitions", f"{event.rows:,} rows"]
        done = event.partitions - first.partitions
        if done and seconds:
            parts.append(f"{(event.rows - first.rows) / seconds:,.0f} rows/s")
        parts += [f"{event.rejected:,} rejected", f"{event.workers} {'worker' if event.workers == 1 else 'workers'}"]
        if done and seconds:
            parts.append(f"{format_seconds((self._total - event.partitions) * seconds / done)} left")
        return ", ".join(parts)

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        try:
            if self._terminal:
                self._bar.console.print(printable(in_flags(text)), markup=False)
            else:
                echo(text, err=True)
        except BrokenPipeError:
            # Nobody reads stderr any more; the run continues.
            self._quiet = True
