"""Filtering of rows, splitting of parts, and operations on an output."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.dataset import dataset
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from scoremill import pack, score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import FitError, TrustError, UsageError, VerificationError
from scoremill.outputs import compact as compacting
from scoremill.outputs import windows
from scoremill.outputs.clean import left_overs, remove
from scoremill.outputs.compact import compact, regrouped
from scoremill.outputs.retry import retry_job, retry_rejected
from scoremill.spec.cluster import Credentials
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, run, stored, table, trip_bundle, trips

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
def test_condition_selects_the_rows_that_pandas_selects(bundle, files, rows, tmp_path, where, query):
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
def test_invalid_condition_is_refused(bundle, files, where):
    with pytest.raises(UsageError, match=r"spec\.input\.where"):
        make_job(bundle, str(files), "out", input={"where": where})


def test_condition_on_a_missing_column_names_it(bundle, files, tmp_path):
    with pytest.raises(FitError, match='"far"'):
        scored(bundle, files, tmp_path, input={"where": "far > 3"})
    assert not list(tmp_path.iterdir())


def test_condition_that_compares_text_with_a_number_is_refused(bundle, files, tmp_path):
    with pytest.raises(UsageError, match="payment is string"):
        scored(bundle, files, tmp_path, input={"where": "payment > 3"})


def test_keep_all_columns_except_dropped_ones(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"keep": ["*"], "drop": ["note"]})
    made = table(str(tmp_path))
    pd.testing.assert_frame_equal(made[["id", "distance", "passengers"]], rows[["id", "distance", "passengers"]])
    assert made.columns.tolist() == ["id", "distance", "payment", "passengers", "proba_0", "proba_1"]


@pytest.mark.parametrize(("most", "last"), [(1, 20), (100, 500), (10_000, 500)])
def test_parts_are_split_by_rows_in_order(bundle, files, rows, tmp_path, most, last):
    chosen = {"partitionBytes": "64KiB", "where": f"id < {last}"}
    scored(bundle, files, tmp_path, input=chosen, output={"keep": ["id"], "rowsPerFile": most})
    assert table(str(tmp_path))["id"].tolist() == [*range(last), *range(last)]
    assert all(len(pd.read_parquet(path)) <= most for path in tmp_path.glob("part-*"))
    verify(str(tmp_path))


def test_compressed_file_is_streamed_into_several_parts(bundle, tmp_path):
    (tmp_path / "in").mkdir()
    with gzip.open(tmp_path / "in" / "a.csv.gz", "wt") as file:
        trips(ROWS).to_csv(file, index=False)
    job = make_job(bundle, f"{tmp_path}/in/*", str(tmp_path / "out"), output={"keep": ["id"], "rowsPerFile": 1000})
    assert score(job, cluster="in-process").totals.objects == 3
    assert table(str(tmp_path / "out"))["id"].tolist() == list(range(ROWS))


def test_partition_folders_that_readers_skip_are_refused(bundle, tmp_path):
    trips(10).assign(_day=1).to_csv(tmp_path / "a.csv", index=False)
    output = {"keep": ["_day"], "partitionBy": ["_day"]}
    with pytest.raises(UsageError, match="readers skip folders"):
        score(make_job(bundle, str(tmp_path / "a.csv"), str(tmp_path / "out"), output=output), cluster="in-process")
    assert not (tmp_path / "out").exists()


def test_partition_columns_become_folders_that_readers_understand(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"keep": ["id", "payment", "note"], "partitionBy": ["payment", "note"]})
    made = dataset(tmp_path, partitioning="hive").to_table().to_pandas()
    wanted = rows.sort_values("id", kind="stable")
    assert sorted(zip(made["id"], made["payment"].astype(str), strict=True)) == sorted(
        zip(wanted["id"].astype(str), wanted["payment"], strict=True)
    )
    folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("part-*")}
    assert "payment=no charge/note=a%2C b" in folders
    assert "payment=cash/note=__HIVE_DEFAULT_PARTITION__" in folders
    assert verify(str(tmp_path)).totals.rows == len(rows)


def test_partition_column_must_be_in_the_output(bundle, files, tmp_path):
    with pytest.raises(UsageError, match='"payment"'):
        scored(bundle, files, tmp_path, output={"partitionBy": ["payment"]})


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("more", [{}, {"partitionBy": ["payment"]}])
def test_compact_keeps_all_rows_and_the_original_output(bundle, files, tmp_path, format, more):
    scored(bundle, files, tmp_path / "a", output={"format": format, "keep": ["id", "payment", "note"], **more})
    before = objects(str(tmp_path / "a"))
    compacted = compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 2500)
    assert objects(str(tmp_path / "a")) == before
    assert compacted.totals.objects < len(before)
    assert verify(str(tmp_path / "b")).totals.scored == 2 * ROWS
    if format == "parquet" and not more:
        pd.testing.assert_frame_equal(table(str(tmp_path / "a")), table(str(tmp_path / "b")))


def test_compact_of_an_output_without_rows_writes_one_part(bundle, tmp_path):
    (tmp_path / "in.csv").write_text(trips(0).to_csv(index=False))
    score(
        make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "a"), output={"format": "csv"}), cluster="in-process"
    )
    compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 10)
    assert verify(str(tmp_path / "b")).totals.rows == 0


def test_altered_output_is_not_compacted(bundle, files, tmp_path):
    scored(bundle, files, tmp_path / "a")
    part = next((tmp_path / "a").glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(VerificationError, match="altered"):
        compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 10)
    assert not list(Store(str(tmp_path / "b")).list())


class Gauge(Store):
    """A store that records the maximum number of rows in one write."""

    most = 0

    @contextmanager
    def publish(self, name):
        with super().publish(name) as stream:
            write = stream.write

            def counted(data):
                self.most = max(self.most, bytes(data).count(b"\n"))
                return write(data)

            stream.write = counted
            yield stream


def narrow(monkeypatch, rows):
    for module in (compacting, windows):
        monkeypatch.setattr(module, "WINDOW", rows)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_compact_writes_text_in_windows(bundle, files, tmp_path, monkeypatch, format):
    narrow(monkeypatch, 100)
    scored(bundle, files, tmp_path / "a", output={"format": format, "keep": ["id"]})
    target = Gauge(str(tmp_path / "b"))
    assert compact(Store(str(tmp_path / "a")), target, 1_000_000).totals.objects == 1
    assert 100 <= target.most <= 101  # The first window includes the header.


def test_compact_holds_as_many_rows_of_a_large_parquet_part_as_of_a_small_one(bundle, files, tmp_path, monkeypatch):
    window, read, written, most = 100, 0, 0, 0
    narrow(monkeypatch, window)
    scored(bundle, files, tmp_path / "a", output={"keep": ["id"]})
    iter_batches, write_table = pq.ParquetFile.iter_batches, pq.ParquetWriter.write_table

    def counted_batches(file, *arguments, **named):
        nonlocal read
        for batch in iter_batches(file, *arguments, **named):
            read += batch.num_rows
            yield batch

    def counted_write(writer, rows, *arguments, **named):
        nonlocal written, most
        if "proba_1" in rows.column_names:  # A part, not the manifest.
            most = max(most, read - written)
            written += rows.num_rows
        write_table(writer, rows, *arguments, **named)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted_batches)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", counted_write)
    assert compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 1_000_000).totals.objects == 1
    assert written == 2 * ROWS
    assert most <= 2 * window


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 40))
def test_windows_are_regrouped_in_order_with_at_most_two_in_memory(lengths, size):
    read = given_back = 0

    def windows():
        nonlocal read
        for length in lengths:
            # The last requested window is still in use.
            assert read - given_back <= size
            read += length
            yield list(range(read - length, read))

    groups = []
    for group in regrouped(windows(), repeat(size)):
        given_back += len(group)
        groups.append(group)
    assert [row for group in groups for row in group] == list(range(sum(lengths)))
    assert all(len(group) == size for group in groups[:-1])
    assert len(groups[-1]) <= size


class Killed(BaseException):
    """The simulated end of the process."""


@pytest.mark.parametrize("last_words", ["part-00001-", "_scoremill/receipts", "_scoremill/manifest.json", "_SUCCESS"])
def test_killed_compact_starts_over(bundle, files, tmp_path, last_words):
    scored(bundle, files, tmp_path / "a", output={"keep": ["id"]}, errors={"maxFraction": 0.5})

    class Dying(Store):
        def _die_at(self, name):
            if name.startswith(last_words):
                raise Killed

        def write(self, name, data):
            self._die_at(name)
            super().write(name, data)

        def create(self, name, data):
            self._die_at(name)
            return super().create(name, data)

        @contextmanager
        def publish(self, name):
            self._die_at(name)
            with super().publish(name) as stream:
                yield stream

    output, target = Store(str(tmp_path / "a")), Store(str(tmp_path / "b"))
    with pytest.raises(Killed):
        compact(output, Dying(str(tmp_path / "b")), 2500)
    assert any(info.name.startswith("part-") for info in target.list())
    compact(output, target, 1000)
    assert verify(str(tmp_path / "b")).totals.rows == 2 * ROWS
    assert table(str(tmp_path / "a"))["id"].tolist() == table(str(tmp_path / "b"))["id"].tolist()
    with pytest.raises(UsageError, match="not empty"):
        compact(output, target, 1000)


def test_foreign_objects_next_to_a_killed_compact_are_kept(bundle, files, tmp_path):
    scored(bundle, files, tmp_path / "a", output={"keep": ["id"]})
    output, target = Store(str(tmp_path / "a")), Store(str(tmp_path / "b"))
    compact(output, target, 2500)
    target.delete(["_SUCCESS", "_scoremill/manifest.json"])
    mine = f"part-00000-{'0' * 16}.parquet"
    target.write(mine, b"mine")
    with pytest.raises(UsageError, match="not empty"):
        compact(output, target, 2500)
    assert target.read(mine) == b"mine"
    target.delete([mine])
    scored(bundle, files, tmp_path / "other", output={"keep": ["id"]})
    with pytest.raises(UsageError, match="not empty"):
        compact(Store(str(tmp_path / "other")), target, 2500)


def test_text_predictions_are_compacted(tmp_path):
    frame = trips(100)
    model = LinearRegression().fit(frame[["distance"]], np.zeros(100))
    model.intercept_ = np.nan
    pack(model, str(tmp_path / "bundle"), sample=frame, method="predict")
    frame.to_csv(tmp_path / "in.csv", index=False)
    score(make_job(str(tmp_path / "bundle"), str(tmp_path / "in.csv"), str(tmp_path / "a")), cluster="in-process")
    assert table(str(tmp_path / "a"))["prediction"].isna().all()
    compact(Store(str(tmp_path / "a")), Store(str(tmp_path / "b")), 30)
    assert verify(str(tmp_path / "b")).totals.rows == 100


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that accepts any text and rejects no row."""
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
    manifest = retry_rejected(Store(str(tmp_path / "out")), lambda _: InProcess(), changes)
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
    manifest = retry_rejected(
        Store(str(tmp_path / "out")), lambda _: InProcess(), {"spec": {"model": {"uri": lenient}}}
    )
    assert table(manifest.store.uri)["id"].tolist() == [7]


