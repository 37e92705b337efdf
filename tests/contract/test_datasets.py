"""Inputs in the memory of a cluster give the same bytes as streaming for any input and model, also if workers die."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from scoremill import score, verify
from scoremill.bundle import pack
from scoremill.engines.dask.engine import OnDask
from scoremill.errors import FitError, InputChanged, UsageError
from scoremill.execute.datasets.dataset import Dataset, OnDataset, datasets, drop, find, partitions_of, score_dataset
from scoremill.execute.datasets.frame import size_of
from scoremill.execute.datasets.load import load
from scoremill.spec import Cluster, Deadlines, ScoringJob
from tests.support.jobs import make_job, objects, run, trip_bundle, trips
from tests.support.touchy import touchy_bundle

LOCAL: dict[str, Any] = {
    "threads_per_worker": 1,
    "processes": True,
    "dashboard_address": "127.0.0.1:0",
    "host": "127.0.0.1",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with LocalCluster(n_workers=2, memory_limit="1GiB", **LOCAL) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier with the inputs `distance`, `passengers` and `payment`."""
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def touchy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A regressor with the input `x` that raises if a value is above 1e6."""
    return touchy_bundle(tmp_path_factory.mktemp("touchy"))


def connection(address: str) -> tuple[str, Cluster, Deadlines]:
    return address, Cluster(), Deadlines()


def loaded(address: str, name: str, job: ScoringJob, *bundles: str) -> Dataset:
    """Load the input of the job, with the columns that the job keeps and `bundles` read."""
    with OnDask(*connection(address)) as engine:
        return load(name, job.spec, bundles, engine)


def score_held(address: str, dataset: Dataset, job: ScoringJob) -> Any:
    return score_dataset(dataset, job, OnDataset(dataset.name, *connection(address)))


def assert_same_bytes(address: str, model: str, inputs: str, folder: Path, /, **spec: Any) -> dict[str, bytes]:
    """Score by streaming and from memory, and return the objects, which must be equal."""
    streamed, held = (make_job(model, inputs, str(folder / name), **spec) for name in ("streamed", "held"))
    score(streamed, cluster="in-process")
    name = secrets.token_hex(4)
    manifest = score_held(address, loaded(address, name, held, model), held)
    with OnDask(*connection(address)) as engine:
        drop(engine, name)
    assert objects(held.spec.output.uri) == objects(streamed.spec.output.uri)
    assert verify(held.spec.output.uri).totals == manifest.totals
    return objects(held.spec.output.uri)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        threading.Event().wait(0.01)


# --- the same bytes --------------------------------------------------------------------------------------------------

BAD = b'40,1.5\n41,abc,3\n42,2e6,3\n43,"3,5",1\n\xff44,1.5,3\n45,1\x00.5,3\n'


def numbers(first: int, count: int) -> bytes:
    return b"".join(b"%d,%d.5,%d\n" % (i, i % 1000, i % 7) for i in range(first, first + count))


def test_rejected_rows_are_the_same_from_memory(cluster, touchy, tmp_path):
    data = b"id,x,y\n" + b"".join(numbers(i * 200, 200) + BAD for i in range(5)) + b'9,"1.5\n",2\n' * 40
    (tmp_path / "in.csv").write_bytes(data)
    made = assert_same_bytes(
        cluster,
        touchy,
        str(tmp_path / "in.csv"),
        tmp_path,
        input={"partitionBytes": "1KiB"},
        output={"keep": ["id"], "rowId": True},
        errors={"maxFraction": None},
        model={"batchRows": 64},
    )
    rejects = b"".join(made[name] for name in sorted(made) if name.startswith("_errors"))
    assert rejects.count(b"\n") == 6 * 5
    assert b"x is too large" in rejects
    assert json.loads(rejects.splitlines()[2])["raw"] == "42,2e6,3"


def test_text_with_newlines_and_stray_quotes_is_loaded_in_verified_partitions(cluster, bundle, tmp_path):
    for number in range(2):
        frame = trips(1500, seed=number)
        frame["note"] = frame["note"].str.replace("late", 'a\n"b",\nc' * 5)
        frame.to_csv(tmp_path / f"{number}.csv", index=False)
    with (tmp_path / "1.csv").open("a") as file:
        file.write('9,1.5,cash,5" disk,2\n')
        frame.to_csv(file, index=False, header=False)
    shape = {"input": {"partitionBytes": "4KiB"}, "output": {"keep": ["id", "note"], "rowId": True, "format": "csv"}}
    streamed, held = (make_job(bundle, f"{tmp_path}/*.csv", str(tmp_path / name), **shape) for name in ("a", "b"))
    score(streamed, cluster="in-process")
    dataset = loaded(cluster, "quotes", held, bundle)
    assert dataset.rows == 4501
    assert any(piece.inside_quotes for pieces in dataset.pieces for piece in pieces)
    assert dataset.pieces[-1][0].whole
    # The input is not read again, not even for partitions that start in the wrong place.
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    score_held(cluster, dataset, held)
    assert objects(str(tmp_path / "a")) == objects(str(tmp_path / "b"))


def test_small_empty_and_compressed_files_with_path_columns_give_the_same_bytes(cluster, bundle, tmp_path):
    for number in range(6):
        (tmp_path / "in" / f"passengers={number}").mkdir(parents=True)
        trips(40, seed=number).drop(columns="passengers").to_csv(
            tmp_path / "in" / f"passengers={number}" / "a.csv", index=False
        )
    (tmp_path / "in" / "passengers=2" / "b.csv").write_bytes(b"")
    text = trips(500, seed=9).drop(columns="passengers").to_csv(index=False) + "1,abc,cash,x\n"
    (tmp_path / "in" / "passengers=3" / "c.csv.gz").write_bytes(gzip.compress(text.encode()))
    made = assert_same_bytes(
        cluster,
        bundle,
        f"{tmp_path}/in/**/*.csv*",
        tmp_path,
        input={"hive": True},
        output={"keep": ["passengers", "id"], "rowId": True},
        errors={"maxFraction": None},
    )
    assert any(rb"\"abc\" is not a number" in data for data in made.values())


def test_parquet_types_give_the_same_bytes(cluster, touchy, tmp_path):
    frame = pd.DataFrame(
        {
            "x": [1.5, None, 3e6, 4.0] * 50,
            "y": range(200),
            "day": pd.Timestamp("2009-01-31"),
            "who": pd.Categorical(["a", "b", None, "c"] * 50),
            "note": ["ä", None, "", "x"] * 50,
        }
    )
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=30, index=False)
    made = assert_same_bytes(
        cluster,
        touchy,
        str(tmp_path / "a.parquet"),
        tmp_path,
        output={"keep": ["day", "who", "note"], "rowId": True, "format": "jsonl"},
        errors={"maxFraction": None},
    )
    assert any(b"x is too large" in data for data in made.values())


def test_small_parquet_files_with_several_row_groups_give_the_same_bytes(cluster, touchy, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        frame = pd.DataFrame(
            {
                "x": [1.5, None, 3e6 if number == 3 else 2.0, 4.0] * 10,
                "y": range(40),
                "who": pd.Categorical([f"a{number}", "b", None, "c"] * 10),
            }
        )
        frame.to_parquet(tmp_path / "in" / f"{number}.parquet", row_group_size=15, index=False)
    made = assert_same_bytes(
        cluster,
        touchy,
        str(tmp_path / "in"),
        tmp_path,
        output={"keep": ["who"], "rowId": True, "format": "jsonl"},
        errors={"maxFraction": None},
    )
    assert len(made) == 2 and any(b"x is too large" in data for data in made.values())


def test_null_values_that_are_text_in_training_stay_text(cluster, tmp_path):
    frame = pd.DataFrame({"c": ["NA", "DE", ""] * 40, "n": range(120)})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame[["c"]], frame["n"])
    bundle = pack(model, str(tmp_path / "bundle"), sample=frame[["c"]]).uri
    frame.to_csv(tmp_path / "in.csv", index=False)
    shape = {"output": {"keep": ["c"]}, "model": {"batchRows": 32}}
    assert_same_bytes(cluster, bundle, str(tmp_path / "in.csv"), tmp_path, **shape)
    rows = pd.read_parquet(sorted((tmp_path / "held").glob("part-*")))
    assert rows["prediction"].tolist() == model.predict(frame[["c"]]).tolist()
    chosen = {"input": {"where": "c == 'NA'"}, **shape}
    made = assert_same_bytes(cluster, bundle, str(tmp_path / "in.csv"), tmp_path / "chosen", **chosen)
    assert sum(pq.read_metadata(io.BytesIO(data)).num_rows for name, data in made.items() if "part-" in name) == 40


CONDITION = "passengers > 2 and payment != 'cash' or isnull(note)"


def test_condition_selects_the_same_rows_when_loading_and_when_scoring(cluster, bundle, tmp_path):
    trips(3000).assign(passengers=lambda rows: rows["passengers"].where(rows["id"] % 500 != 0, "many")).to_csv(
        tmp_path / "in.csv", index=False
    )
    shape = {"output": {"keep": ["id"]}, "errors": {"maxFraction": None}}
    cut = {"partitionBytes": "16KiB", "csv": {"dtypes": {"note": "string"}}}
    chosen = assert_same_bytes(
        cluster, bundle, f"{tmp_path}/in.csv", tmp_path, input={**cut, "where": CONDITION}, **shape
    )
    whole = make_job(
        bundle, f"{tmp_path}/in.csv", str(tmp_path / "unwritten"), input=cut, output={"keep": ["id", "note"]}
    )
    dataset = loaded(cluster, "all rows", whole, bundle)
    for name, where in (("here", CONDITION), ("rare", "distance > 12")):
        uri = str(tmp_path / name)
        job = make_job(bundle, f"{tmp_path}/in.csv", uri, input={**cut, "where": where}, **shape)
        totals = score_held(cluster, dataset, job).totals
        assert totals.left_out + totals.rows == 3000
    assert objects(str(tmp_path / "here")) == chosen
    again = make_job(
        bundle,
        f"{tmp_path}/in.csv",
        str(tmp_path / "streamed rare"),
        input=job.spec.input.model_dump(by_alias=True),
        **shape,
    )
    score(again, cluster="in-process")
    assert objects(str(tmp_path / "rare")) == objects(str(tmp_path / "streamed rare"))


# --- read once, scored several times ----------------------------------------------------------------------------------


def test_three_models_score_one_loaded_dataset_after_its_input_is_removed(cluster, bundle, tmp_path):
    frame = trips(40_000)
    frame.to_csv(tmp_path / "in.csv", index=False)
    models = [bundle]
    for columns in (["distance"], ["passengers", "id"]):
        models.append(str(tmp_path / f"model of {len(columns)}"))
        pack(LinearRegression().fit(frame[columns], frame["distance"]), models[-1], sample=frame[:500])
    cut = ["--set", "spec.input.partitionBytes=64KiB"]
    for number, model in enumerate(models):
        assert (
            run(
                "score",
                "--model",
                model,
                "--input",
                tmp_path / "in.csv",
                "--output",
                tmp_path / f"streamed {number}",
                "--cluster",
                "in-process",
                *cut,
            )[0]
            == 0
        )
    code, out, err = run(
        "dataset",
        "load",
        tmp_path / "in.csv",
        "--name",
        "trips",
        "--cluster",
        cluster,
        *cut,
        *(word for model in models for word in ("--for", model)),
        "--json",
    )
    assert code == 0, err
    printed = json.loads(out)
    assert (printed["rows"], sorted(printed["columns"])) == (40_000, ["distance", "id", "passengers", "payment"])
    assert sum(printed["workers"].values()) == printed["bytes"] > 40_000 * 20
    (tmp_path / "in.csv").unlink()
    for number, model in enumerate(models):
        code, _, err = run(
            "score",
            "--dataset",
            "trips",
            "--cluster",
            cluster,
            "--model",
            model,
            "--output",
            tmp_path / f"held {number}",
        )
        assert code == 0, err
        assert objects(str(tmp_path / f"held {number}")) == objects(str(tmp_path / f"streamed {number}"))
    with Client(cluster) as client:
        published = client.get_dataset("trips")["frame"]
        assert published["distance"].astype("float64").sum().compute() == pytest.approx(frame["distance"].sum())


def test_dataset_drop_frees_memory_and_updates_the_list(cluster, bundle, tmp_path):
    trips(1000).to_csv(tmp_path / "in.csv", index=False)
    for name in ("one", "two"):
        code, out, err = run(
            "dataset", "load", tmp_path / "in.csv", "--name", name, "--cluster", cluster, "--for", bundle
        )
        assert code == 0, err
        assert "1,000 rows" in out
        assert "tcp://127.0.0.1" in out
    assert run("dataset", "drop", "one", "--cluster", cluster)[0] == 0
    listed = json.loads(run("dataset", "list", "--cluster", cluster, "--json")[1])["datasets"]
    assert "one" not in [each["name"] for each in listed]
    two = next(each for each in listed if each["name"] == "two")
    assert two["rows"] == 1000
    assert two["bytes"] > 20_000
    assert two["uris"] == [str(tmp_path / "in.csv")]
    with Client(cluster) as client:
        held = partitions_of(client.get_dataset("two")["frame"])
        assert sum(len(future.result()) for future in held) == 1000
        keys = [future.key for future in held]
        del held
        assert run("dataset", "drop", "two", "--cluster", cluster)[0] == 0
        wait_for(lambda: not any(client.who_has(keys).values()))


# --- failures ---------------------------------------------------------------------------------------------------------


def kill_a_holder(address: str, name: str) -> None:
    """Kill a worker that has a part of the dataset in memory."""
    with Client(address) as client:
        holders = client.who_has(partitions_of(client.get_dataset(name)["frame"])).values()
        worker = next(worker for workers in holders for worker in workers)
        os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)
        wait_for(lambda: worker not in client.scheduler_info(n_workers=-1)["workers"])


def test_data_of_a_lost_worker_is_read_again_as_planned(bundle, tmp_path):
    trips(20_000).to_csv(tmp_path / "in.csv", index=False)
    fields = {"input": {"partitionBytes": "64KiB"}, "output": {"keep": ["id"]}}
    jobs = [make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / name), **fields) for name in "abc"]
    score(jobs[0], cluster="in-process")
    with LocalCluster(n_workers=2, memory_limit="1GiB", silence_logs="ERROR", **LOCAL) as cluster:
        address = cluster.scheduler_address
        dataset = loaded(address, "trips", jobs[1], bundle)
        kill_a_holder(address, "trips")
        score_held(address, dataset, jobs[1])
        assert objects(jobs[0].spec.output.uri) == objects(jobs[1].spec.output.uri)
        with (tmp_path / "in.csv").open("a") as file:
            file.write("1,1.5,cash,,2\n")
        kill_a_holder(address, "trips")
        with pytest.raises(InputChanged, match=r"in\.csv"):
            score_held(address, dataset, jobs[2])


def test_dataset_larger_than_the_memory_is_refused_before_loading(bundle, tmp_path):
    trips(1000).to_csv(tmp_path / "in.csv", index=False)
    # Less than an idle worker needs.
    with LocalCluster(n_workers=1, memory_limit="100MiB", silence_logs="ERROR", **LOCAL) as cluster:
        address = cluster.scheduler_address
        code, _, err = run(
            "dataset", "load", tmp_path / "in.csv", "--name", "trips", "--cluster", address, "--for", bundle
        )
        assert code == 6
        assert "in memory, and the workers have room for" in err
        assert "--columns" in err
        with Client(address) as client:
            assert client.list_datasets() == ()
            assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0


def test_reported_bytes_equal_the_loaded_bytes(cluster, bundle, tmp_path):
    trips(60_000).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), "unwritten", input={"partitionBytes": "256KiB"})
    dataset = loaded(cluster, "measured", job, bundle)
    with Client(cluster) as client:
        frames = [future.result() for future in partitions_of(client.get_dataset("measured")["frame"])]
        assert sum(size_of(frame) for frame in frames) == dataset.bytes
        assert dataset.bytes == pytest.approx(60_000 * (16 + 8 + 4 + 4 + 1 + 4 + 6), rel=0.2)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(cluster: str, bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Trips filtered by `passengers`, a column that models can read as different types."""
    folder = tmp_path_factory.mktemp("known")
    trips(300).to_csv(folder / "in.csv", index=False)
    job = make_job(bundle, str(folder / "in.csv"), "unwritten", input={"where": "passengers > 2"})
    return loaded(cluster, "known", job, bundle)


