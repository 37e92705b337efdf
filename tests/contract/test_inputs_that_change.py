"""Inputs that change, disappear or are damaged are reported by name with a hint, and nothing wrong is published."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from scoremill import score, verify
from scoremill.errors import FitError, InputChanged, InputError, ScoremillError, StorageError, UsageError
from scoremill.events import Progress, Retrying
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, run, table
from tests.support.proxy import RESET, SLOW_DOWN, TRUNCATED, Answer, Request, every, proxy
from tests.support.touchy import touchy_bundle

HEADER = b"id,x,y\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return touchy_bundle(tmp_path_factory.mktemp("touchy"))


def rows(first: int, count: int) -> bytes:
    return b"".join(b"%d,%d.5,%d\n" % (i, i % 1000, i % 7) for i in range(first, first + count))


def small_job(model: str, inputs: object, output: object, /, **spec):
    cut = {"partitionBytes": "1KiB", **spec.pop("input", {})}
    return make_job(model, str(inputs), str(output), input=cut, output={"keep": ["id"]}, **spec)


def once(action: Callable[[], object]):
    """Return a watcher that calls `action` after the first partition."""
    done: list[bool] = []

    def watch(event):
        if isinstance(event, Progress) and not done:
            done.append(True)
            action()

    return watch


def is_complete(output: Path) -> bool:
    return (output / "_SUCCESS").exists() or (output / "_scoremill" / "manifest.json").exists()


# -- during a run ----------------------------------------------------------------------------------------------------

WRAPPED = {
    "csv": lambda data: data,
    "csv.gz": gzip.compress,
    "csv.bz2": bz2.compress,
    "csv.zst": zstandard.ZstdCompressor().compress,
}


def parquet(first: int, group: int = 250) -> bytes:
    sink = pa.BufferOutputStream()
    frame = pd.DataFrame({"id": range(first, first + 500), "x": [1.5] * 500, "y": [2.0] * 500})
    pq.write_table(pa.Table.from_pandas(frame), sink, row_group_size=group)
    return sink.getvalue().to_pybytes()


def content(kind: str, first: int) -> bytes:
    return parquet(first) if kind == "parquet" else WRAPPED[kind](HEADER + rows(first, 500))


@pytest.mark.parametrize("kind", [*WRAPPED, "parquet"])
@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_input_that_changes_during_a_run_fails_it_by_name(model, tmp_path, kind, change):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.{kind}").write_bytes(content(kind, 0))
    victim = tmp_path / "in" / f"b.{kind}"
    act = victim.unlink if change == "removed" else lambda: victim.write_bytes(content(kind, 7000))
    job = small_job(model, tmp_path / "in", tmp_path / "out")
    began = time.monotonic()
    with pytest.raises(InputChanged, match=change) as caught:
        score(job, cluster="in-process", watchers=[once(act)])
    assert time.monotonic() - began < 5, "a removed object is not retried"
    assert str(victim) in caught.value.message
    assert caught.value.hint
    assert not is_complete(tmp_path / "out")
    assert table(str(tmp_path / "out"))["id"].max() < 7000
    with pytest.raises(UsageError, match="replaced" if change == "replaced" else "not in the input now"):
        score(job, cluster="in-process")


@pytest.mark.parametrize("kind", [*WRAPPED, "parquet"])
def test_input_that_is_overwritten_while_it_is_read_fails_the_run(model, tmp_path, monkeypatch, kind):
    victim = tmp_path / f"a.{kind}"
    victim.write_bytes(parquet(0, 500) if kind == "parquet" else content(kind, 0))
    trick = {"at": 1, "path": str(victim), "content": content(kind, 7000).hex()}
    monkeypatch.setenv("TOUCHY_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("TOUCHY_TRICK", json.dumps(trick))
    job = small_job(model, victim, tmp_path / "out", input={"partitionBytes": "1MiB"}, model={"batchRows": 50})
    with pytest.raises(InputChanged, match="replaced"):
        score(job, cluster="in-process")
    assert objects(str(tmp_path / "out")) == {}
    assert len((tmp_path / "calls").read_text().split()) >= 1


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_bucket_objects_that_change_during_a_run_fail_it(model, s3, tmp_path, change):
    store = Store(s3.uri("in"))
    for name in ("a.csv", "b.csv"):
        store.write(name, HEADER + rows(0, 300))
    act = (
        (lambda: store.delete(["b.csv"]))
        if change == "removed"
        else lambda: store.write("b.csv", HEADER + rows(7000, 300))
    )
    with pytest.raises(InputChanged, match=rf"b\.csv was {change}"):
        score(small_job(model, s3.uri("in"), tmp_path / "out"), cluster="in-process", watchers=[once(act)])
    assert not is_complete(tmp_path / "out")


# -- store failures --------------------------------------------------------------------------------------------------


@pytest.fixture
def short_pauses(monkeypatch):
    """Short pauses between attempts of a store."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))