@pytest.fixture
def rejecting(bundle, tmp_path):
    """A function that makes an output in which rows 3 and 50 are rejected."""

    def make(uri=str(tmp_path / "out"), **spec):
        frame = trips(100).astype({"distance": "object"})
        frame.loc[[3, 50], "distance"] = "far away"
        frame.to_csv(tmp_path / "in.csv", index=False)
        fields = {"output": {"keep": ["id"]}, "errors": {"maxFraction": 0.5}} | spec
        score(make_job(bundle, str(tmp_path / "in.csv"), uri, **fields), cluster="in-process")
        return Store(uri)

    return make


ANY = {"errors": {"maxFraction": 1.0}}


def in_process(_):
    return InProcess()


def with_model(uri, **more):
    return {"spec": {"model": {"uri": uri, **more}, **ANY}}


@pytest.mark.parametrize("place", ["here", "memory://retried-without-a-model"])
def test_retry_loads_the_model_of_an_output_only_if_the_user_trusts_it(rejecting, lenient, monkeypatch, place):
    output = rejecting() if place == "here" else rejecting(place)
    with pytest.raises(TrustError) as raised:
        retry_rejected(output, in_process, {"spec": ANY})
    assert not output.list("_retries")
    digest = re.search(r"`spec.model.digest: (sha256:\w+)`", raised.value.hint)[1]
    trusted = {"spec": {"model": {"digest": digest}, **ANY}}
    assert retry_rejected(output, in_process, trusted).totals.rejected == 2
    job = json.loads(output.read("_scoremill/job.json"))
    job["bundle"] = job["job"]["spec"]["model"]["uri"] = lenient
    output.write("_scoremill/job.json", json.dumps(job).encode())
    with pytest.raises(TrustError, match="digest"):
        retry_rejected(output, in_process, trusted)
    monkeypatch.setenv("SCOREMILL_TRUSTED_PREFIXES", str(Path(lenient).parent))
    assert retry_rejected(output, in_process, {"spec": ANY}).totals.scored == 2


