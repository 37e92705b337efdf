"""A sample in a file: read by the reader that scores, with the types that the model learned."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from scoremill.bundle.packing.measure import measure
from scoremill.bundle.packing.pack import PackWarning, pack, read_model, stage
from scoremill.bundle.packing.sample import sample_of
from scoremill.bundle.read import inspect
from scoremill.bundle.schema import Bundle
from scoremill.errors import FitError, ModelError, UsageError
from scoremill.spec import Column, Csv, Storage

ZIPS = pd.DataFrame({"zip": ["02134", "94103", "10001"] * 5, "fare": np.arange(15) / 4})
TARGET = np.arange(15.0)


def zips(encoder: Any = None) -> Any:
    entrance = make_column_transformer((encoder or OneHotEncoder(), ["zip"]), remainder="passthrough")
    return make_pipeline(entrance, LinearRegression()).fit(ZIPS, TARGET)


def first_digit(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(zip=frame["zip"].str[:1].astype(float))


def packed(model: Any, sample: Path, csv: Csv | None = None, **missing: Any) -> Bundle:
    return measure(model, sample_of(sample, Storage(), csv or Csv(), missing), None, None).bundle


def written(folder: Path, text: str, name: str = "sample.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


@pytest.mark.parametrize(
    "encoder",
    [OneHotEncoder(), OrdinalEncoder(), make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())],
)
def test_digits_of_a_csv_are_text_if_the_model_learned_text(encoder, tmp_path):
    ZIPS.to_csv(tmp_path / "sample.csv", index=False)
    assert packed(zips(encoder), tmp_path / "sample.csv").columns == (
        Column("zip", "string"),
        Column("fare", "float64"),
    )


def test_a_function_that_wants_text_is_given_it_by_dtypes(tmp_path):
    ZIPS.to_csv(tmp_path / "sample.csv", index=False)
    model = make_pipeline(FunctionTransformer(first_digit), LinearRegression()).fit(ZIPS, TARGET)
    with pytest.raises(ModelError, match="zip int64, fare float64") as caught:
        packed(model, tmp_path / "sample.csv")
    assert '`spec.input.csv.dtypes: {"zip": "string"}`' in str(caught.value)
    assert packed(model, tmp_path / "sample.csv", Csv(dtypes={"zip": "string"})).columns[0] == Column("zip", "string")


def test_numbers_in_a_parquet_sample_for_a_model_of_text_are_refused_with_both(tmp_path):
    ZIPS.astype({"zip": int}).to_parquet(tmp_path / "sample.parquet")
    with pytest.raises(
        FitError, match='"zip": the model learned text, such as "02134", and the sample has int64, such as'
    ):
        packed(zips(), tmp_path / "sample.parquet")


def test_text_in_a_csv_sample_for_a_model_of_numbers_is_refused_with_the_flags(tmp_path):
    frame = pd.DataFrame({"size": [1.5, 2.5] * 4})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame, np.arange(8))
    sample = written(tmp_path, 'size\n"1,5"\n"2,5"\n')
    with pytest.raises(FitError, match=r"the model learned numbers, such as 1\.5, and the sample has string") as caught:
        packed(model, sample)
    assert '`spec.input.csv.dtypes: {"size": "float64"}`' in str(caught.value) and "`spec.input.csv.decimal`" in str(
        caught.value
    )
    assert packed(model, sample, Csv(decimal=",")).columns == (Column("size", "float64"),)


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (["1", "2"], Column("a", "int64")),
        (["1", ""], Column("a", "float64")),
        (["1.0", "2"], Column("a", "float64")),
        (["", "NA"], Column("a", "float64")),
        (["18446744073709551615", "1"], Column("a", "uint64")),
        (["True", "False"], Column("a", "bool")),
        (["True", ""], Column("a", "object", values="bool")),
        (["x", ""], Column("a", "string")),
        (["2009-01-01", "2009-01-02"], Column("a", "string")),
    ],
)
def test_types_of_a_csv_sample_are_those_that_pandas_infers(values, column, tmp_path):
    sample = written(tmp_path, "\n".join(["a,b", *(f"{value},1" for value in values)]) + "\n")
    rows, columns = sample_of(sample, Storage(), Csv(), {}).read(["a"], {})
    assert columns == (column,)
    inferred = pd.read_csv(sample)[["a"]]
    if column.dtype != "string":
        pd.testing.assert_frame_equal(rows, inferred)


def test_a_category_of_a_csv_sample_has_the_values_there_are(tmp_path):
    sample = written(tmp_path, "a\nx\ny\nx\n")
    _, columns = sample_of(sample, Storage(), Csv(dtypes={"a": "category"}), {}).read(["a"], {})
    assert columns == (Column("a", "category", ("x", "y")),)


def test_a_csv_sample_is_read_in_its_dialect_and_decompressed(tmp_path):
    text = "zip;fare\n02134;1,5\n94103;2,5\n10001;-\n"
    (tmp_path / "sample.csv.gz").write_bytes(gzip.compress(text.encode()))
    csv = Csv(delimiter=";", decimal=",", null_values=("-",))
    rows, _ = sample_of(tmp_path / "sample.csv.gz", Storage(), csv, {}).read(["zip", "fare"], {})
    assert rows["fare"].tolist()[:2] == [1.5, 2.5] and np.isnan(rows["fare"][2])


@pytest.mark.parametrize(
    ("text", "csv", "match", "hint"),
    [
        ("", {}, "is empty", "a header"),
        ("zip,fare\n", {}, "has no rows", "a few rows"),
        (
            "zip;fare\n1;0,5\n",
            {},
            "no rows that can be read: expected 1 fields, found 2",
            '`spec.input.csv.delimiter: ";"`',
        ),
        (
            "zip;fare\n1;0.5\n",
            {},
            'reads "zip", "fare", which the sample does not have',
            '`spec.input.csv.delimiter: ";"`',
        ),
        ("ZIP,fare\n1,0.5\n", {}, 'reads "zip", which', 'The sample has "ZIP", "fare"'),
        (
            "zip,fare\n1,x\n",
            {"dtypes": {"fare": "float64"}},
            '"fare" of the sample .*"x" is not a number',
            "`spec.input.csv.dtypes`",
        ),
        ("zip,fare\n1,0.5\n", {"dtypes": {"zap": "string"}}, 'no column "zap"', "zip, fare"),
    ],
)
def test_a_csv_sample_that_does_not_fit_says_how_to_read_it(text, csv, match, hint, tmp_path):
    with pytest.raises((UsageError, FitError), match=match) as caught:
        packed(zips(), written(tmp_path, text), Csv(**csv))
    assert hint in str(caught.value)


def test_rows_of_a_csv_sample_that_scoring_rejects_are_left_out_and_counted(tmp_path):
    ZIPS.to_csv(tmp_path / "sample.csv", index=False)
    with (tmp_path / "sample.csv").open("a") as file:
        file.write("02134\n")
    with pytest.warns(PackWarning, match="1 rows of the sample are left out: expected 2 fields, found 1"):
        bundle = pack(zips(), tmp_path / "bundle", sample=tmp_path / "sample.csv")
    assert len(bundle.warnings) == 1


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "folder"])
def test_a_sample_that_is_not_there_is_named(name, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="there is no sample file"):
        sample_of(tmp_path / name, Storage(), Csv(), {})


def test_a_form_of_missing_values_must_be_one_of_a_column_that_can_have_it(tmp_path):
    frame = pd.DataFrame({"zip": ["a", None], "fare": [1.0, 2]})
    for missing, text in (
        ({"zip": "nil"}, '`missing={"zip": "None"}`'),
        ({"zap": "None"}, "zip, fare"),
        ({"fare": "None"}, "is float64"),
    ):
        with pytest.raises(UsageError) as caught:
            sample_of(frame, Storage(), Csv(), missing)  # type: ignore[arg-type]
        assert text in str(caught.value)


def test_a_model_of_arrays_packed_without_a_sample_says_which_columns_input_must_have(tmp_path):
    model = LinearRegression().fit(ZIPS[["fare"]].to_numpy(), TARGET)
    with pytest.warns(PackWarning, match="input must have the columns x0"):
        assert pack(model, tmp_path / "bundle").warnings


def test_a_text_that_the_model_learned_is_read_from_a_csv_sample(tmp_path):
    frame = pd.DataFrame({"c": ["NA", "DE", "FR"] * 5})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame, TARGET)
    frame.to_csv(tmp_path / "sample.csv", index=False)
    assert packed(model, tmp_path / "sample.csv").columns == (Column("c", "string", texts=("NA",)),)


def test_gaps_are_in_the_bundle_and_a_warning_with_the_flag(tmp_path):
    frame = pd.DataFrame({"c": ["", "b", None] * 5, "n": range(15)})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), LinearRegression()).fit(frame, frame["n"])
    with pytest.warns(PackWarning, match='CSV input reads the text "" as missing.*\n.*`spec.input.csv.nullValues: '):
        bundle = pack(model, tmp_path / "bundle", sample=frame)
    assert inspect(bundle.uri, Storage()).gaps == bundle.gaps


def test_the_digest_does_not_know_how_many_rows_of_the_sample_have_a_gap(tmp_path):
    frame = pd.DataFrame({"c": ["", "b", None] * 5, "n": range(15)})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), LinearRegression()).fit(frame, frame["n"])
    one, other = (stage(model, tmp_path, sample=sample).bundle for sample in (frame, frame.head(6)))
    assert one.gaps != other.gaps
    assert one.digest == other.digest


def _lambda(path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda x: x), LinearRegression()).fit(ZIPS[["fare"]], TARGET)
    with pytest.raises(Exception, match=r"(?i)pickl"):
        joblib.dump(model, path)


@pytest.mark.parametrize(
    ("write", "message", "hint"),
    [
        (_lambda, "was not written to its end", "scoremill.pack(model, …)"),
        (lambda path: path.write_bytes(_pickle(path)[:-300]), "was not written to its end", "scoremill.pack"),
        (ZIPS.to_csv, 'is not a pickled model: it begins with ",zip,fare', "joblib.dump"),
        (lambda path: path.write_bytes(b""), "is not a pickled model", "joblib.dump"),
    ],
)
def test_a_file_that_is_no_model_says_what_it_is(write, message, hint, tmp_path):
    write(tmp_path / "m.joblib")
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / "m.joblib")
    assert message in str(caught.value) and hint in str(caught.value)


def _pickle(path: Path) -> bytes:
    joblib.dump(LinearRegression().fit(np.ones((50, 50)), np.ones(50)), path)
    return path.read_bytes()


def test_a_bundle_in_place_of_a_model_file_is_named(tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    with pytest.raises(UsageError, match="is already a bundle") as caught:
        read_model(tmp_path)
    assert "scoremill score --model" in str(caught.value)


def test_a_dictionary_with_the_model_in_it_names_its_keys(tmp_path):
    with pytest.raises(UsageError, match="a dict has none of the methods") as caught:
        measure({"model": zips(), "date": 1}, ZIPS, None, None)
    assert 'keys "model", "date"' in str(caught.value)


def test_what_scikit_learn_says_of_other_column_names_is_shown_whole():
    model = make_pipeline(FunctionTransformer(np.log1p), LinearRegression()).fit(ZIPS[["fare"]], TARGET)
    with pytest.raises(
        ModelError, match=r"Feature names unseen at fit time: - fee .*seen at fit time, yet now missing: - fare"
    ):
        measure(model, ZIPS.rename(columns={"fare": "fee"}), None, ["fee"])