def test_column_that_was_not_loaded_is_named(cluster, bundle, known, tmp_path):
    job = make_job(
        bundle, known.input.uris[0], str(tmp_path), input={"where": "passengers > 2"}, output={"keep": ["note"]}
    )
    with pytest.raises(FitError, match=r"does not have the columns note; it has (\w+, )+\w+\n") as raised:
        score_held(cluster, known, job)
    assert "--columns note" in str(raised.value.hint)


def test_filter_column_of_another_type_is_named(cluster, known, tmp_path):
    frame = trips(300).astype({"passengers": "float64"})
    pack(LinearRegression().fit(frame[["passengers"]], frame["distance"]), str(tmp_path / "other"), sample=frame)
    job = make_job(
        str(tmp_path / "other"), known.input.uris[0], str(tmp_path / "out"), input={"where": "passengers > 2"}
    )
    with pytest.raises(
        FitError, match=r"selected by passengers as int64, but this model compares passengers as float64"
    ):
        score_held(cluster, known, job)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"where": "passengers > 3"}, "where"),
        ({"partitionBytes": "8KiB"}, "partition"),
        ({"csv": {"delimiter": ";"}}, "csv"),
    ],
)
def test_input_with_other_settings_than_the_dataset_is_refused(cluster, bundle, known, tmp_path, other, named):
    job = make_job(bundle, known.input.uris[0], str(tmp_path), input={"where": "passengers > 2", **other})
    with pytest.raises(UsageError, match=f"was loaded with other settings: {named}"):
        score_held(cluster, known, job)