def test_retry_ignores_trust_and_storage_settings_in_a_ledger(rejecting, lenient):
    output = rejecting()
    elsewhere = {"endpoint": "http://elsewhere.example", "optionsFile": "/secrets.json"}
    job = json.loads(output.read("_scoremill/job.json"))
    spec = job["job"]["spec"]
    spec["model"] |= {"trustedPrefixes": ["s3://theirs"], "allowVersionSkew": True, "digest": "sha256:" + "0" * 64}
    spec |= {"storage": elsewhere, "cluster": {"image": "theirs"}, "credentials": {"secretRef": {"name": "theirs"}}}
    for part in ("model", "input", "output"):
        spec[part]["storage"] = elsewhere
    output.write("_scoremill/job.json", json.dumps(job).encode())
    made = retry_job(output, with_model(lenient)).spec
    assert (made.model.trusted_prefixes, made.model.allow_version_skew, made.model.digest) == ((), False, None)
    for storage in (made.model_storage, made.input_storage, made.output_storage, made.storage):
        assert storage == output.settings
    assert (made.cluster.image, made.credentials) == (None, Credentials())


def test_interrupted_retry_is_resumed(rejecting, lenient, bundle):
    output = rejecting()
    first = retry_rejected(output, in_process, with_model(lenient))
    before = objects(first.store.uri)
    first.store.delete(["_SUCCESS", "_scoremill/manifest.json"])
    for info in first.store.list("_scoremill/input"):
        # As if it was written again with the same bytes at another time.
        first.store.write(info.name, first.store.read(info.name))
    again = retry_rejected(output, in_process, with_model(lenient))
    assert again.store.uri == first.store.uri
    assert objects(again.store.uri) == before
    assert retry_rejected(output, in_process, with_model(lenient)).store.uri.endswith("_retries/2")


