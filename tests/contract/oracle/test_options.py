"""Output options of a job give the same results as pandas and scikit-learn."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from scoremill import score
from scoremill.errors import UsageError
from scoremill.execute import preview
from tests.contract.oracle.oracle import FORMATS, columns, difference, kept, plain, read, read_csv, staged, written
from tests.support.jobs import make_job, pipeline, trips

ROWS = 300


@pytest.fixture(scope="module")
def model() -> Pipeline:
    return pipeline(trips(500))


@pytest.fixture(scope="module")
def bundle(model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> str:
    return staged(model, tmp_path_factory.mktemp("bundle") / "trips", trips(500))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trips.csv"
    frame = trips(ROWS)
    frame.loc[::7, "note"] = 'two\nlines, "quoted"'
    frame.to_csv(path, index=False)
    return path


def results(bundle: str, inputs: Any, tmp_path: Path, **spec: Any) -> dict[str, list[Any]]:
    score(make_job(bundle, inputs, str(tmp_path / "out"), **spec), cluster="in-process")
    return written(tmp_path / "out")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("requested", "names"),
    [
        ({"1": "yhat"}, {"yhat": 1}),
        ({"proba_1": "yes", "proba_0": "no"}, {"yes": 1, "no": 0}),
        ({"0": "proba_0"}, {"proba_0": 0}),
    ],
)
def test_output_columns_are_selected_and_renamed_in_the_given_order(
    model, bundle, file, tmp_path, requested, names, format
):
    made = results(
        bundle, str(file), tmp_path, model={"method": "predict_proba"}, output={"columns": requested, "format": format}
    )
    proba = model.predict_proba(read_csv(file))
    assert difference(made, columns(list(names), proba[:, list(names.values())])) is None


@pytest.mark.parametrize("requested", ["2", "proba", "prediction"])
def test_unrecognized_result_column_is_refused_by_name(bundle, file, tmp_path, requested):
    with pytest.raises(UsageError, match=rf'"{requested}"\n.*proba_0, proba_1'):
        results(bundle, str(file), tmp_path, model={"method": "predict_proba"}, output={"columns": {requested: "y"}})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("labels", [[0, 1], ["bad", "good"], [False, True], [-1, 2]])
def test_probability_at_or_above_the_threshold_predicts_the_second_class(file, tmp_path, threshold, labels):
    frame = read_csv(file)
    inputs, classes = frame[["distance", "passengers"]], np.array(labels)
    model = LogisticRegression().fit(inputs, classes[(frame["distance"] > 3).astype(int)])
    bundle = staged(model, tmp_path / "bundle", inputs)
    made = results(bundle, str(file), tmp_path, model={"method": "predict"}, output={"threshold": threshold})
    truth = classes[(model.predict_proba(inputs)[:, 1] >= threshold).astype(int)]
    assert difference(made, columns(["prediction"], truth)) is None


def test_threshold_for_three_classes_is_refused(file, tmp_path):
    frame = read_csv(file)
    model = LogisticRegression().fit(frame[["distance"]], frame["payment"])
    bundle = staged(model, tmp_path / "bundle", frame[["distance"]])
    with pytest.raises(UsageError, match="two classes"):
        results(bundle, str(file), tmp_path, output={"threshold": 0.5})


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_point_results_have_the_requested_dtype(model, bundle, file, tmp_path, dtype, format):
    made = results(
        bundle,
        str(file),
        tmp_path,
        model={"method": "predict_proba"},
        output={"dtype": dtype, "format": format, "keep": ["distance"]},
    )
    frame = read_csv(file)
    proba = model.predict_proba(frame).astype(dtype)
    if format != "parquet":
        made = {
            name: np.asarray(values).astype(dtype if name != "distance" else float).tolist()
            for name, values in made.items()
        }
    assert difference(made, kept(frame, ["distance"]) | columns(["proba_0", "proba_1"], proba)) is None
    if format == "parquet":
        part = pd.read_parquet(next((tmp_path / "out").glob("part-*")))
        assert part.dtypes.astype(str).tolist() == ["str", dtype, dtype]


def test_regressor_results_in_single_precision_are_rounded_predictions(file, tmp_path):
    frame = read_csv(file)
    model = Ridge().fit(frame[["distance"]], frame["passengers"])
    made = results(
        staged(model, tmp_path / "bundle", frame[["distance"]]), str(file), tmp_path, output={"dtype": "float32"}
    )
    assert difference(made, columns(["prediction"], model.predict(frame[["distance"]]).astype("float32"))) is None


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("keep", [["note", "id"], ["*"], ["passengers", "distance"]])
def test_kept_columns_have_the_values_of_the_input_in_the_requested_order(model, bundle, file, tmp_path, keep, format):
    made = results(bundle, str(file), tmp_path, output={"keep": keep, "format": format})
    frame = read_csv(file)
    truth = kept(frame, list(frame.columns) if keep == ["*"] else keep)
    assert difference(made, truth | columns(["prediction"], model.predict(frame))) is None


def test_kept_columns_have_the_text_of_every_file(bundle, tmp_path):
    for number, value in enumerate(["1", "2.50", ""]):
        (tmp_path / f"{number}.csv").write_text(f"distance,payment,passengers,extra\n1,cash,2,{value}\n")
    results(bundle, str(tmp_path / "*.csv"), tmp_path, output={"keep": ["extra"]})
    parts = pd.concat([pd.read_parquet(part) for part in sorted((tmp_path / "out").glob("part-*"))])
    assert plain(parts["extra"]) == ["1", "2.50", None]


def test_path_columns_can_be_kept_and_used_by_the_model(tmp_path):
    frame = trips(60)
    frame["year"] = np.repeat([2009, 2010, 2011], 20)
    model = Ridge().fit(frame[["year", "distance"]], frame["passengers"])
    for year, group in frame.groupby("year"):
        folder = tmp_path / "in" / f"year={year}" / "city=New York"
        folder.mkdir(parents=True)
        group.drop(columns="year").to_csv(folder / "a.csv", index=False)
    bundle = staged(model, tmp_path / "bundle", frame[["year", "distance"]])
    made = results(
        bundle, str(tmp_path / "in" / "**"), tmp_path, input={"hive": True}, output={"keep": ["city", "year", "id"]}
    )
    assert made["year"] == frame["year"].tolist()
    assert made["city"] == ["New York"] * 60
    assert made["id"] == frame["id"].tolist()
    assert made["prediction"] == pytest.approx(model.predict(frame[["year", "distance"]]), rel=1e-12)


@pytest.mark.parametrize("cut", ["1KiB", "64MiB"])
def test_row_id_is_the_offset_of_the_row(bundle, tmp_path, cut):
    frames, data = {}, {}
    for name in ("a.csv", "b.csv", "c.csv.gz"):
        frame = trips(90, seed=len(data))
        frame.loc[::5, "note"] = 'two\r\nlines, é "quoted"'
        content = frame.to_csv(index=False, lineterminator="\r\n").encode()
        if name == "b.csv":
            content = b"\xef\xbb\xbf" + content
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        frames[name], data[name] = frame, content
    made = results(
        bundle,
        [str(tmp_path / "*.csv"), str(tmp_path / "c.csv.gz")],
        tmp_path,
        input={"partitionBytes": cut},
        output={"rowId": True, "keep": ["id", "distance"]},
    )
    assert made["source"] == [name for name in frames for _ in range(90)]
    for source, position, row, distance in zip(
        made["source"], made["position"], made["id"], made["distance"], strict=True
    ):
        assert data[source][position:].startswith(f"{row},{distance},".encode())
        assert data[source][:position].endswith(b"\r\n")


def test_row_id_of_parquet_is_the_row_number_in_its_object(bundle, tmp_path):
    trips(90).to_parquet(tmp_path / "a.parquet", row_group_size=25)
    trips(40, seed=1).to_parquet(tmp_path / "b.parquet", row_group_size=25)
    made = results(bundle, str(tmp_path / "*.parquet"), tmp_path, output={"rowId": True, "keep": ["id"]})
    assert made["position"] == [*range(90), *range(40)] == made["id"]


@pytest.mark.parametrize("limit", [1, 7, 299, 300, 301])
def test_preview_equals_the_output_if_partitions_start_inside_quotes(model, bundle, file, tmp_path, limit):
    frame = read_csv(file)
    frame["note"] = "\n".join(f'"{i}"' for i in range(90))
    frame.to_csv(file, index=False)
    job = make_job(
        bundle, str(file), str(tmp_path / "out"), input={"partitionBytes": "1KiB"}, output={"keep": ["id", "note"]}
    )
    made = {
        name: read(values)
        for name, values in pa.concat_tables(each.table for each in preview(job, limit)).to_pydict().items()
    }
    head = frame.head(limit)
    assert difference(made, kept(head, ["id", "note"]) | columns(["prediction"], model.predict(head))) is None
    assert not (tmp_path / "out").exists()


def test_preview_equals_the_model_for_a_file_with_irregular_quotes(model, bundle, file, tmp_path):
    frame = trips(100)
    frame["note"] = [f'{i}" disk' for i in range(100)]
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in [frame.columns, *frame.values.tolist()]))
    job = make_job(bundle, str(file), str(tmp_path / "out"), output={"keep": ["id", "note"]})
    assert pa.concat_tables(each.table for each in preview(job, 100)).to_pydict()["note"] == frame["note"].tolist()


def test_integers_missing_in_the_input_are_missing_in_the_output(tmp_path):
    from sklearn.preprocessing import FunctionTransformer

    sample = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    model = FunctionTransformer(feature_names_out="one-to-one").set_output(transform="pandas").fit(sample)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n,3\n3,\n")
    made = results(staged(model, tmp_path / "bundle", sample), str(tmp_path / "a.csv"), tmp_path)
    assert made == {"a": [1, None, 3], "b": [2.0, 3.0, None]}


def test_rejected_rows_are_those_that_pandas_cannot_read(model, bundle, tmp_path):
    frame = trips(400)
    lines = frame.to_csv(index=False).splitlines()
    bad = {3: "3,x,cash,,1", 40: "40,1.5,cash", 399: "399,1.5,cash,,2,surplus"}
    for row, line in bad.items():
        lines[row + 1] = line
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    made = results(
        bundle,
        str(tmp_path / "a.csv"),
        tmp_path,
        input={"partitionBytes": "1KiB"},
        output={"keep": ["id"]},
        errors={"maxRows": 3},
    )
    good = read_csv(pd.io.common.StringIO(frame.to_csv(index=False))).drop(index=list(bad))
    assert made["id"] == good["id"].tolist()
    assert made["prediction"] == model.predict(good).tolist()
    errors = [
        json.loads(line)
        for path in sorted((tmp_path / "out" / "_errors").iterdir())
        for line in path.read_text().splitlines()
    ]
    assert [error["raw"] for error in errors] == list(bad.values())
    data = (tmp_path / "a.csv").read_bytes()
    assert all(data[error["offset"] :].startswith(error["raw"].encode()) for error in errors)
    assert [error["column"] for error in errors] == ["distance", None, None]