def test_name_of_an_existing_dataset_is_refused(cluster, bundle, known):
    job = make_job(bundle, known.input.uris[0], "unwritten")
    with pytest.raises(UsageError, match='already has a dataset "known"'):
        loaded(cluster, "known", job, bundle)


def test_dataset_load_without_columns_or_bundles_is_refused(cluster, known):
    code, _, err = run("dataset", "load", known.input.uris[0], "--name", "x", "--cluster", cluster)
    assert code == 2
    assert "Give a bundle with --for" in err


@pytest.mark.parametrize(
    "words", [["score", "--dataset", "trops", "--model", "b", "--output", "o"], ["dataset", "drop", "trops"]]
)
def test_missing_dataset_is_reported_with_the_existing_ones(cluster, known, words):
    code, _, err = run(*words, "--cluster", cluster)
    assert code == 2
    assert 'no dataset "trops"' in err
    assert "known" in err


@pytest.mark.parametrize("where", ["local", "in-process"])
def test_cluster_that_ends_with_the_command_is_refused(where, bundle, tmp_path):
    code, _, err = run("dataset", "load", tmp_path / "in.csv", "--name", "trips", "--cluster", where, "--for", bundle)
    assert code == 2
    assert "ends with the command" in err
    assert "scoremill cluster up" in err


def test_published_dataset_has_no_secrets(cluster, known, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    with OnDask(*connection(cluster)) as engine:
        assert b"very-secret-key" not in pickle.dumps(find(engine, "known"))
        assert "known" in [dataset.name for dataset in datasets(engine)]
