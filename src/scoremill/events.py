"""What a run tells those who watch it. The engine never prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins: what is planned, and what an earlier run has done of it."""

    partitions: int
    done: int
    rows_done: int
    bytes: int
    estimated_rows: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition is done; totals so far."""

    partitions: int
    rows: int
    rejected: int
    bytes: int
    workers: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """A partition failed for a reason that may pass, and is tried again."""

    number: int
    attempt: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a user would want to know, in one sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Every partition is done and the manifest is written."""

    seconds: float


Event = Started | Progress | Retrying | Note | Ended
Watcher = Callable[[Event], None]

Say = Callable[[str], None]
"""Called with each line of news, such as `print`."""


def say_nothing(text: str) -> None:
    """Ignore the news."""