def test_retry_with_another_model_does_not_touch_an_unfinished_one(rejecting, lenient, bundle):
    output = rejecting()
    first = retry_rejected(output, in_process, with_model(bundle))
    first.store.delete(["_SUCCESS"])
    assert retry_rejected(output, in_process, with_model(lenient)).store.uri.endswith("_retries/2")


def test_input_of_an_unfinished_retry_is_not_written_again(rejecting, lenient):
    output = rejecting()
    target = Store(retry_job(output, with_model(lenient)).spec.output.uri)
    before = target.list("_scoremill/input")
    assert retry_job(output, with_model(lenient)).spec.output.uri == target.uri
    assert target.list("_scoremill/input") == before


def test_errors_object_that_is_not_in_the_manifest_is_not_retried(rejecting, lenient):
    output = rejecting()
    name = next(info.name for info in output.list("_errors"))
    output.write(f"_errors/part-00009-{'0' * 16}.jsonl", output.read(name))
    assert retry_rejected(output, in_process, with_model(lenient)).totals.rows == 2


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_retry_keeps_path_columns(lenient, bundle, tmp_path, format):
    for payment, note in (("cash", "NA"), ("credit", "a, b")):
        frame = trips(100).drop(columns=["payment", "note"]).astype({"distance": "str"})
        frame.loc[7, "distance"] = "far away"
        folder = tmp_path / "in" / f"payment={payment}" / f"note={note}"
        folder.mkdir(parents=True)
        if format == "csv":
            (folder / "a.csv").write_text(frame.to_csv(index=False))
        else:
            frame.to_parquet(folder / "a.parquet")
    glob = f"{tmp_path}/in/**/*.{format}"
    spec = {"input": {"hive": True}, "output": {"keep": ["*"], "drop": ["distance", "passengers"]}}
    job = make_job(bundle, glob, str(tmp_path / "out"), errors={"maxFraction": 0.5}, **spec)
    score(job, cluster="in-process")
    manifest = retry_rejected(Store(str(tmp_path / "out")), in_process, with_model(lenient))
    made, first = stored(manifest.store.uri), stored(str(tmp_path / "out"))
    assert made.columns.tolist() == first.columns.tolist()
    assert made[["id", "payment"]].astype(str).to_numpy().tolist() == [["7", "cash"], ["7", "credit"]]
    assert made["note"].tolist() == ["NA", "a, b"]


