"""Prediction of one batch: finding the rows on which the model raises, and scoring the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoremill.errors import ModelError, RejectLimitError, StorageError
from scoremill.worker.predict import SINGLES, predict_rows


class Picky:
    """A model that raises on some values and records its calls."""

    def __init__(self, bad: set[int], error: type[Exception] = ValueError) -> None:
        self.bad, self.error, self.calls = bad, error, []

    def __call__(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        values = frame["a"].tolist()
        self.calls.append(values)
        for value in values:
            if value in self.bad:
                raise self.error(f"{value} is\nbad")
        return {"prediction": frame["a"].to_numpy() * 10}


def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.arange(count)})


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 200), data=st.data())
def test_exactly_the_failing_rows_are_rejected_and_the_others_scored_in_one_call(count, data):
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=20))
    model = Picky(bad)
    values, failed = predict_rows(model, rows(count), None, has_scored=True)
    assert [one.position for one in failed] == sorted(bad)
    good = [at for at in range(count) if at not in bad]
    assert (values or {"prediction": np.array([])})["prediction"].tolist() == [10 * at for at in good]
    if good:
        assert model.calls[-1] == good


def test_batch_without_failures_needs_one_call():
    model = Picky(set())
    predict_rows(model, rows(1000), None)
    assert len(model.calls) == 1


def test_one_failing_row_costs_two_calls_per_bisection():
    model = Picky({777})
    predict_rows(model, rows(4096), None)
    assert len(model.calls) <= 1 + SINGLES + 2 * 12 + 1


def test_reason_is_the_last_entry_of_the_traceback_on_one_line():
    _, (failed,) = predict_rows(Picky({3}), rows(10), None)
    assert failed.reason == "ValueError: 3 is bad"


def test_model_that_always_raises_is_detected_with_a_few_rows():
    model = Picky(set(range(100_000)))
    with pytest.raises(ModelError, match="ValueError: 0 is bad"):
        predict_rows(model, rows(100_000), None)
    assert len(model.calls) == 1 + SINGLES


@pytest.mark.parametrize("count", [1, 2, SINGLES - 1])
def test_a_few_failing_rows_alone_do_not_put_the_model_at_fault(count):
    values, failed = predict_rows(Picky(set(range(count))), rows(count), None)
    assert values is None
    assert len(failed) == count


def test_model_that_has_scored_before_is_not_at_fault():
    _, failed = predict_rows(Picky(set(range(50))), rows(50), None, has_scored=True)
    assert len(failed) == 50


@pytest.mark.parametrize(("most", "passes"), [(3, True), (2, False), (0, False)])
def test_bisection_ends_at_the_reject_limit(most, passes):
    model = Picky({10, 500, 900})
    if passes:
        assert len(predict_rows(model, rows(1000), most)[1]) == 3
    else:
        with pytest.raises(RejectLimitError, match="ValueError: "):
            predict_rows(model, rows(1000), most)


@pytest.mark.parametrize("error", [MemoryError, OSError, ImportError, StorageError])
def test_failures_of_the_machine_are_raised_without_a_second_call(error):
    model = Picky({5}, error)
    with pytest.raises(error):
        predict_rows(model, rows(10), None)
    assert len(model.calls) == 1


def test_memory_error_during_bisection_is_raised():
    class Hungry(Picky):
        def __call__(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
            if self.calls:
                raise MemoryError
            return super().__call__(frame)

    with pytest.raises(MemoryError):
        predict_rows(Hungry({5}), rows(10), None)


def test_rows_that_fail_only_together_raise_a_model_error():
    def jealous(frame: pd.DataFrame) -> dict[str, np.ndarray]:
        values = set(frame["a"])
        if 0 in values or {1, 9} <= values:
            raise ValueError("not these two")
        return {"prediction": frame["a"].to_numpy()}

    with pytest.raises(ModelError, match="rows that it can score separately: ValueError: not these two"):
        predict_rows(jealous, rows(10), None)
