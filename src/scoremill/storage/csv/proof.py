"""Whether optimistic cuts were right: a pure composition of what each partition counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


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
    """Whether counting quotes is not enough to read this file; the rows then count for nothing."""
    rows: int = 0
    """Records that start in the range, rejected ones included."""
    lines: int = 0
    """Newlines that end between start and end."""
    bytes: int = 0
    """Bytes read, those behind the end of the range included."""


class Verdict(Enum):
    """What is known of a partition."""

    PROVEN = "proven"
    """Its rows count."""
    REFUTED = "refuted"
    """Its hypothesis was wrong: discard it and read it again under the other one."""
    UNKNOWN = "unknown"
    """It, or one before it, is not read yet."""
    IRREGULAR = "irregular"
    """The file cannot be cut from here on: read the rest as one `whole` range under the same hypothesis."""


def prove(tallies: Sequence[Tally | None]) -> list[Verdict]:
    """The verdict on each partition of one file, in order; None stands for one not read yet.

    Behind proven partitions the first irregular one makes all that follow IRREGULAR; a row that ends irregularly
    behind a cut is its own partition's irregularity, so nothing proven is lost. Raw counts of quotes hold under
    either hypothesis, so wrong ones are refuted without waiting for the partitions before them to be read again.
    """
    verdicts: list[Verdict] = []
    is_proven, odd = True, False
    for tally in tallies:
        if tally is None:
            return verdicts + [Verdict.UNKNOWN] * (len(tallies) - len(verdicts))
        if tally.inside_quotes != odd:
            verdicts.append(Verdict.REFUTED)
            is_proven = False
        elif not is_proven:
            verdicts.append(Verdict.UNKNOWN)
        elif tally.irregular:
            return verdicts + [Verdict.IRREGULAR] * (len(tallies) - len(verdicts))
        else:
            verdicts.append(Verdict.PROVEN)
        odd ^= bool(tally.quotes & 1)
    return verdicts