def test_retry_refuses_path_columns_whose_folders_are_not_listed(lenient, bundle, tmp_path):
    folder = tmp_path / "_day=1"
    folder.mkdir()
    frame = trips(100).astype({"distance": "object"})
    frame.loc[7, "distance"] = "far away"
    frame.to_csv(folder / "a.csv", index=False)
    spec = {"input": {"hive": True}, "errors": {"maxFraction": 0.5}}
    score(make_job(bundle, str(folder / "a.csv"), str(tmp_path / "out"), **spec), cluster="in-process")
    with pytest.raises(UsageError, match="_day=1"):
        retry_rejected(Store(str(tmp_path / "out")), in_process, with_model(lenient))


def test_retried_row_with_a_missing_field_does_not_get_it_from_its_path(lenient, bundle, tmp_path):
    folder = tmp_path / "in" / "payment=cash"
    folder.mkdir(parents=True)
    text = trips(100).drop(columns=["payment", "note"]).to_csv(index=False)
    (folder / "a.csv").write_text(text + "100,3.5\n")
    spec = {"input": {"hive": True}, "output": {"keep": ["id"]}, "errors": {"maxFraction": 0.5}}
    score(make_job(bundle, f"{tmp_path}/in/**/*.csv", str(tmp_path / "out"), **spec), cluster="in-process")
    totals = retry_rejected(Store(str(tmp_path / "out")), in_process, with_model(lenient)).totals
    assert (totals.scored, totals.rejected) == (0, 1)


def test_retried_parquet_texts_that_are_csv_null_values_stay_text(bundle, lenient, tmp_path):
    frame = trips(6).astype({"distance": "object", "note": "object"})
    frame["distance"] = "far away"
    frame.loc[0, "distance"] = "1.5"
    frame["note"] = ["x", "NA", "", None, "null", "1"]
    frame.to_parquet(tmp_path / "in.parquet")
    spec = {"output": {"keep": ["id", "note"]}, "errors": {"maxFraction": 1.0}}
    score(make_job(bundle, str(tmp_path / "in.parquet"), str(tmp_path / "out"), **spec), cluster="in-process")
    manifest = retry_rejected(Store(str(tmp_path / "out")), in_process, with_model(lenient))
    made = stored(manifest.store.uri)["note"].astype(object)
    assert made.where(made.notna(), None).tolist() == ["NA", "", None, "null", "1"]


