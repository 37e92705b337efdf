"""Packed models receive values from CSV and Parquet files as they were in training, for frames of every kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from scoremill import score
from scoremill.bundle import inspect, pack
from scoremill.bundle.packing.pack import stage
from scoremill.bundle.packing.sample import FrameSample
from scoremill.spec import Csv, Storage
from tests.contract.oracle.oracle import columns, difference, staged, written
from tests.support.jobs import make_job

ROWS = 200
FORMATS = ("csv", "parquet")
Build = Callable[[pd.DataFrame], Any]


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def objects(*values: Any) -> pd.Series:
    """Return a column of objects with these values in random order."""
    cells = np.empty(ROWS, object)
    cells[:] = [values[i] for i in random().integers(0, len(values), ROWS)]
    return pd.Series(cells, dtype=object)


def target(frame: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(1).random(len(frame))


def encoded(encoder: Any = None) -> Build:
    """Build a model whose encoder reads the unchanged columns."""
    return lambda frame: make_pipeline(encoder or OneHotEncoder(), Ridge()).fit(frame, target(frame))


def of(function: Callable[[pd.DataFrame], Any]) -> Build:
    """Build a model whose features are `function` of the columns."""
    return lambda frame: make_pipeline(FunctionTransformer(function), Ridge()).fit(frame, target(frame))


def alone(estimator: Any) -> Build:
    return lambda frame: estimator.fit(frame, target(frame))


TREES = alone(HistGradientBoostingRegressor(max_iter=3, categorical_features="from_dtype"))
CASES: dict[str, tuple[pd.Series, Build]] = {
    "objects with None": (objects("a", "b", None), encoded()),
    "objects with NaN": (objects("a", "b", np.nan), encoded()),
    "ordinals of objects with None": (objects("a", "b", None), encoded(OrdinalEncoder())),
    "targets of objects with None": (objects("a", "b", None), encoded(TargetEncoder())),
    "imputed None": (
        objects("a", "b", None),
        encoded(make_pipeline(SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder())),
    ),
    "text with NaN": (pd.Series(["a", "b", None] * 20), encoded()),
    "text with NA": (
        pd.Series(["a", "b", None] * 20, dtype="string"),
        encoded(make_pipeline(SimpleImputer(missing_values=pd.NA, strategy="most_frequent"), OneHotEncoder())),
    ),
    "text that CSV takes for missing": (pd.Series(["NA", "None", "null", "", "nan", "b"] * 10), encoded()),
    "text that CSV takes for missing, with None": (objects("NA", "None", "b", None), encoded()),
    "categories that CSV takes for missing": (pd.Series(pd.Categorical(["NA", "b", None] * 20)), TREES),
    "Arrow text that CSV takes for missing": (
        pd.Series(["NA", "b", "c"] * 20, dtype=pd.ArrowDtype(pa.string())),
        encoded(),
    ),
    "Arrow text": (pd.Series(["a", "b", "c"] * 20, dtype=pd.ArrowDtype(pa.string())), encoded()),
    "odd text": (
        pd.Series([" a", "a ", "a\nb", "a,b", 'q"q', "007", "1e5", "é", "\ufeffx", "a\r\nb", "\t", "nan "] * 5),
        encoded(),
    ),
    "truth values": (pd.Series([True, False] * 20), encoded()),
    "objects of truth values with None": (objects(True, False, None), encoded()),
    "objects of truth values with NaN": (objects(True, False, np.nan), encoded()),
    "objects of truth values": (objects(True, False), of(lambda x: x.map(lambda v: isinstance(v, bool) + 1.0 * v))),
    "boolean with NA": (pd.Series([True, False, None] * 20, dtype="boolean"), encoded()),
    "objects of integers with None": (objects(1, 2, None), encoded()),
    "objects of integers": (objects(1, 2, 2**60 + 1), of(lambda x: x.map(lambda v: isinstance(v, int) + float(v % 7)))),
    "objects of numbers with NaN": (objects(1.5, 2.0, np.nan), encoded()),
    "Int64 with NA": (pd.Series([1, 2, None] * 20, dtype="Int64"), encoded()),
    "Float64 with NA": (pd.Series([1.5, 2, None] * 20, dtype="Float64"), TREES),
    "Arrow numbers with NA": (pd.Series([1.5, 2, None] * 20, dtype="double[pyarrow]"), TREES),
    "Arrow integers": (pd.Series(range(60), dtype="int64[pyarrow]"), alone(Ridge())),
    "integers above 2**53": (pd.Series(random().integers(2**53, 2**62, ROWS)), of(lambda x: (x % 10).astype(float))),
    "unsigned above 2**63": (
        pd.Series(random().integers(2**63, 2**64, ROWS, dtype=np.uint64)),
        of(lambda x: (x % 10).astype(float)),
    ),
    "small integers that overflow": (pd.Series(random().integers(-5, 5, ROWS, dtype=np.int8)), of(lambda x: x * 100)),
    "float32": (pd.Series(random().random(ROWS, dtype=np.float32)), alone(Ridge())),
    "odd numbers": (pd.Series([0.1, -0.0, 5e-324, 1.7976931348623157e308, -1e-300, 1 / 3, np.nan] * 10), TREES),
    "decimals": (objects(Decimal("0.10"), Decimal("1.15"), Decimal("123456789.123456789")), alone(Ridge())),
    "categories of text in an order of their own": (
        pd.Series(pd.Categorical(["a", "b", None, "c"] * 20, ["c", "b", "a", "d"], ordered=True)),
        TREES,
    ),
    "categories of integers": (pd.Series(pd.Categorical(random().integers(0, 4, ROWS))), encoded()),
    "categories of numbers": (pd.Series(pd.Categorical(random().integers(0, 4, ROWS) * 0.5)), encoded()),
    "categories of truth values": (pd.Series(pd.Categorical([True, False] * 20)), encoded()),
    "times": (
        pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="h")),
        of(lambda x: x.apply(lambda s: s.dt.hour)),
    ),
    "times with a zone": (
        pd.Series(pd.date_range("2020-03-01", periods=ROWS, freq="7h", tz="Europe/Berlin")),
        of(lambda x: x.apply(lambda s: s.dt.hour)),
    ),
    "times with an offset": (
        pd.Series(pd.to_datetime(["2020-01-01 00:00+01:00"] * 9)),
        of(lambda x: x.apply(lambda s: s.dt.hour)),
    ),
    "nanoseconds with NaT": (
        pd.Series([*pd.date_range("2020-01-01", periods=ROWS, freq="7ns"), pd.NaT]),
        of(lambda x: x.apply(lambda s: s.dt.nanosecond.fillna(-1))),
    ),
    "days": (objects(dt.date(2020, 1, 1), dt.date(2021, 2, 3)), of(lambda x: x.map(lambda v: float(v.weekday())))),
    "days with None": (objects(dt.date(2020, 1, 1), None), of(lambda x: x.map(lambda v: 0.0 if v is None else v.day))),
}


def scores(bundle: str, frame: pd.DataFrame, form: str, folder: Path, **job: Any) -> dict[str, list[Any]]:
    """Write the frame to a file of this format, score it, and return the scores."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"in.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    score(make_job(bundle, str(path), str(folder / f"out-{form}"), **job), cluster="in-process")
    return written(folder / f"out-{form}")