def put_files(bucket, count: int = 2) -> None:
    for number in range(count):
        Store(bucket.uri("in")).write(f"{number}.csv", HEADER + rows(number * 300, 300))


def test_permission_lost_during_a_run_is_reported_and_the_run_resumes_once_restored(model, s3, tmp_path, short_pauses):
    put_files(s3)
    denied: list[str] = []

    def rule(request: Request):
        return Answer(403, "AccessDenied") if denied and request.method == "GET" and "1.csv" in request.path else None

    with proxy(s3.endpoint, rule) as server:
        storage = {"storage": {"endpoint": server.endpoint}}
        job = small_job(model, s3.uri("in"), tmp_path / "out", input=storage, retry={"partitionRetries": 1})
        with pytest.raises(StorageError, match=r"permission denied: .*1\.csv"):
            score(job, cluster="in-process", watchers=[once(lambda: denied.append("now"))])
        assert not is_complete(tmp_path / "out")
        done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
        denied.clear()
        assert score(job, cluster="in-process").totals.scored == 600
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}.items() >= done.items()
    verify(str(tmp_path / "out"))


@pytest.mark.parametrize("fault", [SLOW_DOWN, RESET, TRUNCATED], ids=["slow-down", "reset", "truncated"])
def test_temporary_faults_of_a_store_do_not_change_the_output(model, s3, short_pauses, fault):
    put_files(s3)
    with proxy(s3.endpoint, every(3, fault)) as server:
        job = small_job(model, s3.uri("in"), s3.uri("out"), storage={"endpoint": server.endpoint})
        assert score(job, cluster="in-process").totals.scored == 600
    score(small_job(model, s3.uri("in"), s3.uri("undisturbed")), cluster="in-process")
    assert objects(s3.uri("out")) == objects(s3.uri("undisturbed"))


