"""Calls to an API of which one is lost, for state machines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


class Lost(Exception):
    """A call was lost, or the answer to it."""


def losing(fails: int, *, is_done: bool) -> Callable[[Callable[[], object]], None]:
    """Return what makes calls, of which number `fails`, from 0, is lost: before it is done, or after if it `is_done`."""
    number = count()

    def call(effect: Callable[[], object]) -> None:
        lost = next(number) == fails
        if is_done or not lost:
            effect()
        if lost:
            raise Lost

    return call
