"""Progress on stderr: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from scoremill.units import format_seconds

from .display import echo, printable

if TYPE_CHECKING:
    from scoremill import events
    from scoremill.events import Event

LINE_SECONDS = 15.0
"""Time between two lines where there is no terminal."""


class Progress:
    """A watcher of a run; use it as a context."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._begun = self._told = time.monotonic()
        self._total, self._first = 0, 0
        self._rows_before = 0

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
        self._begun = self._told = time.monotonic()
        self._total, self._first, self._rows_before = event.partitions, event.done, event.rows_done
        if event.done:
            self._say(f"going on: {event.done:,} of {event.partitions:,} partitions are done")
        if self._terminal:
            self._bar.update(self._task, total=event.partitions, completed=event.done)

    def _advance(self, event: events.Progress) -> None:
        now = time.monotonic()
        text = self._text(event, now - self._begun)
        if self._terminal:
            self._bar.update(self._task, completed=event.partitions, description=text)
        elif now - self._told >= LINE_SECONDS:
            self._told = now
            self._say(text)

    def _text(self, event: events.Progress, seconds: float) -> str:
        done = event.partitions - self._first
        left = (self._total - event.partitions) * seconds / done if done else None
        return (
            f"{event.partitions:,}/{self._total:,} partitions, {event.rows:,} rows, "
            f"{(event.rows - self._rows_before) / max(seconds, 1e-9):,.0f} rows/s, {event.rejected:,} rejected, "
            f"{event.workers} {'worker' if event.workers == 1 else 'workers'}"
            + (f", {format_seconds(left)} left" if left is not None else "")
        )

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        try:
            if self._terminal:
                self._bar.console.print(printable(text), markup=False)
            else:
                echo(text, err=True)
        except BrokenPipeError:
            # Nobody listens any more; the run goes on.
            self._quiet = True