def test_throttling_store_pauses_the_whole_run_once(model, s3, tmp_path, monkeypatch):
    """Four tasks fail in one outage, which causes one pause, not four."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(tries=1))
    put_files(s3)
    busy: list[bool] = []
    events: list[Retrying] = []

    def watch(event):
        if isinstance(event, Progress) and not busy and not events:
            busy.append(True)
        if isinstance(event, Retrying):
            events.append(event)
            busy.clear()

    with proxy(s3.endpoint, lambda request: SLOW_DOWN if busy and "0.csv" in request.path else None) as server:
        storage = {"storage": {"endpoint": server.endpoint}}
        job = small_job(model, s3.uri("in"), tmp_path / "out", input=storage)
        assert score(job, cluster="in-process", watchers=[watch]).totals.scored == 600
    assert [event.attempt for event in events] == [1]
    assert "throttled" in events[0].reason
    assert events[0].seconds == pytest.approx(1.0, abs=0.1)


# -- damaged before the run ------------------------------------------------------------------------------------------


def damaged(kind: str, keep: float) -> bytes:
    data = content(kind, 0)
    return data[: int(len(data) * keep)]


@pytest.mark.parametrize("kind", ["csv.gz", "csv.bz2", "csv.zst"])
def test_truncated_object_is_named_and_nothing_of_it_is_published(model, tmp_path, kind):
    (tmp_path / f"a.{kind}").write_bytes(damaged(kind, 0.7))
    code, _, err = run(
        "score",
        "--model",
        model,
        "--input",
        tmp_path / f"a.{kind}",
        "--output",
        tmp_path / "out",
        "--cluster",
        "in-process",
    )
    assert code == 3, err
    assert f"a.{kind} is truncated or damaged" in err
    assert "Upload it again" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists() or objects(str(tmp_path / "out")) == {}


def test_truncation_after_the_sample_is_found_by_the_task(model, tmp_path):
    import random

    noise = random.Random(0)
    lines = b"".join(b"%d,%r,%d\n" % (i, noise.random(), i % 7) for i in range(30_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(HEADER + lines)[:-2000])
    with pytest.raises(InputError, match=r"a\.csv\.gz is truncated or damaged") as caught:
        score(small_job(model, tmp_path / "a.csv.gz", tmp_path / "out"), cluster="in-process")
    assert "Upload it again" in (caught.value.hint or "")
    assert objects(str(tmp_path / "out")) == {}


@pytest.mark.parametrize("where", ["footer", "pages"])
def test_damaged_parquet_file_is_named(model, tmp_path, where):
    data = bytearray(parquet(0))
    if where == "footer":
        data[-40:-8] = b"\xff" * 32
    else:
        data[4:-2000] = b"\xff" * (len(data) - 2004)
    (tmp_path / "a.parquet").write_bytes(data)
    code, _, err = run(
        "score",
        "--model",
        model,
        "--input",
        tmp_path / "a.parquet",
        "--output",
        tmp_path / "out",
        "--cluster",
        "in-process",
    )
    assert code == 3, err
    assert "a.parquet" in err
    assert "Traceback" not in err
    assert not is_complete(tmp_path / "out")


def test_different_header_in_a_file_that_was_not_sampled_is_found_by_its_task(model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(900):
        (tmp_path / "in" / f"{number:04d}.csv").write_bytes(HEADER + rows(number, 3))
    from scoremill.discovery.discover import chosen
    from scoremill.discovery.source import Source

    names = [f"{number:04d}.csv" for number in range(900)]
    sampled = {source.name for source in chosen(Source("", name, 1, "", "", "csv") for name in names)}
    other = next(name for name in names[7:] if name not in sampled)
    (tmp_path / "in" / other).write_bytes(b"id,z,y\n" + rows(0, 3))
    code, _, err = run(
        "score",
        "--model",
        model,
        "--input",
        tmp_path / "in",
        "--output",
        tmp_path / "out",
        "--cluster",
        "in-process",
        "--set",
        "spec.input.partitionBytes=64KiB",
    )
    assert code == 3, err
    assert f'{other} has no column "x"' in err
    assert "Its columns are: id, z, y" in err
    assert not is_complete(tmp_path / "out")
    (tmp_path / "in" / other).write_bytes(HEADER + rows(0, 3))
    job = make_job(
        model,
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        input={"partitionBytes": "64KiB"},
        output={"mode": "Overwrite"},
    )
    assert score(job, cluster="in-process").totals.scored == 2700
    assert verify(str(tmp_path / "out")).totals.rows == 2700


@pytest.mark.parametrize(
    ("data", "expected", "hint"),
    [
        (b"id,x,x,y\n1,2,3,4\n", 'names "x" twice', "Rename one of them"),
        (b"id,x\n1,2\n", '"y"', "Its columns: id, x"),
        (b"id;x;y\n1;2;3\n", '"x", "y"', '`spec.input.csv: {"delimiter": ";"}`'),
        ("id,x,y\n1,2,3\n".encode("utf-16"), "UTF-16", "Convert it to UTF-8"),
        (b'id,x,"y\n' + b"1,2,3\n" * 1_500_000, "does not end within", "a quote that is never closed"),
        (b"id,x\x00,y\n1,2,3\n", '"x"', "Its columns"),
    ],
    ids=["twice", "missing", "delimiter", "utf-16", "unclosed", "nul"],
)
def test_header_that_does_not_fit_is_refused_before_anything_is_written(model, tmp_path, data, expected, hint):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(FitError) as caught:
        score(small_job(model, tmp_path / "a.csv", tmp_path / "out"), cluster="in-process")
    assert str(tmp_path / "a.csv") in caught.value.message
    assert expected in caught.value.message
    assert hint in (caught.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_row_longer_than_the_limit_is_reported_with_its_place(model, tmp_path):
    before = HEADER + rows(0, 1000)
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(before + b'1000,1.5,"')
        for _ in range(130):
            file.write(b"no quote closes it\n" * 55_188)
    with pytest.raises(InputError) as caught:
        score(make_job(model, str(tmp_path / "a.csv"), str(tmp_path / "out")), cluster="in-process")
    assert f"{tmp_path / 'a.csv'} byte {len(before):,}: the row is longer than" in caught.value.message
    assert "a quote that is never closed" in (caught.value.hint or "")
    assert not is_complete(tmp_path / "out")
    os.truncate(tmp_path / "a.csv", 0)


@pytest.mark.parametrize("uri", ["nothing-*.csv", "none.csv", "folder/"])
def test_input_without_objects_is_an_error(model, tmp_path, uri):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FitError, match="nothing is found at") as caught:
        score(small_job(model, tmp_path / uri, tmp_path / "out"), cluster="in-process")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_consecutive_time_spans_score_each_object_once(model, s3, tmp_path):
    inputs = Store(s3.uri("in"))
    inputs.write("a.csv", HEADER + rows(0, 60))
    first = inputs.info("a.csv").modified
    while (changed := _rewritten(inputs, "b.csv", 60, 40)) <= first:
        time.sleep(0.1)  # S3 reports whole seconds
    ends = [datetime.fromtimestamp(second, UTC) for second in (first, changed, changed + 1, changed + 2)]
    spans = [{"until": str(ends[0])}, *({"since": str(a), "until": str(b)} for a, b in pairwise(ends))]
    totals = []
    for number, span in enumerate(spans):
        job = small_job(model, s3.uri("in"), s3.uri(f"out/{number}"), input={**span, "allowEmpty": True})
        score(job, cluster="in-process")
        totals.append(verify(s3.uri(f"out/{number}")).totals.rows)
    assert totals == [0, 60, 40, 0]


def _rewritten(store: Store, name: str, first: int, count: int) -> float:
    store.write(name, HEADER + rows(first, count))
    info = store.info(name)
    assert info is not None
    return info.modified


# -- the store of the output -----------------------------------------------------------------------------------------


def test_output_store_that_denies_access_is_reported_and_the_run_resumes_later(model, s3, tmp_path, short_pauses):
    (tmp_path / "a.csv").write_bytes(HEADER + rows(0, 600))
    denied: list[str] = []

    def rule(request: Request):
        return Answer(403, "AccessDenied") if denied and request.method in {"PUT", "POST", "DELETE"} else None

    with proxy(s3.endpoint, rule) as server:
        job = small_job(
            model,
            tmp_path / "a.csv",
            s3.uri("out"),
            retry={"partitionRetries": 0},
            storage={"endpoint": server.endpoint},
        )
        with pytest.raises(StorageError, match=r"permission denied: .*part-00001"):
            score(job, cluster="in-process", watchers=[once(lambda: denied.append("now"))])
        denied.clear()
        assert score(job, cluster="in-process").totals.scored == 600
    verify(s3.uri("out"))


def test_run_is_complete_if_only_the_lease_cannot_be_released(model, s3, tmp_path, short_pauses):
    (tmp_path / "a.csv").write_bytes(HEADER + rows(0, 100))
    rule = lambda request: Answer(403, "AccessDenied") if request.path.endswith(".done") else None
    with proxy(s3.endpoint, rule) as server:
        job = small_job(model, tmp_path / "a.csv", s3.uri("out"), storage={"endpoint": server.endpoint})
        assert score(job, cluster="in-process").totals.scored == 100
    verify(s3.uri("out"))


def test_overwriting_run_removes_parts_of_a_killed_run(model, tmp_path):
    (tmp_path / "a.csv").write_bytes(HEADER + rows(0, 300))

    def interrupt(event):
        if isinstance(event, Progress) and event.partitions == 3:
            # As after a kill, there are parts that are not in the ledger yet.
            for segment in (tmp_path / "out").glob("_scoremill/receipts/*"):
                segment.unlink()
            raise ScoremillError("injected fault")

    with pytest.raises(ScoremillError, match="injected fault"):
        score(small_job(model, tmp_path / "a.csv", tmp_path / "out"), cluster="in-process", watchers=[interrupt])
    for segment in (tmp_path / "out").glob("_scoremill/receipts/*"):
        segment.unlink()
    assert len(objects(str(tmp_path / "out"))) == 3
    other = make_job(model, str(tmp_path / "a.csv"), str(tmp_path / "out"), output={"mode": "Overwrite"})
    assert score(other, cluster="in-process").totals.scored == 300
    assert verify(str(tmp_path / "out")).totals.partitions == 1
    assert len(table(str(tmp_path / "out"))) == 300
