"""Several small files are scored in one task, with the rows, places and errors of each file."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pandas as pd
import pytest
import zstandard

from scoremill import score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import ScoremillError
from scoremill.events import Progress
from scoremill.outputs.retry import retry_rejected
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, run, table, trip_bundle, trips

COMPRESS = {
    "csv": lambda data: data,
    "csv.gz": gzip.compress,
    "csv.bz2": bz2.compress,
    "csv.xz": lzma.compress,
    "csv.zst": zstandard.ZstdCompressor().compress,
}
KINDS = [*COMPRESS, "parquet", "several row groups"]
FILES = 12


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle"))


def write(folder: Path, kind: str, name: str, frame: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if kind in COMPRESS:
        path = folder / f"{name}.{kind}"
        path.write_bytes(COMPRESS[kind](frame.to_csv(index=False).encode()))
    else:
        path = folder / f"{name}.parquet"
        groups = 7 if kind == "several row groups" else None
        frame.to_parquet(path, index=False, row_group_size=groups)
    return path


def fill(folder: Path, kind: str) -> None:
    for number in range(FILES):
        write(folder, kind, f"{number:02}", trips(30, seed=number).assign(id=range(30 * number, 30 * number + 30)))


def scored(bundle: str, inputs: Path, output: Path, partition: str, **spec):
    job = make_job(
        bundle,
        str(inputs),
        str(output),
        input={"partitionBytes": partition},
        output={"rowId": True, "keep": ["id", "note"]},
        errors={"maxFraction": 0.5},
        **spec,
    )
    return score(job, cluster="in-process")


@pytest.mark.parametrize("kind", KINDS)
def test_small_files_are_one_task_with_the_rows_of_each_in_order(bundle, tmp_path, kind):
    fill(tmp_path / "in", kind)
    packed = scored(bundle, tmp_path / "in", tmp_path / "packed", "64MiB")
    alone = scored(bundle, tmp_path / "in", tmp_path / "alone", "1KiB")
    assert (packed.totals.partitions, packed.totals.rows) == (1, 30 * FILES)
    assert alone.totals.partitions >= FILES
    made = table(str(tmp_path / "packed"))
    assert made["id"].tolist() == list(range(30 * FILES))
    pd.testing.assert_frame_equal(made, table(str(tmp_path / "alone")))
    verify(str(tmp_path / "packed"))


@pytest.mark.parametrize("kind", KINDS)
def test_rejected_row_of_a_packed_file_has_its_own_file_and_is_retried(bundle, tmp_path, kind):
    fill(tmp_path / "in", kind)
    bad = trips(30, seed=3).assign(id=range(90, 120)).astype({"distance": "str"})
    bad.loc[17, "distance"] = "far away"
    victim = write(tmp_path / "in", kind, "03", bad)
    manifests = [scored(bundle, tmp_path / "in", tmp_path / cut, cut) for cut in ("64MiB", "1KiB")]
    rejects = []
    for manifest in manifests:
        (entry,) = [entry for entry in manifest.entries() if entry.kind == "errors"]
        rejects.append(json.loads(manifest.store.read(entry.part.name)))
    assert rejects[0]["file"] == rejects[1]["file"] == str(victim)
    assert rejects[0]["offset"] == rejects[1]["offset"] and rejects[0]["column"] == "distance"
    lenient_sample = trips(500).astype({"distance": "str"})
    retried = retry_rejected(
        manifests[0].store, lambda _: InProcess(), {"spec": {"model": {"uri": lenient(lenient_sample, tmp_path)}}}
    )
    assert table(retried.store.uri)["id"].tolist() == [107]


def lenient(sample: pd.DataFrame, tmp_path: Path) -> str:
    """Return a bundle that accepts any text as a distance."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from scoremill.bundle import pack

    entrance = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["distance", "payment"]))
    model = make_pipeline(entrance, LogisticRegression()).fit(sample, sample["passengers"] > 3)
    pack(model, str(tmp_path / "lenient"), sample=sample, method="predict_proba")
    return str(tmp_path / "lenient")


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_run_of_packed_files_resumes_with_new_files(bundle, tmp_path, kind):
    fill(tmp_path / "in", kind)
    largest = max(path.stat().st_size for path in (tmp_path / "in").iterdir())
    cut = f"{largest * (1 if kind == 'csv' else 8) * 20}"

    def interrupt(event):
        if isinstance(event, Progress):
            raise ScoremillError("injected fault")

    with pytest.raises(ScoremillError, match="injected fault"):
        scored_watched(bundle, tmp_path, cut, interrupt)
    write(tmp_path / "in", kind, "zz", trips(30, seed=99).assign(id=range(30 * FILES, 30 * FILES + 30)))
    manifest = scored_watched(bundle, tmp_path, cut)
    assert manifest.totals.rows == 30 * (FILES + 1)
    assert 1 < manifest.totals.partitions < FILES
    made = table(str(tmp_path / "out"))
    assert made["id"].tolist() == list(range(30 * (FILES + 1)))
    fresh = scored(bundle, tmp_path / "in", tmp_path / "fresh", cut)
    pd.testing.assert_frame_equal(made, table(fresh.store.uri))


