"""Promise 4: one bad row costs one row, is recorded with its place and reason, and counts toward the reject limit."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from scoremill import score, verify
from scoremill.errors import ModelError, RejectLimitError
from scoremill.execute import execute
from scoremill.report import build_report
from scoremill.storage.filesystem import Store
from tests.support.engines import LastFirst
from tests.support.jobs import make_job, objects, run, table
from tests.support.touchy import touchy_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return touchy_bundle(tmp_path_factory.mktemp("touchy"))


def rows(first: int, count: int) -> bytes:
    return b"".join(b"%d,%d.5,%d\n" % (i, i % 1000, i % 7) for i in range(first, first + count))


HEADER = b"id,x,y\n"
BAD = {
    b"40,1.5": "expected 3 fields, found 2",
    b"41,1.5,3,4": "expected 3 fields, found 4",
    b"42,abc,3": '"abc" is not a number',
    b"43,2e6,3": "ValueError: x is too large: 2e+06",
    b'44,"3,5",1': '"3,5" is not a number',
    b"\xff45,1.5,3": "not utf-8 at byte",
    b"46,1\x00.5,3": "a NUL byte at byte",
}
"""Rows that cannot be scored, with the reasons."""


def spread(good: int = 700) -> bytes:
    """Return a file of `good` rows with bad rows in between, some of them next to partition boundaries."""
    parts = [HEADER]
    for at, bad in enumerate(BAD):
        parts += [rows(at * good // len(BAD), good // len(BAD)), bad, b"\n"]
    return b"".join([*parts, *reversed([line + b"\n" for line in BAD])])


def rejects(output: Path) -> list[dict]:
    return [json.loads(line) for path in sorted(output.glob("_errors/*.jsonl")) for line in path.open()]


def raw_of(reject: dict) -> bytes:
    return base64.b64decode(reject["rawBase64"]) if "rawBase64" in reject else reject["raw"].encode()


def bad_job(model: str, inputs: object, output: Path, **spec):
    errors = {"maxFraction": None, **spec.pop("errors", {})}
    cut = {"partitionBytes": "1KiB", **spec.pop("input", {})}
    return make_job(model, str(inputs), str(output), input=cut, output={"keep": ["id"]}, errors=errors, **spec)


def test_every_bad_row_is_rejected_with_its_place_and_reason_and_all_others_are_scored(model, tmp_path):
    data = spread()
    (tmp_path / "in.csv").write_bytes(data)
    manifest = score(bad_job(model, tmp_path / "in.csv", tmp_path / "out"), cluster="in-process")
    found = rejects(tmp_path / "out")
    assert (manifest.totals.scored, manifest.totals.rejected) == (700, 14)
    assert verify(str(tmp_path / "out")).totals.rows == 714
    assert [raw_of(one) for one in found] == [*BAD, *reversed(BAD)]
    for one in found:
        assert one["reason"].startswith(BAD[raw_of(one)])
        assert data[one["offset"] :].startswith(raw_of(one) + b"\n")
        assert one["file"] == str(tmp_path / "in.csv")
        assert one["column"] == ("x" if "is not a number" in one["reason"] else None)
    assert table(str(tmp_path / "out"))["id"].tolist() == list(range(700))
    assert table(str(tmp_path / "out"))["prediction"].tolist() == [2 * (i % 1000 + 0.5) for i in range(700)]


def test_line_of_a_rejected_row_is_the_line_in_an_editor(model, tmp_path):
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 5) + b'5,"1\n.5",1\n6,7\n\n' + rows(7, 3) + b"10,zzz,2\n")
    score(bad_job(model, tmp_path / "in.csv", tmp_path / "out"), cluster="in-process")
    # The header, the quoted newline and the blank line count as one line each.
    assert [one["line"] for one in rejects(tmp_path / "out")] == [7, 9, 14]


LINES = (2, 700, 1500, 1501, 4001)
"""Lines in several partitions of a file, some of them after a quoted newline."""


def lined(path: Path) -> None:
    """Write a file with bad rows on LINES."""
    text = [b"id,x,y"]
    while len(text) < max(LINES):
        line = len(text) + 1
        if line in LINES:
            text.append(b"%d,bad,1" % line)
        elif line % 97 == 0 and line + 1 not in LINES:
            text += [b'%d,1.5,"1' % line, b'"']
        else:
            text.append(b"%d,1.5,1" % line)
    path.write_bytes(b"\n".join(text) + b"\n")


@pytest.mark.parametrize("cluster", ["in-process", "local"])
def test_line_of_a_rejected_row_is_counted_from_the_start_of_the_file(model, tmp_path, cluster):
    lined(tmp_path / "in.csv")
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", cluster={"workers": 2, "memory": "1GiB"})
    score(job, cluster=cluster)
    found = rejects(tmp_path / "out")
    assert [one["line"] for one in found] == [int(raw_of(one).split(b",")[0]) for one in found] == list(LINES)
    assert len({one["partition"] for one in found}) > 3
    assert not any("lineInPartition" in one for one in found)
    verify(str(tmp_path / "out"))
    assert [row.line for row in build_report(Store(str(tmp_path / "out"))).rejects] == list(LINES)


def test_lines_are_numbered_if_partitions_finish_out_of_order(model, tmp_path):
    lined(tmp_path / "in.csv")
    execute(bad_job(model, tmp_path / "in.csv", tmp_path / "out"), LastFirst())
    assert [one["line"] for one in rejects(tmp_path / "out")] == list(LINES)
    verify(str(tmp_path / "out"))
    report = build_report(Store(str(tmp_path / "out")))
    assert report.repeated == 0
    score(bad_job(model, tmp_path / "in.csv", tmp_path / "in-order"), cluster="in-process")
    assert objects(str(tmp_path / "out")) == objects(str(tmp_path / "in-order"))


def test_rejected_row_of_parquet_has_its_row_number_in_the_file(model, tmp_path):
    frame = pd.DataFrame({"id": range(30), "x": [1.5] * 17 + [2e6] + [1.5] * 12, "y": [1] * 30})
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=10)
    score(bad_job(model, tmp_path / "in.parquet", tmp_path / "out"), cluster="in-process")
    (found,) = rejects(tmp_path / "out")
    assert (found["row"], found["line"], found["offset"]) == (17, None, None)


@pytest.mark.parametrize(("rule", "keys"), [("Keep", {"raw", "rawBase64"}), ("Hash", {"rawSha256"}), ("Omit", set())])
def test_raw_text_of_rejected_rows_is_hashed_or_omitted_on_request(model, tmp_path, rule, keys):
    (tmp_path / "in.csv").write_bytes(spread())
    score(bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors={"raw": rule}), cluster="in-process")
    found = rejects(tmp_path / "out")
    assert {key for one in found for key in one if key.startswith("raw")} == keys
    if rule == "Hash":
        assert [one["rawSha256"] for one in found[:7]] == [hashlib.sha256(row).hexdigest() for row in BAD]
    if rule != "Keep":
        reasons = [one["reason"] for one in found[:7]]
        assert reasons[2:5] == ["is not a number", "the model raises ValueError", "is not a number"]


@pytest.mark.parametrize("bad", [b"1,is not a hush,1\n", b"1,2e6,1\n"])
def test_raw_text_that_must_not_be_kept_is_in_no_error_message(model, tmp_path, bad):
    (tmp_path / "in.csv").write_bytes(HEADER + bad + rows(2, 5))
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors={"raw": "Omit", "onRowError": "Fail"})
    with pytest.raises(RejectLimitError, match=r"in\.csv line 2") as raised:
        score(job, cluster="in-process")
    assert "hush" not in str(raised.value)
    assert "2e+06" not in str(raised.value)


def test_local_cluster_rejects_the_same_rows_in_the_same_bytes(model, tmp_path):
    (tmp_path / "in.csv").write_bytes(spread())
    score(bad_job(model, tmp_path / "in.csv", tmp_path / "one"), cluster="in-process")
    workers = {"cluster": {"workers": 2, "memory": "1GiB"}}
    score(bad_job(model, tmp_path / "in.csv", tmp_path / "two", **workers), cluster="local")
    assert objects(str(tmp_path / "one")) == objects(str(tmp_path / "two"))
    assert any(name.startswith("_errors/") for name in objects(str(tmp_path / "two")))


def test_rejected_row_of_a_compressed_file_has_its_place_in_the_decompressed_text(model, tmp_path):
    import gzip

    data = spread()
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(data))
    score(bad_job(model, tmp_path / "in.csv.gz", tmp_path / "out"), cluster="in-process")
    found = rejects(tmp_path / "out")
    assert len(found) == 14
    assert all(data[one["offset"] :].startswith(raw_of(one) + b"\n") for one in found)


# -- other rows of a batch -------------------------------------------------------------------------------------------


def test_good_rows_of_a_batch_are_scored_in_one_call(model, tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHY_CALLS", str(tmp_path / "calls"))
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 500) + b"500,2e6,1\n" + rows(501, 500))
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", input={"partitionBytes": "1MiB"})
    assert score(job, cluster="in-process").totals.rejected == 1
    calls = [int(line) for line in (tmp_path / "calls").read_text().split()]
    assert calls[0] == 1001
    assert calls[-1] == 1000
    # Eight single rows, and both halves of each half that raises.
    assert len(calls) <= 2 + 8 + 2 * 11


# -- reject limits ---------------------------------------------------------------------------------------------------


def parts(output: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in output.rglob("part-*")}


@pytest.mark.parametrize("limit", [{"maxRows": 6}, {"maxFraction": 0.001}, {"maxRows": 0}, {"maxFraction": 0}])
def test_exceeded_reject_limit_fails_the_run_and_a_larger_one_resumes_it(model, tmp_path, limit):
    (tmp_path / "in.csv").write_bytes(spread())
    with pytest.raises(RejectLimitError, match="rejected"):
        score(bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors=limit), cluster="in-process")
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    before = parts(tmp_path / "out")
    with pytest.raises(RejectLimitError):
        score(bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors=limit), cluster="in-process")
    assert parts(tmp_path / "out") == before, "a rerun with the same limit scores nothing"
    larger = bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors={"maxRows": 14})
    assert score(larger, cluster="in-process").totals.rejected == 14
    after = parts(tmp_path / "out")
    assert before
    assert {name: after[name] for name in before} == before, "finished parts are not touched"
    undisturbed = bad_job(model, tmp_path / "in.csv", tmp_path / "again")
    score(undisturbed, cluster="in-process")
    assert objects(str(tmp_path / "out")) == objects(str(tmp_path / "again"))


def test_reject_limit_that_is_met_exactly_is_not_exceeded(model, tmp_path):
    (tmp_path / "in.csv").write_bytes(spread())
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors={"maxRows": 14, "maxFraction": 14 / 714})
    assert score(job, cluster="in-process").totals.rejected == 14


def test_reject_fraction_is_not_exceeded_by_a_bad_beginning(model, tmp_path):
    """Long rows at the beginning make the plan underestimate the rows, and the limit must not depend on that."""
    long = b"".join(b"%d,%s1.5,1\n" % (i, b" " * 900) for i in range(300))
    (tmp_path / "in.csv").write_bytes(HEADER + long + b"x,bad,1\n" * 60 + rows(0, 20_000))
    job = bad_job(
        model, tmp_path / "in.csv", tmp_path / "out", errors={"maxFraction": 0.01}, input={"partitionBytes": "64KiB"}
    )
    assert score(job, cluster="in-process").totals.rejected == 60


def test_reject_fraction_that_must_be_exceeded_fails_the_run_early(model, tmp_path):
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 500) + b"x,bad,1\n" * 2000 + rows(0, 8000))
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", errors={"maxFraction": 0.01})
    with pytest.raises(RejectLimitError, match="of"):
        score(job, cluster="in-process")
    assert 10 < len(parts(tmp_path / "out")) < 50


@pytest.mark.parametrize("cluster", ["in-process", "local"])
def test_rows_of_wrongly_started_partitions_do_not_count_toward_the_reject_limit(model, tmp_path, cluster):
    """Partitions that start inside a quoted field find only bad rows at first, or models that fail on all rows."""
    inside = b"no,row\n" * 600 + b"7,2e6,7,\n" * 600
    data = b"note," + HEADER + b"".join(b"," + row + b"\n" for row in rows(0, 40).splitlines())
    data += b'"' + inside + b'",40,40.5,1\n' + b",41,41.5,1\n"
    (tmp_path / "in.csv").write_bytes(data)
    for errors in ({"maxRows": 0}, {"onRowError": "Fail"}):
        job = bad_job(
            model,
            tmp_path / "in.csv",
            tmp_path / next(iter(errors)),
            errors=errors,
            cluster={"workers": 2, "memory": "1GiB"},
        )
        assert score(job, cluster=cluster).totals.scored == 42


def test_run_that_fails_on_the_first_bad_row_names_it(model, tmp_path):
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 400) + b"400,abc,1\n" + rows(401, 100))
    code, _, err = run(
        "score",
        "--model",
        model,
        "--input",
        tmp_path / "in.csv",
        "--output",
        tmp_path / "out",
        "--on-row-error",
        "Fail",
        "--cluster",
        "in-process",
        "--set",
        "spec.input.partitionBytes=1KiB",
    )
    assert code == 4
    assert 'in.csv line 402, column "x": "abc" is not a number' in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_run_that_fails_on_the_first_bad_row_of_parquet_names_its_row_number(model, tmp_path):
    frame = pd.DataFrame({"id": range(300), "x": [1.5] * 250 + [2e6] + [1.5] * 49, "y": [1.0] * 300})
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=100)
    job = bad_job(model, tmp_path / "in.parquet", tmp_path / "out", errors={"onRowError": "Fail"})
    with pytest.raises(RejectLimitError, match=r"in\.parquet row 250: ValueError: x is too large"):
        score(job, cluster="in-process")


# -- failing models --------------------------------------------------------------------------------------------------


def test_model_that_raises_on_every_row_fails_the_run(tmp_path, monkeypatch):
    model = touchy_bundle(tmp_path / "model")
    monkeypatch.setenv("TOUCHY_CALLS", str(tmp_path / "calls"))
    (tmp_path / "in.csv").write_bytes(HEADER + b"1,2e6,1\n" * 1_000_000)
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out", input={"partitionBytes": "64MiB"})
    with pytest.raises(ModelError, match=r"ValueError: x is too large: 2e\+06"):
        score(job, cluster="in-process")
    assert len((tmp_path / "calls").read_text().split()) == 1 + 8


def test_range_of_bad_rows_is_rejected_if_the_model_scores_others(model, tmp_path):
    bad = b"".join(b"%d,2e6,1\n" % i for i in range(600))
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 300) + bad + rows(900, 300))
    manifest = score(bad_job(model, tmp_path / "in.csv", tmp_path / "out"), cluster="in-process")
    assert (manifest.totals.scored, manifest.totals.rejected) == (600, 600)


@pytest.mark.parametrize("fault", ["MemoryError", "OSError"])
def test_faults_of_the_machine_do_not_reject_rows(model, tmp_path, monkeypatch, fault):
    monkeypatch.setenv("TOUCHY_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("TOUCHY_TRICK", json.dumps({"at": 3, "raise": fault}))
    (tmp_path / "in.csv").write_bytes(HEADER + rows(0, 500))
    job = bad_job(model, tmp_path / "in.csv", tmp_path / "out")
    if fault == "OSError":
        # The fault is temporary, and the whole partition is retried.
        assert score(job, cluster="in-process").totals.scored == 500
    else:
        with pytest.raises(Exception, match="injected fault"):
            score(job, cluster="in-process")
    assert not (tmp_path / "out" / "_errors").exists()
