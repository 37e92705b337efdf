"""Renamed columns give the same scores as a file with the column names of the model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from distributed import LocalCluster

from scoremill import score
from scoremill.cli.flags.flag import Pairs
from scoremill.engines.dask.engine import OnDask
from scoremill.engines.protocol import InProcess
from scoremill.errors import FitError, UsageError
from scoremill.execute.datasets.dataset import OnDataset, score_dataset
from scoremill.execute.datasets.load import load
from scoremill.outputs.retry import retry_rejected
from scoremill.spec import Cluster, Deadlines
from scoremill.storage.store import Store
from tests.support.jobs import make_job, objects, run, table, trip_bundle, trips

OTHERS = {"distance": "Trip Distance", "payment": "PAYMENT", "passengers": "n_passengers", "id": "Id"}
"""Column names of the input by column names of the model or job."""
RENAME = {other: name for name, other in OTHERS.items()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier with the inputs `distance`, `passengers` and `payment`."""
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


def write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=50, index=False)


def scored(bundle: str, folder: Path, files: dict[str, pd.DataFrame], /, **spec: Any) -> pd.DataFrame:
    for name, frame in files.items():
        write(frame, folder / "in" / name)
    job = make_job(bundle, str(folder / "in"), str(folder / "out"), **spec)
    score(job, cluster="in-process")
    return table(str(folder / "out"))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_new_names_are_used_by_the_model_keep_where_and_dtypes(bundle, tmp_path, kind):
    frame = trips(400)
    spec = {
        "input": {"where": "id >= 100 and passengers > 1", "partitionBytes": 1024, "csv": {"dtypes": {"id": "int64"}}},
        "output": {"keep": ["id", "note"]},
    }
    plain = scored(bundle, tmp_path / "plain", {f"a.{kind}": frame}, **spec)
    spec["input"] |= {"rename": RENAME}
    renamed = scored(bundle, tmp_path / "renamed", {f"a.{kind}": frame.rename(columns=OTHERS)}, **spec)
    pd.testing.assert_frame_equal(plain, renamed)
    assert list(renamed.columns[:2]) == ["id", "note"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_all_columns_are_kept_under_their_new_names(bundle, tmp_path, kind):
    frame = trips(50).rename(columns=OTHERS)
    made = scored(
        bundle, tmp_path, {f"a.{kind}": frame}, input={"rename": RENAME}, output={"keep": ["*"], "drop": ["id"]}
    )
    assert list(made.columns) == ["distance", "payment", "note", "passengers", "proba_0", "proba_1"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_path_columns_can_be_renamed(bundle, tmp_path, kind):
    frame = trips(60)
    files = {
        f"PAYMENT={value}/a.{kind}": part.drop(columns="payment").rename(columns={"id": "Id"})
        for value, part in frame.groupby("payment")
    }
    spec: dict[str, Any] = {
        "input": {"hive": True, "rename": {"PAYMENT": "payment", "Id": "id"}},
        "output": {"keep": ["id", "payment"]},
    }
    made = scored(bundle, tmp_path, files, **spec)
    payments = dict(zip(made["id"].astype(int), made["payment"], strict=True))
    assert payments == dict(zip(frame["id"], frame["payment"], strict=True))


def test_files_with_old_and_new_column_names_are_read_together(bundle, tmp_path):
    frame = trips(60)
    old, new = frame[:30].rename(columns={"id": "Id"}), frame[30:].rename(columns={"id": "ID", "distance": "dist"})
    rename = {"Id": "id", "ID": "id", "dist": "distance"}
    made = scored(bundle, tmp_path, {"1.csv": old, "2.csv": new}, input={"rename": rename}, output={"keep": ["id"]})
    assert made["id"].astype(int).tolist() == list(range(60))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_relaxed_matching_finds_columns_in_each_file_and_the_plan_lists_them(bundle, tmp_path, kind):
    frame = trips(60)
    files = {
        f"1.{kind}": frame[:20],
        f"2.{kind}": frame[20:40].rename(columns=str.upper),
        f"3.{kind}": frame[40:].rename(columns={"distance": " Dis_tance "}),
    }
    spec: dict[str, Any] = {"input": {"matchColumns": "Relaxed"}, "output": {"keep": ["*"]}}
    made = scored(bundle, tmp_path, files, **spec)
    assert list(made.columns[:5]) == list(frame.columns)
    assert made["id"].astype(int).tolist() == list(range(60))
    code, out, _ = run(
        "plan", "--model", bundle, "--input", tmp_path / "in", "--set", "spec.input.matchColumns=Relaxed", "--keep", "*"
    )
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("renamed")]
    assert '"DISTANCE" is "distance"' in line
    assert '" Dis_tance " is "distance"' in line
    assert '"NOTE" is "note"' in line


@pytest.mark.parametrize("match", ["Exact", "Relaxed"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rejected_rows_of_renamed_columns_are_retried(bundle, tmp_path, kind, match):
    frame = trips(40).astype({"passengers": str}).rename(columns={**OTHERS, "distance": "Dis_tance"})
    frame.loc[7, "n_passengers"] = "many"
    rename = {"n_passengers": "passengers", "Id": "id", "PAYMENT": "payment"} | (
        {"Dis_tance": "distance"} if match == "Exact" else {}
    )
    files = {f"a.{kind}": frame, f"b.{kind}": trips(10).astype({"passengers": str})}
    spec: dict[str, Any] = {
        "input": {"rename": rename, "matchColumns": match},
        "output": {"keep": ["id"]},
        "errors": {"maxFraction": None},
    }
    scored(bundle, tmp_path, files, **spec)
    output = Store(str(tmp_path / "out"))
    (line,) = [
        json.loads(line)
        for name, data in objects(output.uri).items()
        if name.startswith("_errors")
        for line in data.splitlines()
    ]
    assert (line["column"], line["reason"]) == ("passengers", '"many" is not a 64-bit integer')

    other = trips(400).assign(passengers=lambda frame: frame["passengers"].astype(str))
    with pytest.raises(FitError, match='"many" is not a 64-bit integer'):
        retry_rejected(output, lambda _: InProcess(), {"spec": {"model": {"uri": bundle}}})
    fixed = lenient_bundle(tmp_path / "fixed", other)
    manifest = retry_rejected(output, lambda _: InProcess(), {"spec": {"model": {"uri": fixed}}})
    assert (manifest.totals.scored, manifest.totals.rejected) == (1, 0)
    assert table(manifest.store.uri)["id"].astype(int).tolist() == [7]


def lenient_bundle(folder: Path, sample: pd.DataFrame) -> str:
    """Return a classifier that accepts any text as a number of passengers."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from scoremill.bundle import pack

    entrance = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["payment", "passengers"]), ("passthrough", ["distance"])
    )
    model = make_pipeline(entrance, LogisticRegression(max_iter=1000)).fit(sample, sample["distance"] > 3)
    pack(model, str(folder), sample=sample, method="predict_proba")
    return str(folder)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_dataset_has_the_new_names_and_gives_the_same_bytes(bundle, tmp_path, kind):
    frame = trips(200).astype({"passengers": str}).rename(columns={**OTHERS, "payment": "Payment"})
    frame.loc[[7, 150], "n_passengers"] = "many"
    write(frame.drop(columns="Payment"), tmp_path / "in" / "Payment=cash" / f"a.{kind}")
    rename = {"Trip Distance": "distance", "n_passengers": "passengers"}
    spec: dict[str, Any] = {
        "input": {"hive": True, "rename": rename, "matchColumns": "Relaxed", "partitionBytes": 1024},
        "output": {"keep": ["id", "payment"]},
        "errors": {"maxFraction": None},
    }
    streamed, held = (make_job(bundle, str(tmp_path / "in"), str(tmp_path / name), **spec) for name in ("a", "b"))
    score(streamed, cluster="in-process")
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster:
        words = (cluster.scheduler_address, Cluster(), Deadlines())
        with OnDask(*words) as engine:
            dataset = load("renamed", held.spec, [bundle], engine)
        score_dataset(dataset, held, OnDataset("renamed", *words))
    made = objects(str(tmp_path / "b"))
    assert made == objects(str(tmp_path / "a"))
    assert sum(data.count(b"\n") for name, data in made.items() if name.startswith("_errors")) == 2


def test_output_is_not_resumed_with_other_names(bundle, tmp_path):
    frame = trips(20).rename(columns={"id": "Id"})
    scored(bundle, tmp_path, {"a.csv": frame}, input={"rename": {"Id": "id"}})
    for other in ({"rename": {"Id": "ID"}}, {"rename": {"Id": "id"}, "matchColumns": "Relaxed"}):
        with pytest.raises(UsageError, match="settings"):
            scored(bundle, tmp_path, {"a.csv": frame}, input=other)


def flags_of(text: str) -> list[str]:
    """Return the values of the first --rename in a hint."""
    return shlex.split(text[text.index("--rename") :].partition(". Its columns")[0])[1:2]


def test_hint_for_missing_columns_names_rename_flags_that_work(bundle, tmp_path):
    frame = trips(20).rename(columns={"distance": "Distance", "passengers": "pas_sengers", "payment": "Payments,"})
    write(frame, tmp_path / "a.csv")
    words = ["plan", "--model", bundle, "--input", tmp_path / "a.csv"]
    code, _, err = run(*words)
    assert code == 3
    assert 'the model reads columns that the file does not have: "distance", "payment", "passengers"' in err
    (first,) = flags_of(err)
    assert Pairs("", "", "only")([first]) == {
        "Distance": "distance",
        "pas_sengers": "passengers",
        "Payments,": "payment",
    }
    code, _, err = run(*words, "--rename", first)
    assert code == 0, err


def test_hint_for_similar_names_recommends_relaxed_matching_that_works(bundle, tmp_path):
    write(trips(20).rename(columns=str.title), tmp_path / "a.csv")
    words = ["plan", "--model", bundle, "--input", tmp_path / "a.csv"]
    code, _, err = run(*words)
    assert (code, "give --set spec.input.matchColumns=Relaxed, or --rename" in err) == (3, True)
    assert (
        run(*words, "--set", "spec.input.matchColumns=Relaxed")[0] == run(*words, "--rename", flags_of(err)[0])[0] == 0
    )