def scored_watched(bundle: str, tmp_path: Path, cut: str, *watchers):
    job = make_job(
        bundle,
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        input={"partitionBytes": cut},
        output={"rowId": True, "keep": ["id", "note"]},
    )
    return score(job, cluster="in-process", watchers=watchers)


def test_compressed_and_plain_files_are_packed_together(bundle, tmp_path):
    for number in range(6):
        write(tmp_path / "in", list(COMPRESS)[number % 5], f"{number}", trips(20, seed=number))
    assert scored(bundle, tmp_path / "in", tmp_path / "out", "64MiB").totals.partitions == 1
    assert table(str(tmp_path / "out"))["source"].str[-8:].nunique() == 6


def test_parquet_files_with_different_columns_are_not_packed_together(bundle, tmp_path):
    frame = trips(20)
    write(tmp_path / "in", "parquet", "1", frame)
    write(tmp_path / "in", "parquet", "2", frame.astype({"passengers": "float64"}))
    write(tmp_path / "in", "parquet", "3", frame[[*reversed(frame.columns)]])
    write(tmp_path / "in", "parquet", "4", frame[[*reversed(frame.columns)]].assign(note=pd.Categorical(["a"] * 20)))
    write(tmp_path / "in", "parquet", "5", frame[[*reversed(frame.columns)]].assign(note=pd.Categorical(["b"] * 20)))
    manifest = scored(bundle, tmp_path / "in", tmp_path / "out", "64MiB")
    assert (manifest.totals.partitions, manifest.totals.rows) == (4, 100)
    assert table(str(tmp_path / "out"))["note"].tolist()[-40:] == ["a"] * 20 + ["b"] * 20


def test_path_columns_of_packed_files_are_those_of_each_file(bundle, tmp_path):
    for payment in ("cash", "credit"):
        for number in range(3):
            folder = tmp_path / "in" / f"payment={payment}"
            write(folder, "parquet", str(number), trips(10, seed=number).drop(columns="payment"))
    job = make_job(
        bundle, str(tmp_path / "in"), str(tmp_path / "out"), input={"hive": True}, output={"keep": ["payment"]}
    )
    assert score(job, cluster="in-process").totals.partitions == 1
    assert table(str(tmp_path / "out"))["payment"].tolist() == ["cash"] * 30 + ["credit"] * 30


def test_small_object_with_many_rows_is_not_packed(bundle, tmp_path):
    """Repeated values need few bytes in Parquet but as much time as others."""
    frame = pd.concat([trips(1)] * 50_000)
    for number in range(3):
        path = write(tmp_path / "in", "parquet", str(number), frame)
        assert path.stat().st_size < 64 * 1024
    assert scored(bundle, tmp_path / "in", tmp_path / "out", "64MiB").totals.partitions == 3


def test_preview_and_plan_read_packed_files(bundle, tmp_path):
    fill(tmp_path / "in", "several row groups")
    arguments = ["--model", bundle, "--input", tmp_path / "in"]
    code, out, err = run("score", *arguments, "--limit", "100", "--row-id")
    assert code == 0, err
    assert len(out.splitlines()) == 101
    code, out, err = run("plan", *arguments)
    assert code == 0, err
    assert f"{FILES} objects" in out and "partitions  1" in out and f"about {30 * FILES} rows" in out
    assert not objects(str(tmp_path / "in"))


def test_irregular_quote_in_a_packed_file_does_not_affect_the_others(bundle, tmp_path):
    for number in range(4):
        frame = trips(20, seed=number).assign(id=range(20 * number, 20 * number + 20))
        text = frame.to_csv(index=False)
        if number == 2:
            text += '80,1.5,cash,5" disk,2\n'
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.csv.gz").write_bytes(gzip.compress(text.encode()))
    manifest = scored(bundle, tmp_path / "in", tmp_path / "out", "64MiB")
    assert (manifest.totals.partitions, manifest.totals.rows) == (1, 81)
    made = table(str(tmp_path / "out"))
    assert made["id"].tolist() == [*range(60), 80, *range(60, 80)]
    assert made["note"].tolist()[60] == '5" disk'
    assert Store(str(tmp_path / "out")).info("_SUCCESS") is not None
