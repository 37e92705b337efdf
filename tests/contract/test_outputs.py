"""Rows chosen, parts split, and what is done with an output afterwards."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow.dataset import dataset
from sklearn.dummy import DummyClassifier

from scoremill import pack, score, verify
from scoremill.errors import FitError, UsageError, VerificationError
from scoremill.execute.clean import left_overs, remove
from scoremill.execute.compact import compact
from scoremill.execute.engine import InProcess
from scoremill.execute.retry import retry_errors
from scoremill.ledger import Receipt, read_manifest
from scoremill.plan import Settings
from scoremill.spec import Column, Csv
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, run, table, trip_bundle, trips

ROWS = 3000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trips")
    for number in range(2):
        trips(ROWS, seed=number).to_csv(folder / f"{number}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def rows(files: Path) -> pd.DataFrame:
    return pd.concat([pd.read_csv(path) for path in sorted(files.iterdir())], ignore_index=True)


def scored(bundle: str, files: Path, output: Path, /, **spec):
    spec.setdefault("input", {}).setdefault("partitionBytes", "16KiB")
    return score(make_job(bundle, f"{files}/*.csv", str(output), **spec), cluster="in-process")


@pytest.mark.parametrize(
    ("where", "query"),
    [
        ("distance > 3", "distance > 3"),
        ("1 < distance <= 3.5 and passengers in (1, 2)", "1 < distance <= 3.5 and passengers in (1, 2)"),
        ("not (payment == 'cash') or note == 'late'", "not (payment == 'cash') or note == 'late'"),
        ("isnull(note)", "note.isnull()"),
        ("notnull(note) and note != 'x'", "note.notnull() and note != 'x'"),
        ("passengers * 2 - 1 >= distance", "passengers * 2 - 1 >= distance"),
        ("payment not in ('cash', 'credit') and `id` < 100", "payment not in ('cash', 'credit') and id < 100"),
    ],
)
def test_a_condition_chooses_what_pandas_chooses(bundle, files, rows, tmp_path, where, query):
    manifest = scored(bundle, files, tmp_path, input={"where": where}, output={"keep": ["id", "distance"]})
    wanted = rows.query(query, engine="python")
    made = table(str(tmp_path))
    assert made["id"].tolist() == wanted["id"].tolist()
    assert made["distance"].tolist() == wanted["distance"].tolist()
    assert (manifest.totals.rows, manifest.totals.left_out) == (len(wanted), len(rows) - len(wanted))
    verify(str(tmp_path))


@pytest.mark.parametrize(
    "where", ["distance >", "__import__('os')", "distance.real > 1", "1 == 1", "len(note) > 1", "x := 3"]
)
def test_what_is_no_condition_is_refused(bundle, files, where):
    with pytest.raises(UsageError, match=r"spec\.input\.where"):
        make_job(bundle, str(files), "out", input={"where": where})


def test_a_condition_on_a_column_that_there_is_not_names_it(bundle, files, tmp_path):
    with pytest.raises(FitError, match="'far'"):
        scored(bundle, files, tmp_path, input={"where": "far > 3"})
    assert not list(tmp_path.iterdir())


def test_a_condition_that_compares_text_with_a_number_says_so(bundle, files, tmp_path):
    with pytest.raises(UsageError, match="payment is string"):
        scored(bundle, files, tmp_path, input={"where": "payment > 3"})


def test_keep_all_but_some(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"keep": ["*"], "drop": ["note"]})
    made = table(str(tmp_path))
    pd.testing.assert_frame_equal(made[["id", "distance", "passengers"]], rows[["id", "distance", "passengers"]])
    assert made.columns.tolist() == ["id", "distance", "payment", "passengers", "proba_0", "proba_1"]


@pytest.mark.parametrize("most", [1, 100, 10_000])
def test_parts_are_split_by_rows_in_order(bundle, files, rows, tmp_path, most):
    spec = {"input": {"partitionBytes": "64KiB", "where": "id < 500"}, "output": {"keep": ["id"], "rowsPerFile": most}}
    scored(bundle, files, tmp_path, **spec)
    assert table(str(tmp_path))["id"].tolist() == [*range(500), *range(500)]
    assert all(len(pd.read_parquet(path)) <= most for path in tmp_path.glob("part-*"))
    verify(str(tmp_path))


def test_a_compressed_file_is_streamed_into_several_parts(bundle, tmp_path):
    (tmp_path / "in").mkdir()
    with gzip.open(tmp_path / "in" / "a.csv.gz", "wt") as file:
        trips(ROWS).to_csv(file, index=False)
    job = make_job(bundle, f"{tmp_path}/in/*", str(tmp_path / "out"), output={"keep": ["id"], "rowsPerFile": 1000})
    assert score(job, cluster="in-process").totals.objects == 3
    assert table(str(tmp_path / "out"))["id"].tolist() == list(range(ROWS))


def test_columns_become_folders_that_readers_understand(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"keep": ["id", "payment", "note"], "partitionBy": ["payment", "note"]})
    made = dataset(tmp_path, partitioning="hive").to_table().to_pandas()
    wanted = rows.sort_values("id", kind="stable")
    assert sorted(zip(made["id"], made["payment"].astype(str), strict=True)) == sorted(
        zip(wanted["id"], wanted["payment"], strict=True)
    )
    folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("part-*")}
    assert "payment=no charge/note=a%2C b" in folders
    assert "payment=cash/note=__HIVE_DEFAULT_PARTITION__" in folders
    assert verify(str(tmp_path)).totals.rows == len(rows)


def test_a_folder_must_be_a_column_of_the_output(bundle, files, tmp_path):
    with pytest.raises(UsageError, match="'payment'"):
        scored(bundle, files, tmp_path, output={"partitionBy": ["payment"]})


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("more", [{}, {"partitionBy": ["payment"]}])
def test_compacting_keeps_every_row_and_the_output(bundle, files, tmp_path, format, more):
    scored(bundle, files, tmp_path / "a", output={"format": format, "keep": ["id", "payment", "note"], **more})
    before = objects(str(tmp_path / "a"))
    compacted = compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 2500)
    assert objects(str(tmp_path / "a")) == before
    assert compacted.totals.objects < len(before)
    assert verify(str(tmp_path / "b")).totals.scored == 2 * ROWS
    if format == "parquet" and not more:
        pd.testing.assert_frame_equal(table(str(tmp_path / "a")), table(str(tmp_path / "b")))


def test_compacting_an_output_without_rows_leaves_one_part(bundle, tmp_path):
    (tmp_path / "in.csv").write_text(trips(0).to_csv(index=False))
    score(
        make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "a"), output={"format": "csv"}), cluster="in-process"
    )
    compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 10)
    assert verify(str(tmp_path / "b")).totals.rows == 0


def test_an_altered_output_is_not_compacted(bundle, files, tmp_path):
    scored(bundle, files, tmp_path / "a")
    part = next((tmp_path / "a").glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(VerificationError, match="altered"):
        compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 10)
    assert not list(Store(str(tmp_path / "b")).list())


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that takes anything for text, and so has no row to reject."""
    sample = trips(200).astype({"distance": "str", "passengers": "str"})
    model = DummyClassifier(strategy="prior").fit(sample[["distance", "payment", "passengers"]], np.arange(200) % 2)
    folder = tmp_path_factory.mktemp("lenient") / "bundle"
    pack(model, str(folder), sample=sample, method="predict_proba")
    return str(folder)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_rejected_rows_are_retried_with_another_model(bundle, lenient, tmp_path, delimiter):
    frame = trips(100).astype({"distance": "object"})
    frame.loc[[3, 50], "distance"] = ["far away", 'say "far"']
    (tmp_path / "in.csv").write_text(frame.to_csv(index=False, sep=delimiter))
    spec = {
        "input": {"csv": {"delimiter": delimiter}},
        "output": {"keep": ["id", "note"]},
        "errors": {"maxFraction": 0.5},
    }
    score(make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"), **spec), cluster="in-process")
    before = objects(str(tmp_path / "out"))
    changes = {"spec": {"model": {"uri": lenient}}}
    manifest = retry_errors(Store(str(tmp_path / "out")), lambda _: InProcess(), changes)
    assert (manifest.totals.scored, manifest.totals.rejected) == (2, 0)
    assert table(manifest.store.uri)["id"].tolist() == [3, 50]
    assert objects(str(tmp_path / "out")).items() >= before.items()
    verify(str(tmp_path / "out"))
    verify(manifest.store.uri)


def test_rejected_rows_of_parquet_are_retried(bundle, lenient, tmp_path):
    frame = trips(100).astype({"distance": "str"})
    frame.loc[7, "distance"] = "far away"
    frame.to_parquet(tmp_path / "in.parquet")
    spec = {"output": {"keep": ["id"]}, "errors": {"maxFraction": 0.5}}
    score(make_job(bundle, str(tmp_path / "in.parquet"), str(tmp_path / "out"), **spec), cluster="in-process")
    manifest = retry_errors(Store(str(tmp_path / "out")), lambda _: InProcess(), {"spec": {"model": {"uri": lenient}}})
    assert table(manifest.store.uri)["id"].tolist() == [7]


def test_without_a_rejected_row_there_is_nothing_to_retry(bundle, files, tmp_path):
    scored(bundle, files, tmp_path)
    with pytest.raises(UsageError, match="was rejected"):
        retry_errors(Store(str(tmp_path)), lambda _: InProcess(), {})


def test_left_overs_are_listed_and_then_removed(bundle, files, tmp_path):
    scored(bundle, files, tmp_path)
    whole = objects(str(tmp_path))
    number, identity = 0, "0" * 16
    (tmp_path / f"part-{number:05d}-{identity}.parquet").write_bytes(b"old")
    store = Store(str(tmp_path))
    upload = store.publish("part-00001-x.parquet")
    upload.__enter__().write(b"unfinished")
    found = list(left_overs(store))
    assert sorted(each.kind for each in found) == ["superseded part", "upload"]
    code, out, _ = run("clean", tmp_path, "--json")
    assert code == 0
    assert len(json.loads(out)["found"]) == 2
    remove(store, found)
    assert list(left_overs(store)) == []
    assert objects(str(tmp_path)) == whole
    verify(str(tmp_path))


OLD_SETTINGS = {
    "partFormat": 1, "bundle": "sha256:" + "0" * 64, "method": "predict", "batch_rows": 131072, "partition_bytes": 1024,
    "csv": Csv().model_dump(mode="json", by_alias=True), "hive": False, "id_by": "version", "format": "parquet",
    "keep": [{"name": "a", "dtype": "int64", "categories": None, "ordered": False}], "row_id": False,
    "columns": [["1", "yhat"]], "threshold": None, "dtype": None, "raw": "Keep",
}  # fmt: skip
"""As the first version of the ledger wrote them, with the hash that it put into ids."""
OLD_HASH = "4130001eb4fcb50a4c204d8b994c5677af05e059caa2e7a1d4bc00e4d0caa494"


def test_settings_of_an_older_ledger_give_the_same_ids():
    settings = Settings.from_json(json.loads(json.dumps(OLD_SETTINGS)))
    assert settings.hash == OLD_HASH
    assert settings.keep == (Column("a", "int64"),)


def test_receipts_of_an_older_ledger_are_read():
    old = {"number": 1, "id": "0" * 16, "rows": 2, "scored": 2, "rejected": 0,
           "parts": [{"name": "part", "rows": 2, "size": 1, "sha256": "0"}], "errors": [], "lines": [2], "quotes": 0,
           "irregular": [], "unseen": {}, "reasons": {}, "seconds": {}, "peak_memory": 1, "worker": "w", "ended": 0.0}  # fmt: skip
    assert Receipt.from_json(old).left_out == 0


def test_an_output_whose_ledger_lacks_later_fields_is_continued(bundle, files, tmp_path):
    """The folder as an earlier version left it in mid-run: without the fields that came later."""
    scored(bundle, files, tmp_path)
    whole = objects(str(tmp_path))
    store = Store(str(tmp_path))
    job = json.loads(store.read("_scoremill/job.json"))
    for name in ("where", "where_columns", "partition_by", "rows_per_file"):
        del job["settings"][name]
    del job["job"]
    store.write("_scoremill/job.json", json.dumps(job).encode())
    for info in store.list("_scoremill/receipts/"):
        lines = [json.loads(line) for line in store.read(info.name).splitlines()]
        old = [{k: v for k, v in line.items() if k != "left_out"} for line in lines[:-2]]
        store.write(info.name, "".join(json.dumps(line) + "\n" for line in old).encode())
    store.delete(["_SUCCESS", "_scoremill/manifest.json"])
    manifest = scored(bundle, files, tmp_path)
    assert objects(str(tmp_path)) == whole
    assert manifest.totals.rows == 2 * ROWS
    assert read_manifest(store) is not None


def test_a_csv_output_reads_back_with_its_quotes(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"format": "csv", "keep": ["id", "note"]})
    made = pd.concat([pd.read_csv(io.BytesIO(data)) for _, data in sorted(objects(str(tmp_path)).items())])
    assert made["note"].fillna("").tolist() == rows["note"].fillna("").tolist()
