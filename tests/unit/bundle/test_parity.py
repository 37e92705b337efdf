"""What input files give a model, against what it was trained on: what is recorded, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from scoremill.bundle.packing.measure import measure
from scoremill.bundle.packing.pack import stage
from scoremill.bundle.packing.prove import Proven, prove
from scoremill.bundle.packing.sample import sample_of
from scoremill.bundle.schema import Bundle
from scoremill.errors import FitError, ModelError, ScoremillError, UsageError
from scoremill.spec import Column, Csv, Storage


def of(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Series(list(values) * 10, dtype=object)})


def encoder(frame: pd.DataFrame, **settings: Any) -> Any:
    return OneHotEncoder(sparse_output=False, **settings).fit(frame)


def function(call: Any, frame: pd.DataFrame) -> Any:
    return FunctionTransformer(call).fit(frame)


def packed(model: Any, sample: Any, csv: Csv | None = None, **missing: Any) -> Bundle:
    return measure(model, sample_of(sample, Storage(), csv or Csv(), missing), None, None).bundle


def refused(model: Any, sample: Any, *texts: str, kind: type[ScoremillError] = FitError, **missing: Any) -> str:
    with pytest.raises(kind) as caught:
        packed(model, sample, **missing)
    for text in texts:
        assert text in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("frame", "column"),
    [
        (of("a", None), Column("c", "object", missing="None")),
        (of("a", np.nan), Column("c", "object", missing="NaN")),
        (of("a", "b"), Column("c", "object")),
        (of(True, None), Column("c", "object", missing="None", values="bool")),
        (of(1, np.nan), Column("c", "object", missing="NaN", values="int64")),
        (of(2**63, 1), Column("c", "object", values="uint64")),
        (of(1.5, 2), Column("c", "object", values="float64")),
        (pd.DataFrame({"c": ["a", None]}), Column("c", "string")),
        (pd.DataFrame({"c": ["a", "b"]}, dtype="string"), Column("c", "string", missing="NA")),
        (pd.DataFrame({"c": pd.array([1, 2], "int64[pyarrow]")}), Column("c", "int64[pyarrow]")),
        (
            pd.DataFrame({"c": pd.array(["NA", "b"], pd.ArrowDtype(pa.large_string()))}),
            Column("c", "large_string[pyarrow]", texts=("NA",)),
        ),
        (pd.DataFrame({"c": pd.array([0.0, 2], "Sparse[float64]")}), Column("c", "float64")),
        (pd.DataFrame({"c": pd.to_datetime(["2020-01-01T00+02:00"])}), Column("c", "datetime64[us, +02:00]")),
    ],
)
def test_a_column_records_how_training_represents_its_values(frame, column):
    model = function(lambda x: np.ones((len(x), 1)), frame)
    assert packed(model, frame).columns == (column,)


def test_none_and_nan_as_different_categories_are_refused_until_one_is_chosen():
    frame = of("a", None, np.nan)
    model = encoder(frame)
    message = refused(model, frame, 'column "c"', "NaN and None", '`missing={"c": "None"}`')
    assert "files have one kind of missing value" in message
    assert packed(model, frame, c="None").columns == (Column("c", "object", missing="None"),)
    assert packed(model, frame, c="NaN").columns == (Column("c", "object", missing="NaN"),)


def test_none_and_nan_that_only_a_function_distinguishes_are_refused_with_value_and_rows():
    frame = of("a", None, np.nan)
    model = function(lambda x: x.map(lambda v: 2.0 if v is None else float(isinstance(v, str))), frame)
    message = refused(
        model, frame, "turns None into NaN, which changes 10 rows of the sample", '`missing={"c": "None"}`'
    )
    assert "CSV input" in message and "Parquet input" in message
    assert packed(model, frame, c="None").columns[0].missing == "None"


def test_none_and_nan_that_the_model_takes_for_the_same_pack():
    frame = of(1.5, None, np.nan)
    assert not packed(function(lambda x: x.astype(float).fillna(0), frame), frame).gaps


@pytest.mark.parametrize("build", [encoder, lambda frame: function(lambda x: x.map(len).astype(float), frame)])
def test_text_of_the_training_data_stays_text_in_csv_though_it_is_a_null_value(build):
    frame = of("NA", "None", "b")
    bundle = packed(build(frame), frame)
    assert not bundle.gaps
    assert bundle.columns == (Column("c", "object", texts=("NA", "None")),)
    assert packed(build(frame), frame, Csv(null_values=("b",))).columns[0].texts == ("NA", "None", "b")


def test_a_category_of_the_model_stays_text_though_the_sample_does_not_have_it():
    assert packed(encoder(of("NA", "b")), of("b")).columns[0].texts == ("NA",)
    frame = pd.DataFrame({"c": pd.Categorical(["x", "y"], ["x", "y", "NA"])})
    assert packed(encoder(frame), frame).columns[0].texts == ("NA",)


def test_an_empty_text_stays_text_if_nothing_is_missing_there():
    frame = of("", "b")
    bundle = packed(encoder(frame), frame)
    assert (bundle.columns[0].texts, bundle.gaps) == (("",), ())


def test_an_empty_text_with_missing_values_is_recorded_for_csv_alone():
    frame = of("", None, "b")
    (gap,) = packed(encoder(frame), frame).gaps
    assert (gap.format, gap.column, gap.spelling, gap.rows) == ("csv", "c", "", 10)
    assert gap.message == 'column "c": CSV input reads the text "" as missing, which changes 10 rows of the sample'
    assert not packed(encoder(frame), frame, Csv(null_values=("-",))).gaps


def test_an_empty_text_with_missing_values_is_recorded_though_only_the_model_knows_both():
    (gap,) = packed(encoder(of("", None, "b")), of("b")).gaps
    assert (gap.spelling, gap.rows) == ("", 0)
    assert "the model learned it as a value" in gap.message


def test_the_hint_for_an_empty_text_lists_the_other_null_values():
    frame = of("", None, "b")
    csv = Csv(null_values=("", "NA", "-"))
    (gap,) = packed(encoder(frame), frame, csv).gaps
    assert gap.hint(csv).endswith('`spec.input.csv.nullValues: ["NA", "-"]`.')


def test_missing_values_with_a_text_of_the_training_data_have_another_null_value():
    frame = of("NA", None, "b")
    bundle = packed(encoder(frame), frame, Csv(null_values=("NA", "-")))
    assert (bundle.columns[0].texts, bundle.gaps) == (("NA",), ())


def test_missing_values_whose_only_null_value_is_text_are_recorded_for_csv_alone():
    frame = of("NA", None, "b")
    (gap,) = packed(encoder(frame), frame, Csv(null_values=("NA",))).gaps
    assert gap.message == 'column "c": CSV input turns None into "NA", which changes 10 rows of the sample'


def test_text_that_csv_rejects_is_recorded_for_csv_alone():
    frame = of("a\0b", "b")
    (gap,) = packed(encoder(frame), frame).gaps
    assert gap.is_rejected and gap.format == "csv" and gap.rows == 10
    assert "rejected: a NUL byte" in gap.message


@pytest.mark.parametrize(
    ("frame", "call", "texts"),
    [
        (
            of(1, "1"),
            lambda x: x.map(lambda v: float(isinstance(v, str))),
            ['turns 1 into "1"', 'column "c" cannot be written'],
        ),
        (
            pd.DataFrame({"c": pd.to_timedelta([1, 2], "s")}),
            lambda x: x.apply(lambda s: s.dt.total_seconds()),
            ['"c" is timedelta64', "convert time spans to seconds"],
        ),
        (pd.DataFrame({"c": pd.cut([1, 2, 3], 2)}), lambda x: x.apply(lambda s: s.cat.codes), ["category[interval"]),
        (
            pd.DataFrame({"c": pd.period_range("2020", periods=3, freq="D")}),
            lambda x: x.apply(lambda s: s.dt.day),
            ['"c" is period[D]'],
        ),
        (of(b"a", b"b"), lambda x: x.map(len) * x.map(lambda v: float(v[0])), ['turns bytes "a" into']),
    ],
)
def test_values_that_no_file_carries_are_refused_with_column_and_value(frame, call, texts):
    refused(function(call, frame), frame, *texts)


def test_a_dtype_that_no_file_has_is_fine_in_a_column_that_the_model_drops():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "day": pd.period_range("2020", periods=3, freq="D")})
    entrance = make_column_transformer((StandardScaler(), ["x"]))
    model = make_pipeline(entrance, LinearRegression()).fit(frame, frame["x"])
    assert packed(model, frame).columns == (Column("x", "float64"),)


def test_a_model_that_reads_the_index_is_refused():
    frame = pd.DataFrame({"x": [1.0, 2, 3]}, index=[7, 8, 9])
    model = function(lambda x: x.assign(x=x.index), frame)
    refused(model, frame, "depend on the index", "reset_index")
    assert packed(function(lambda x: x + 1, frame), frame).columns == (Column("x", "float64"),)


def test_two_columns_of_one_name_are_refused_if_the_model_reads_them():
    frame = pd.DataFrame([[1.0, 2, 3], [4, 5, 6]], columns=["a", "a", "b"])
    refused(LinearRegression().fit(frame.to_numpy(), [1, 2]), frame, '2 columns "a"')
    assert packed(LinearRegression().fit(frame[["b"]], [1, 2]), frame).columns == (Column("b", "int64"),)


class ByNumber(BaseEstimator):
    """Reads columns by labels that are no text."""

    def predict(self, rows):
        return rows[0]


def test_a_model_that_reads_columns_by_numbers_is_refused():
    refused(ByNumber(), pd.DataFrame([[1.0], [2.0]]), "with text as column names", kind=ModelError)


def test_an_array_is_a_sample_and_its_columns_are_the_models():
    rows = np.random.default_rng(0).random((20, 2))
    model = LinearRegression().fit(rows, rows @ [1, 2])
    assert [column.name for column in packed(model, rows).columns] == ["x0", "x1"]
    named = LinearRegression().fit(pd.DataFrame(rows, columns=["a", "b"]), rows @ [1, 2])
    sample = sample_of(rows, Storage(), Csv(), {}, ["a", "b"])
    assert [column.name for column in measure(named, sample, None, None).bundle.columns] == ["a", "b"]


def test_what_is_no_sample_is_refused_with_what_is():
    with pytest.raises(UsageError, match=r"cannot be a builtins\.list"):
        sample_of([[1]], Storage(), Csv(), {})


def test_sparse_columns_are_fed_dense():
    frame = pd.DataFrame({name: pd.arrays.SparseArray([0.0, 1.5, 0, 2.5], fill_value=0.0) for name in "ab"})
    model = LinearRegression().fit(frame, [1, 2, 3, 4])
    assert {column.dtype for column in packed(model, frame).columns} == {"float64"}


def test_a_model_that_gives_other_results_each_time_is_left_to_the_proof(tmp_path):
    frame = of("a", None, np.nan)
    model = function(lambda x: np.random.default_rng().random((len(x), 1)), frame)
    assert not packed(model, frame).gaps


def test_a_clean_process_scores_what_a_file_gives(tmp_path):
    frame = of("a", None).assign(n=np.arange(20))
    staged = stage(make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame, frame["n"]), tmp_path, sample=frame)
    assert [type(value) for value in staged.claim.frame["c"].head(2)] == [str, type(None)]
    (proof,) = prove([staged.claim])
    assert isinstance(proof, Proven) and proof.methods["predict"].loaded == 0
