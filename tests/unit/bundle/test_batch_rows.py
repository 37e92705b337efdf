"""The number of rows in a call that packing records, chosen from the seconds of calls."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
import pandas as pd
import pytest

from scoremill.bundle.packing import batch_rows
from scoremill.bundle.packing.batch_rows import FIRST_SIZES, ROUNDS, SECONDS, SIZES, fastest
from scoremill.spec.model import BATCH_ROWS

SMALL, MIDDLE, _ = SIZES


class TimedModel:
    """A model whose calls advance a clock by what `cost` returns for a number of rows."""

    def __init__(self, cost: Callable[[int], float]) -> None:
        self.cost, self.now, self.calls = cost, 0.0, list[int]()

    def score(self, size: int) -> None:
        self.calls.append(size)
        self.now += self.cost(size)

    def clock(self) -> float:
        return self.now


def chosen(cost: Callable[[int], float]) -> tuple[int | None, TimedModel]:
    model = TimedModel(cost)
    return fastest(model.score, model.clock), model


def per_row(**nanoseconds: float) -> Callable[[int], float]:
    """Return the cost of a call; by default, 100 ns per row."""
    known = {SMALL: nanoseconds.get("small", 100), MIDDLE: nanoseconds.get("middle", 100)}
    return lambda size: known.get(size, 100) * 1e-9 * size


def test_default_is_last_and_largest_so_that_no_measurement_increases_memory():
    assert SIZES[-1] == max(SIZES) == BATCH_ROWS


@pytest.mark.parametrize(
    ("cost", "rows"),
    [
        (per_row(), BATCH_ROWS),
        (per_row(middle=91), BATCH_ROWS),
        (per_row(middle=89), MIDDLE),
        (per_row(middle=80, small=70), SMALL),
        (per_row(small=120), BATCH_ROWS),
        (lambda size: 0.001 + size * 1e-9, BATCH_ROWS),
    ],
)
def test_another_number_than_the_default_must_save_a_tenth(cost, rows):
    assert chosen(cost)[0] == rows


def test_rounds_are_interleaved():
    _, model = chosen(per_row())
    assert model.calls == [*FIRST_SIZES, *SIZES * (ROUNDS + 1)]


def test_a_few_slow_calls_of_the_default_do_not_change_the_choice():
    slow = cycle([1, 1, 5, 1])
    assert chosen(lambda size: size * 1e-7 * (next(slow) if size == BATCH_ROWS else 1))[0] == BATCH_ROWS


def test_the_first_round_does_not_count():
    first = dict.fromkeys(SIZES, 1.0)
    assert chosen(lambda size: size * 1e-7 + (first.pop(size, 0.0) if size == BATCH_ROWS else 0.0))[0] == BATCH_ROWS


@pytest.mark.parametrize("seconds", [1e-5, 1e-4, 1e-3, 1e-2])
def test_nothing_is_measured_of_a_model_that_is_too_slow(seconds):
    rows, model = chosen(lambda size: seconds * size)
    assert rows is None
    assert model.now <= SECONDS


def test_fewer_rounds_are_enough_if_time_runs_out():
    rows, model = chosen(lambda size: (4e-6 if size == MIDDLE else 6e-6) * size)
    assert rows == MIDDLE
    assert SECONDS - 1 < model.now <= SECONDS


def test_rows_are_drawn_from_the_sample_with_its_types():
    sample = pd.DataFrame({"a": pd.Categorical(["x", "y", "z"]), "b": [1.5, None, 2.5]})
    rows = batch_rows._drawn(sample)
    assert len(rows) == BATCH_ROWS
    assert rows.dtypes.equals(sample.dtypes)
    assert set(rows["a"]) == {"x", "y", "z"}
    assert rows.equals(batch_rows._drawn(sample))


def test_rows_that_are_drawn_repeat_enough_for_steps_on_distinct_rows():
    sample = pd.DataFrame({"a": np.arange(10_000.0)})
    assert batch_rows._drawn(sample).head(SMALL)["a"].nunique() <= SMALL // 4


def test_nothing_is_measured_if_rows_are_too_large():
    sample = pd.DataFrame({"text": ["x" * 10_000] * 3})
    assert batch_rows.measured_batch_rows(None, None, sample) is None
