from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from scoremill.accelerate import accelerate, accelerated, examine
from scoremill.accelerate.bits import is_equal
from scoremill.accelerate.codes import distinct_rows
from scoremill.accelerate.proof import refutation
from scoremill.accelerate.step import LEAST_ROWS, DistinctStep, by_distinct

ROWS = 20_000
RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "vendor": pd.Series(RANDOM.choice(["CMT", "VTS", "DDS", None], ROWS), dtype="str"),
        "payment": pd.Series(RANDOM.choice(["Cash", "CREDIT", ""], ROWS), dtype=object),
        "count": RANDOM.integers(0, 6, ROWS),
        "fare": RANDOM.choice([2.5, -0.0, 0.0, np.nan, 7.25], ROWS),
        "when": pd.to_datetime(RANDOM.choice(["2009-01-01T10:00", "2009-02-03T23:30"], ROWS)),
        "kind": pd.Categorical(RANDOM.choice(["a", "b"], ROWS), categories=["a", "b", "c"]),
        "flag": RANDOM.choice([True, False], ROWS),
    }
)
TARGET = RANDOM.integers(0, 2, ROWS)


def lowered(frame):
    return frame.apply(lambda column: column.str.lower())


def in_columns(frame):
    return np.asfortranarray(np.column_stack([frame["count"], frame["count"] * 2.0]))


def hours(frame):
    return pd.DataFrame({"hour": frame["when"].dt.hour, "day": frame["when"].dt.day})


STEPS = {
    "one-hot": (OneHotEncoder(handle_unknown="ignore"), ["vendor"]),
    "one-hot, dense": (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["vendor", "payment"]),
    "one-hot, pandas": (OneHotEncoder(sparse_output=False).set_output(transform="pandas"), ["payment"]),
    "one-hot, rare": (OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), ["kind"]),
    "ordinal": (OrdinalEncoder(), ["vendor", "kind", "flag"]),
    "target": (TargetEncoder(random_state=0), ["payment", "count"]),
    "bins": (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["count"]),
    "scaler": (StandardScaler(), ["count", "fare"]),
    "imputer": (SimpleImputer(add_indicator=True), ["fare"]),
    "polynomial": (PolynomialFeatures(2), ["count"]),
    "function": (FunctionTransformer(lowered), ["payment"]),
    "function, memory in columns": (FunctionTransformer(in_columns), ["count"]),
    "function, frame": (FunctionTransformer(hours), ["when"]),
    "pipeline": (make_pipeline(SimpleImputer(), StandardScaler()), ["fare"]),
    "union": (FeatureUnion([("a", StandardScaler()), ("b", SimpleImputer())]), ["fare"]),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_gives_the_same_bits_from_distinct_rows(name):
    step, columns = STEPS[name]
    table = FRAME[columns]
    step = step.fit(table, TARGET)
    assert not refutation(step, table.head(500))
    found = by_distinct(step, table, distinct_rows(table, 0.25))
    assert found is not None
    assert is_equal(found, step.transform(table))


def test_words_of_a_text_are_counted_once_for_each_distinct_text():
    texts = FRAME["payment"].replace("", "no charge")
    step = CountVectorizer().fit(texts)
    assert not refutation(step, texts.head(500))
    assert is_equal(by_distinct(step, texts, distinct_rows(texts)), step.transform(texts))


def centered(frame):
    return frame - frame.mean()


def noisy(frame):
    return frame + np.random.default_rng().random(frame.shape)


def summed(frame):
    return frame.cumsum()


def previous(frame):
    return frame.shift(1)


def by_size(frame):
    return frame * len(frame)


def sorted_rows(frame):
    return frame.sort_values("count")


def numbered(frame):
    return frame.assign(count=frame.index)


def cleared(frame):
    frame["count"] = 0
    return frame


def from_first_row(frame):
    return frame.assign(count=frame["count"] - frame["count"].iloc[0])


def without_duplicates(frame):
    return frame.drop_duplicates()


DEPENDENT = [
    centered,
    noisy,
    summed,
    previous,
    by_size,
    sorted_rows,
    numbered,
    cleared,
    without_duplicates,
]


def test_a_step_that_reads_the_first_row_gets_the_same_one():
    step, table = FunctionTransformer(from_first_row), FRAME[["count"]]
    assert not refutation(step, table.head(300))
    assert is_equal(by_distinct(step, table, distinct_rows(table)), step.transform(table))


