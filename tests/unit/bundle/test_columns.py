from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from scoremill.bundle.columns import Feed, feed_of
from scoremill.bundle.packing.measure import measure
from scoremill.errors import FitError, ModelError, UsageError
from scoremill.spec import Column

NUMBERS = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [0, 1, 0, 1], "c": [5.0, 6, 7, 9]})
Y = [0.0, 1, 2, 3]


class Select(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):  # noqa: N803
        self.fitted_ = True
        return self

    def transform(self, X):  # noqa: N803
        return X[["a", "c"]]


def _columns(estimator, sample, **keyword):
    return measure(estimator, sample, None, keyword.get("columns")).bundle.columns


def test_names_come_from_the_estimator_and_types_from_the_sample():
    model = LinearRegression().fit(NUMBERS, Y)
    assert _columns(model, NUMBERS[["c", "b", "a"]].assign(target=1)) == (
        Column("a", "float64"),
        Column("b", "int64"),
        Column("c", "float64"),
    )


def test_a_column_that_the_sample_lacks_is_named():
    with pytest.raises(FitError, match='"b", "c"'):
        measure(LinearRegression().fit(NUMBERS, Y), NUMBERS[["a"]], None, None)


def test_texts_and_categories_keep_their_types():
    frame = pd.DataFrame(
        {"t": ["x", "y", "x", "y"], "k": pd.Categorical(["p", "q", "p", "p"], ["q", "p"], ordered=True)}
    )
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame, Y)
    assert _columns(model, frame) == (Column("t", "string"), Column("k", "category", ("q", "p"), True))


@pytest.mark.parametrize("columns", [["a", "c"], [0, 2], slice(0, 3, 2), [True, False, True], lambda X: ["a", "c"]])  # noqa: N803
def test_columns_that_a_column_transformer_drops_are_not_read(columns):
    model = make_pipeline(make_column_transformer((StandardScaler(), columns)), LinearRegression()).fit(NUMBERS, Y)
    assert [column.name for column in _columns(model, NUMBERS)] == ["a", "c"]


def test_a_remainder_that_passes_through_is_read():
    entrance = make_column_transformer((StandardScaler(), ["a"]), ("drop", ["c"]), remainder="passthrough")
    model = make_pipeline(entrance, LinearRegression()).fit(NUMBERS, Y)
    assert [column.name for column in _columns(model, NUMBERS)] == ["a", "b"]


def test_searches_and_pipelines_are_looked_through():
    inner = make_pipeline(make_column_transformer((StandardScaler(), ["a"])), LinearRegression())
    model = GridSearchCV(inner, {"linearregression__positive": [False]}, cv=2).fit(NUMBERS, Y)
    assert [column.name for column in _columns(model, NUMBERS)] == ["a"]


def test_a_model_fitted_on_an_array_takes_the_samples_columns_if_they_are_as_many():
    model = LinearRegression().fit(NUMBERS.to_numpy(), Y)
    assert feed_of(model, [*"abc"], None) == Feed(("a", "b", "c"), named=False)
    with pytest.raises(FitError, match="3 columns without names, the sample has 4"):
        feed_of(model, [*"abc", "target"], None)
    assert feed_of(model, [*"abc", "target"], ["a", "b", "c"]).names == ("a", "b", "c")


def test_without_a_sample_a_model_fitted_on_an_array_reads_numbered_floats():
    measured = measure(LogisticRegression().fit(NUMBERS.to_numpy(), [0, 0, 1, 1]), None, None, None)
    assert measured.bundle.columns == tuple(Column(f"x{i}", "float64") for i in range(3))
    assert measured.bundle.results["predict_proba"] == (Column("proba_0", "float64"), Column("proba_1", "float64"))


def test_without_a_sample_a_model_of_texts_asks_for_one():
    model = OneHotEncoder().fit(pd.DataFrame({"t": ["x", "y"]}))
    with pytest.raises(UsageError, match="`sample=`"):
        measure(model, None, None, None)


def test_step_without_column_names_reads_the_samples_columns_by_name():
    model = make_pipeline(Select(), LinearRegression()).fit(NUMBERS, Y)
    measured = measure(model, NUMBERS, None, None)
    assert measured.bundle.named
    assert [column.name for column in measured.bundle.columns] == ["a", "b", "c"]
    with pytest.raises(UsageError, match="could not determine"):
        measure(model, None, None, None)
    assert [column.name for column in _columns(model, NUMBERS, columns=["a", "c"])] == ["a", "c"]


def test_a_text_vectorizer_is_fed_one_series():
    texts = pd.DataFrame({"text": ["good day", "bad day", "good", "bad"], "target": [1, 0, 1, 0]})
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts["text"], texts["target"])
    measured = measure(model, texts, None, ["text"])
    assert measured.bundle.series
    assert np.array_equal(measured.expected["predict"]["prediction"], texts["target"])
    with pytest.raises(UsageError, match="which text column"):
        measure(model, texts, None, None)


def test_a_model_that_is_not_fitted_is_said_to_fail():
    with pytest.raises(ModelError, match="predict fails on the sample"):
        measure(LinearRegression(), NUMBERS, None, ["a"])


def test_a_sample_without_rows_is_refused():
    with pytest.raises(UsageError, match="no rows"):
        measure(LinearRegression().fit(NUMBERS, Y), NUMBERS.head(0), None, None)


def test_a_method_that_the_model_lacks_is_refused_with_those_it_has():
    with pytest.raises(UsageError, match="It has predict"):
        measure(LinearRegression().fit(NUMBERS, Y), NUMBERS, "predict_proba", None)
