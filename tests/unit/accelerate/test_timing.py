from __future__ import annotations

import time

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from scoremill.accelerate.timing import step_seconds

ROWS = np.arange(6.0).reshape(3, 2)


def slow(rows):
    time.sleep(0.05)
    return rows


def test_the_seconds_of_a_step_are_its_own_and_those_of_the_steps_inside_it():
    model = make_pipeline(make_pipeline(FunctionTransformer(slow)), StandardScaler()).fit(ROWS)
    found = step_seconds(model, lambda one: one.transform(ROWS), 1)
    assert list(found.steps) == ["pipeline__functiontransformer", "pipeline", "standardscaler"]
    assert found.steps["pipeline"] >= found.steps["pipeline__functiontransformer"] >= 0.05
    assert found.total >= found.steps["pipeline"] + found.steps["standardscaler"]
    assert found.steps["standardscaler"] < 0.05


def test_calls_of_one_round_are_added_up():
    model = make_pipeline(FunctionTransformer(slow)).fit(ROWS)
    found = step_seconds(model, lambda one: [one.transform(ROWS) for _ in range(3)], 1)
    assert found.steps["functiontransformer"] >= 0.15