@pytest.mark.parametrize("function", DEPENDENT)
def test_a_step_whose_rows_depend_on_others_is_refused(function):
    assert refutation(FunctionTransformer(function), FRAME[["count"]].head(300))


def test_a_step_that_fills_missing_values_from_other_rows_is_refused():
    step = FunctionTransformer(lambda frame: frame.fillna(frame.mean()))
    complete = FRAME[["fare"]].fillna(1.0).head(300)
    assert "missing values" in refutation(step, complete)


def different_if_large(frame):
    return frame + (1 if len(frame) > 3000 else 0)


def test_a_step_that_differs_only_for_large_batches_is_noticed_when_it_is_first_used():
    table = FRAME[["count"]]
    step = FunctionTransformer(different_if_large)
    assert not refutation(step, table.head(300))
    wrapped = DistinctStep(step, step)
    assert is_equal(wrapped.transform(table), step.transform(table))
    assert wrapped.use is False


def model():
    features = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["vendor"]),
        (make_pipeline(FunctionTransformer(lowered), OneHotEncoder(handle_unknown="ignore")), ["payment"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["fare", "count"]),
        ("passthrough", ["flag"]),
        ("drop", ["when"]),
    )
    return make_pipeline(features, LogisticRegression())


def test_a_pipeline_gives_the_same_bits_and_is_not_changed():
    fitted = model().fit(FRAME, TARGET)
    before = pickle.dumps(fitted)
    fast = accelerate(fitted, FRAME.head(500))
    for rows in (FRAME, FRAME.head(10), FRAME.tail(LEAST_ROWS)):
        assert fast.predict_proba(rows).tobytes() == fitted.predict_proba(rows).tobytes()
    assert pickle.dumps(fitted) == before
    again = pickle.loads(pickle.dumps(fast))
    assert again.predict_proba(FRAME).tobytes() == fitted.predict_proba(FRAME).tobytes()


def test_steps_have_the_names_of_nested_parameters():
    fitted = model().fit(FRAME, TARGET)
    found = examine(fitted, lambda one: one.predict(FRAME.head(200)))
    proven = {name for name, reason in found.items() if not reason}
    assert proven >= {
        "columntransformer__onehotencoder",
        "columntransformer__pipeline-1",
        "columntransformer__pipeline-1__onehotencoder",
    }
    assert "columntransformer" not in proven
    used = accelerated(fitted, {"columntransformer__onehotencoder"})
    kinds = {name: type(step) for name, step, _ in used[0].transformers_}
    assert kinds["onehotencoder"] is DistinctStep
    assert kinds["pipeline-1"] is not DistinctStep


def test_the_pipeline_that_a_search_found_is_taken_apart():
    search = GridSearchCV(model(), {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(FRAME, TARGET)
    found = examine(search, lambda one: one.predict(FRAME.head(200)))
    assert not found["best_estimator___columntransformer__onehotencoder"]
    fast = accelerate(search, FRAME.head(200), "predict_proba")
    assert fast.predict_proba(FRAME).tobytes() == search.predict_proba(FRAME).tobytes()


def test_an_error_is_the_one_of_the_original():
    step = OneHotEncoder().fit(FRAME[["payment"]])
    table = FRAME[["payment"]].copy()
    table.loc[7, "payment"] = "barter"
    with pytest.raises(ValueError, match="barter") as original:
        step.transform(table)
    with pytest.raises(ValueError, match="barter") as found:
        DistinctStep(step, step, always=True).transform(table)
    assert str(found.value) == str(original.value)


def test_columns_with_many_values_are_left_to_the_original():
    step = StandardScaler().fit(FRAME[["count"]])
    wrapped = DistinctStep(step, step)
    table = pd.DataFrame({"count": np.arange(ROWS)})
    assert is_equal(wrapped.transform(table), step.transform(table))
    assert wrapped.use is None


def test_a_step_that_costs_less_than_finding_distinct_rows_runs_as_it_is():
    step = FunctionTransformer().fit(FRAME[["vendor"]])
    wrapped = DistinctStep(step, step)
    wrapped.transform(FRAME[["vendor", "payment", "kind"]])
    assert wrapped.use is False


def test_a_wrapped_step_has_the_attributes_of_the_original():
    step = OneHotEncoder().fit(FRAME[["payment"]])
    wrapped = DistinctStep(step, step)
    assert wrapped.get_feature_names_out().tolist() == step.get_feature_names_out().tolist()