@pytest.mark.parametrize("name", CASES)
def test_packed_model_scores_a_file_like_the_training_frame(name, tmp_path):
    series, build = CASES[name]
    frame = pd.DataFrame({"c": series, "row": np.arange(len(series))})
    model = build(frame[["c"]])
    bundle = staged(model, tmp_path / "bundle", frame[["c"]])
    truth = columns(["prediction"], model.predict(frame[["c"]]))
    for form in FORMATS:
        assert difference(scores(bundle, frame, form, tmp_path), truth) is None, form


@pytest.mark.parametrize("written_as", FORMATS)
def test_sample_from_a_file_keeps_missing_values_as_the_encoder_learned_them(written_as, tmp_path):
    frame = pd.DataFrame({"c": objects("a", "b", None), "n": random().random(ROWS)})
    entrance = make_column_transformer((OneHotEncoder(), ["c"]), (StandardScaler(), ["n"]))
    model = make_pipeline(entrance, Ridge()).fit(frame, target(frame))
    sample = tmp_path / f"sample.{written_as}"
    frame.to_csv(sample, index=False) if written_as == "csv" else frame.to_parquet(sample)
    bundle = pack(model, tmp_path / "bundle", sample=sample)
    assert not bundle.gaps
    truth = columns(["prediction"], model.predict(frame))
    for form in FORMATS:
        assert difference(scores(bundle.uri, frame, form, tmp_path), truth) is None, form


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M:%S", "epoch_s", "epoch_ms", "ISO8601"])
def test_pack_tests_times_in_the_format_of_the_job(form, tmp_path):
    hours = [*pd.date_range("2020-01-01", periods=ROWS, freq="h"), pd.NaT]
    frame = pd.DataFrame({"c": pd.Series(hours)})
    model = FunctionTransformer(lambda x: x.apply(lambda s: s.dt.hour.fillna(-1))).fit(frame)
    (tmp_path / "bundle").mkdir()
    sample = FrameSample(frame, Csv(date_formats={"c": form}))
    assert stage(model, tmp_path / "bundle", sample=sample).bundle.gaps == ()
    coarse = FrameSample(frame, Csv(date_formats={"c": "%d.%m.%Y"}))
    (gap,) = stage(model, tmp_path / "bundle", sample=coarse).bundle.gaps
    assert gap.format == "csv" and gap.value == "2020-01-01 01:00:00"


