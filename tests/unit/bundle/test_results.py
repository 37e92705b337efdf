from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import SparsePCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from scoremill.bundle.packing.measure import measure
from scoremill.bundle.results import call, difference
from scoremill.errors import FitError, ModelError

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(RANDOM.normal(size=(90, 3)), columns=["a", "b", "c"])
TWO = (FRAME["a"] > 0).map({True: "yes", False: "no"})
THREE = pd.cut(FRAME["a"], 3, labels=["low", "mid", "top"]).astype(str)


def _called(estimator, method, frame=FRAME, sample=FRAME):
    bundle = measure(estimator, sample, method, None).bundle
    return call(estimator, bundle, method, frame), bundle.results[method]


def test_predictions_are_one_column_with_their_type():
    results, columns = _called(LogisticRegression().fit(FRAME, TWO), "predict")
    assert [(column.name, column.dtype) for column in columns] == [("prediction", "string")]
    assert set(results["prediction"]) == {"yes", "no"}


def test_probabilities_are_a_column_a_class():
    model = LogisticRegression().fit(FRAME, THREE)
    results, _ = _called(model, "predict_proba")
    assert list(results) == ["proba_low", "proba_mid", "proba_top"]
    assert np.array_equal(np.column_stack(list(results.values())), model.predict_proba(FRAME))
    assert list(_called(model, "predict_log_proba")[0]) == ["logproba_low", "logproba_mid", "logproba_top"]


def test_decisions_are_one_column_for_two_classes_and_one_a_class_for_more():
    assert list(_called(LogisticRegression().fit(FRAME, TWO), "decision_function")[0]) == ["decision"]
    names = list(_called(LogisticRegression().fit(FRAME, THREE), "decision_function")[0])
    assert names == ["decision_low", "decision_mid", "decision_top"]


def test_decisions_between_pairs_name_both_classes():
    names = list(_called(SVC(decision_function_shape="ovo").fit(FRAME, THREE), "decision_function")[0])
    assert names == ["decision_low_vs_mid", "decision_low_vs_top", "decision_mid_vs_top"]


def test_several_outputs_are_numbered():
    both = np.column_stack([FRAME["a"], FRAME["b"]])
    assert list(_called(LinearRegression().fit(FRAME, both), "predict")[0]) == ["prediction_0", "prediction_1"]
    model = MultiOutputClassifier(LogisticRegression()).fit(FRAME, both > 0)
    results, columns = _called(model, "predict_proba")
    assert list(results) == ["proba_0_False", "proba_0_True", "proba_1_False", "proba_1_True"]
    assert np.array_equal(results["proba_1_True"], model.predict_proba(FRAME)[1][:, 1])
    assert len(columns) == 4


def test_a_transformer_gives_its_feature_names_and_dense_columns():
    model = OneHotEncoder().fit(FRAME.round())
    results, _ = _called(model, "transform", FRAME.round(), FRAME.round())
    assert list(results) == list(model.get_feature_names_out())
    assert np.array_equal(np.column_stack(list(results.values())), model.transform(FRAME.round()).toarray())


def test_a_transformer_without_feature_names_gives_numbered_columns():
    assert list(_called(FunctionTransformer(np.abs).fit(FRAME), "transform")[0]) == ["x0", "x1", "x2"]


def test_a_transformer_that_gives_frames_keeps_their_types():
    model = StandardScaler().set_output(transform="pandas").fit(FRAME)
    results, columns = _called(model, "transform")
    assert [column.name for column in columns] == ["a", "b", "c"]
    assert np.array_equal(results["b"], model.transform(FRAME)["b"])


def test_scores_and_clusters():
    assert list(_called(KernelDensity().fit(FRAME), "score_samples")[0]) == ["score"]
    assert list(_called(IsolationForest(random_state=0).fit(FRAME), "score_samples")[0]) == ["score"]
    clusters = _called(KMeans(2, n_init=1, random_state=0).fit(FRAME), "predict")[1]
    assert [(column.name, column.dtype) for column in clusters] == [("prediction", "int32")]


def test_a_single_row_has_the_columns_of_many():
    model = SparsePCA(2, random_state=0, max_iter=10).fit(FRAME)
    assert model.transform(FRAME.head(1)).ndim == 1, "scikit-learn gives rows their axis now: the special case can go"
    results, _ = _called(model, "transform", FRAME.head(1))
    assert [len(column) for column in results.values()] == [1, 1]


def test_columns_are_picked_by_name_whatever_their_order():
    model = LinearRegression().fit(FRAME, FRAME["a"])
    shuffled = FRAME.assign(more="x")[["more", "c", "a", "b"]]
    assert np.array_equal(_called(model, "predict", shuffled)[0]["prediction"], model.predict(FRAME))


def test_a_model_that_gives_another_number_of_rows_is_refused():
    model = FunctionTransformer(lambda rows: rows[:-1]).fit(FRAME)
    with pytest.raises(ModelError, match="89 results for 90 rows"):
        measure(model, FRAME, "transform", None)


def test_a_method_that_was_not_packed_is_refused_with_those_that_were():
    model = LinearRegression().fit(FRAME, FRAME["a"])
    bundle = measure(model, FRAME, None, None).bundle
    with pytest.raises(FitError, match="It offers predict"):
        call(model, bundle, "predict_proba", FRAME)


@pytest.mark.parametrize("kind", [RandomForestRegressor, RandomForestClassifier])
def test_a_forest_of_many_jobs_gives_the_bits_of_one(kind):
    target = FRAME["a"] if kind is RandomForestRegressor else TWO
    method = "predict" if kind is RandomForestRegressor else "predict_proba"
    many = kind(30, n_jobs=4, random_state=0).fit(FRAME, target)
    one = kind(30, n_jobs=1, random_state=0).fit(FRAME, target)
    assert difference(_called(many, method)[0], _called(one, method)[0]) == 0


def test_a_call_adds_less_than_a_tenth_of_a_millisecond():
    class Nothing:
        n_features_in_ = 3

        def predict(self, rows):
            return rows[:, 0]

    model = Nothing()
    bundle = measure(model, FRAME, None, None).bundle
    took = []
    for _ in range(200):
        start = time.perf_counter()
        call(model, bundle, "predict", FRAME)
        took.append(time.perf_counter() - start)
    assert min(took) < 1e-4


def test_the_difference_is_relative_and_knows_nan_texts_and_single_precision():
    def apart(one, other):
        return difference({"x": np.asarray(one)}, {"x": np.asarray(other)})

    assert apart([1.0, np.nan], [1.0, np.nan]) == 0
    assert apart([1.0], [np.nan]) == np.inf
    assert apart([np.inf], [np.inf]) == 0
    assert apart([1e12], [1e12 + 1]) == pytest.approx(1e-12)
    assert apart(["a"], ["b"]) == np.inf
    assert apart([1, 2], [1, 3]) == np.inf
    assert apart([1.0], [1.0, 2.0]) == np.inf
    assert apart(np.float32([1]), np.float32([1 + 3e-7])) < 1e-9 < apart(np.float32([1]), np.float32([1.001]))
    assert difference({"x": np.zeros(1)}, {"y": np.zeros(1)}) == np.inf
