"""Events of a run for its watchers. The engine never prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """The run has started: size of the plan, and what earlier runs have completed."""

    partitions: int
    done: int
    rows_done: int
    bytes: int
    estimated_rows: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition is complete: totals so far."""

    partitions: int
    rows: int
    rejected: int
    bytes: int
    workers: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """A partition failed for a reason that can be temporary, and is retried."""

    number: int
    attempt: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A message for users, in one sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Every partition is complete and the manifest is written."""

    seconds: float


Event = Started | Progress | Retrying | Note | Ended
Watcher = Callable[[Event], None]

Say = Callable[[str], None]
"""Called with each line of news, such as `print`."""


def say_nothing(text: str) -> None:
    """Ignore the news."""