def test_model_trained_on_arrays_scores_files_like_the_array(tmp_path):
    rows = np.c_[random().random((ROWS, 2)), random().integers(0, 9, ROWS)]
    model = LinearRegression().fit(rows, rows @ [1, 2, 3])
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    bundle = staged(model, tmp_path / "bundle", frame)
    truth = columns(["prediction"], model.predict(frame.to_numpy()))
    for form in FORMATS:
        assert difference(scores(bundle, frame, form, tmp_path), truth) is None, form


@pytest.mark.parametrize("form", FORMATS)
def test_null_value_that_is_text_in_training_is_kept_filtered_and_scored_as_text(form, tmp_path):
    frame = pd.DataFrame({"c": ["NA", "DE", "FR"] * 20, "note": ["NA", "x", "y"] * 20})
    model = encoded()(frame[["c"]])
    bundle = staged(model, tmp_path / "bundle", frame[["c"]])
    job = {"input": {"where": "c == 'NA'"}, "output": {"keep": ["c", "note"]}}
    chosen = frame[frame["c"] == "NA"]
    truth = {"c": ["NA"] * 20, "note": ["NA"] * 20} | columns(["prediction"], model.predict(chosen[["c"]]))
    scores(bundle, frame, form, tmp_path, **job)
    assert difference(written(tmp_path / f"out-{form}", ()), truth) is None


def test_null_value_that_is_text_in_training_is_missing_in_a_column_of_numbers(tmp_path):
    frame = pd.DataFrame({"zip": ["", "02134", "94103"] * 20})
    model = encoded()(frame)
    bundle = staged(model, tmp_path / "bundle", frame)
    job = {
        "input": {"where": "isnull(zip) or zip > 5000", "csv": {"dtypes": {"zip": "int64"}}},
        "output": {"keep": ["zip"]},
    }
    chosen = frame[frame["zip"] != "02134"]
    truth = {"zip": [None, 94103] * 20} | columns(["prediction"], model.predict(chosen))
    assert difference(scores(bundle, frame, "csv", tmp_path, **job), truth) is None


cells = st.one_of(
    st.lists(st.sampled_from(["a", "b", " ", "0", "1.0", "x,y", 'q"', "NA", "None", ""]), min_size=2, max_size=2),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
    st.just([True, False]),
    st.lists(st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1)), min_size=2, max_size=2),
)


@st.composite
def series(draw: st.DrawFn) -> pd.Series:
    """Draw a column of one kind, without missing values or with one kind of them."""
    values = draw(cells)
    form = draw(st.sampled_from([None, "None", "NaN"]))
    values = [*values, *([] if form is None else [None if form == "None" else np.nan])]
    at = draw(st.lists(st.integers(0, len(values) - 1), min_size=4, max_size=12))
    dtype = draw(st.sampled_from([object, None]))
    return pd.Series([values[i] for i in at], dtype=dtype)


def marks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a different number for each value of any type and for each kind of missing value."""
    return frame.map(lambda value: float(sum(ord(c) * 31 ** (i % 9) for i, c in enumerate(f"{type(value)}{value!r}"))))


@given(st.lists(series(), min_size=1, max_size=3))
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_column_reaches_the_model_as_in_training_or_pack_records_a_gap(tmp_path_factory, drawn):
    rows = min(map(len, drawn))
    frame = pd.DataFrame({f"c{i}": one.iloc[:rows].reset_index(drop=True) for i, one in enumerate(drawn)})
    model = FunctionTransformer(marks).fit(frame)
    folder = tmp_path_factory.mktemp("any")
    (folder / "bundle").mkdir()
    bundle = stage(model, folder / "bundle", sample=frame).bundle
    assert inspect(bundle.uri, Storage()).gaps == bundle.gaps
    truth = columns([column.name for column in bundle.results["transform"]], model.transform(frame))
    for form in FORMATS:
        if all(gap.format != form for gap in bundle.gaps):
            job = {"model": {"method": "transform"}}
            assert difference(scores(bundle.uri, frame, form, folder, **job), truth) is None, form