def test_retry_takes_its_model_from_flags(rejecting, lenient):
    output = rejecting()
    code, out, _ = run(
        "retry-rejected", output.uri, "--model", lenient, "--set", "spec.model.allowVersionSkew=true", "--json"
    )
    assert (code, json.loads(out)["totals"]["scored"]) == (0, 2)


def test_retry_without_rejected_rows_is_refused(bundle, files, tmp_path):
    scored(bundle, files, tmp_path)
    with pytest.raises(UsageError, match="was rejected"):
        retry_rejected(Store(str(tmp_path)), lambda _: InProcess(), {})


def test_clean_lists_and_removes_leftovers(bundle, files, tmp_path):
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
    assert remove(store) == found
    assert list(left_overs(store)) == []
    assert objects(str(tmp_path)) == whole
    verify(str(tmp_path))


def test_only_retries_before_the_last_complete_one_are_leftovers(rejecting, lenient, bundle):
    output = rejecting()
    first, second, third = (
        retry_rejected(output, in_process, with_model(uri)).store for uri in (bundle, lenient, bundle)
    )
    third.delete(["_SUCCESS"])
    assert {each.name.split("/")[1] for each in left_overs(output)} == {"1"}
    second.delete(["_SUCCESS"])
    first.delete(["_SUCCESS"])
    assert list(left_overs(output)) == []


def test_clean_lists_while_holding_the_lease(bundle, files, tmp_path):
    """Objects that a driver publishes and records between listing and removal are kept."""
    scored(bundle, files, tmp_path)
    manifest, success = (tmp_path / "_scoremill/manifest.json").read_bytes(), (tmp_path / "_SUCCESS").read_bytes()
    stale = json.loads(manifest)
    name = next(tmp_path.glob("_scoremill/manifest/*.parquet"))
    whole, half = name.read_bytes(), io.BytesIO()
    entries = pq.read_table(io.BytesIO(whole))
    pq.write_table(entries.slice(1), half)
    stale["segments"][0]["sha256"] = hashlib.sha256(half.getvalue()).hexdigest()

    class Overtaken(Store):
        """A store in which another driver completes its run before this one gets the lease."""

        def create(self, lease, data):
            name.write_bytes(whole)
            (tmp_path / "_scoremill/manifest.json").write_bytes(manifest)
            return super().create(lease, data)

    name.write_bytes(half.getvalue())
    (tmp_path / "_scoremill/manifest.json").write_bytes(json.dumps(stale).encode())
    store = Overtaken(str(tmp_path))
    assert [each.kind for each in left_overs(store)] == ["superseded part"]
    assert remove(store) == []
    assert (tmp_path / "_SUCCESS").read_bytes() == success
    verify(str(tmp_path))


def test_settings_of_another_part_format_are_refused_and_the_hint_works(bundle, files, tmp_path):
    scored(bundle, files, tmp_path)
    path = tmp_path / "_scoremill/job.json"
    job = json.loads(path.read_text())
    job["settings"]["partFormat"] = 1
    path.write_text(json.dumps(job))
    with pytest.raises(UsageError, match="another version of scoremill") as raised:
        scored(bundle, files, tmp_path)
    assert "`spec.output.mode: Overwrite`" in raised.value.hint
    scored(bundle, files, tmp_path, output={"mode": "Overwrite"})


def test_csv_output_is_read_back_with_its_quotes(bundle, files, rows, tmp_path):
    scored(bundle, files, tmp_path, output={"format": "csv", "keep": ["id", "note"]})
    made = pd.concat([pd.read_csv(io.BytesIO(data)) for _, data in sorted(objects(str(tmp_path)).items())])
    assert made["note"].fillna("").tolist() == rows["note"].fillna("").tolist()
