"""A part of a CSV, and what reading it counts; execute/coordinator/proofs.py composes the counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """The part of a CSV whose records start at byte `start` or later and before `end`."""

    start: int
    end: int
    inside_quotes: bool = False
    """The hypothesis: whether `start` lies inside a quoted field."""
    whole: bool = False
    """All from `start` to the end of the file, with quotes of any kind; `end` is not looked at."""


@dataclass(slots=True)
class Tally:
    """What one range counted; true once its reader is exhausted."""

    inside_quotes: bool = False
    """The hypothesis that it was read under."""
    quotes: int = 0
    """Quote characters between start and end, whatever the hypothesis."""
    irregular: bool = False
    """True if counting quotes is not enough to read this file; the rows are then discarded."""
    rows: int = 0
    """Records that start in the range, rejected ones included."""
    lines: int = 0
    """Newlines that end between start and end."""
    bytes: int = 0
    """Bytes read, those behind the end of the range included."""
