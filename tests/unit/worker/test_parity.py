"""Results of the original model are compared in every bit, and an exception of it is a difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from scoremill.bundle import LoadedModel, call, inspect, load_model
from scoremill.errors import ParityError
from scoremill.spec import Storage
from scoremill.worker.parity import refuse_difference
from tests.support.jobs import strict_and_mild

FRAME = pd.DataFrame({"x": [0.0, 1.0, 2.0]})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    uri = str(strict_and_mild(tmp_path_factory.mktemp("models")) / "strict")
    return load_model(uri, inspect(uri, Storage()).digest, Storage())


def compare(model: LoadedModel, results: dict[str, np.ndarray], frame: pd.DataFrame = FRAME) -> None:
    refuse_difference(model, "predict", frame, results, "batch 0 of partition 0")


def test_equal_results_pass(model):
    compare(model, call(model.estimator, model.bundle, "predict", FRAME))


def test_a_negative_zero_is_a_difference(model):
    zeros = DummyRegressor(strategy="constant", constant=0.0).fit(FRAME, FRAME["x"])
    with pytest.raises(ParityError, match="batch 0 of partition 0: the accelerated model gives other results"):
        compare(replace(model, estimator=zeros), {"prediction": -np.zeros(3)})


def test_another_type_is_a_difference(model):
    results = call(model.estimator, model.bundle, "predict", FRAME)
    with pytest.raises(ParityError):
        compare(model, {"prediction": results["prediction"].astype("float32")})


def test_an_exception_of_the_original_model_is_a_difference(model):
    assert isinstance(model.estimator, LinearRegression)
    with pytest.raises(
        ParityError, match="the original model raises ValueError on rows that the accelerated model scores"
    ):
        compare(model, {"prediction": np.zeros(1)}, pd.DataFrame({"x": [np.inf]}))
