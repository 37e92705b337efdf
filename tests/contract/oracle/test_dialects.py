"""Runs over common CSV dialects and Parquet score the same rows that pandas reads."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from scoremill import score, verify
from scoremill.spec import NULL_VALUES
from tests.contract.oracle.oracle import columns, kept, read_csv, staged, written
from tests.support.jobs import make_job

KEEP = ["id", "payment", "note"]
PAYMENTS = ["cash", "crédit", "no charge", "cheque, signed", 'the "other"']


def trips(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows with missing values, accents, quotes, delimiters and newlines."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "distance": random.exponential(3, rows),
            "payment": random.choice(PAYMENTS, rows),
            "note": random.choice(
                ["", "late", "a, b; c\td|e", 'he said "no"', "two\nlines", '"', "été\n\n", '""\n"'], rows
            ),
            "passengers": random.integers(1, 6, rows),
        }
    )
    frame.loc[random.random(rows) < 0.1, "distance"] = np.nan
    frame.loc[random.random(rows) < 0.1, "payment"] = None
    return frame


@pytest.fixture(scope="module")
def model() -> Pipeline:
    sample = trips(400)
    entrance = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["distance", "passengers"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["payment"]),
    )
    return make_pipeline(entrance, LogisticRegression()).fit(sample, sample["passengers"] > 2)


@pytest.fixture(scope="module")
def bundle(model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> str:
    return staged(model, tmp_path_factory.mktemp("bundle") / "trips", trips(400), "predict_proba")


@pytest.fixture(params=["1KiB", "64MiB"])
def cut(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Check = Callable[..., None]


@pytest.fixture
def check(model: Pipeline, bundle: str, tmp_path: Path, cut: str) -> Check:
    """A function that scores `inputs` and compares the result with the model's predictions for `frame`."""

    def compare(inputs: Any, frame: pd.DataFrame, **spec: Any) -> None:
        output = tmp_path / "out"
        spec["input"] = {"partitionBytes": cut, **spec.get("input", {})}
        score(make_job(bundle, inputs, str(output), output={"keep": KEEP}, **spec), cluster="in-process")
        proba = columns(["proba_False", "proba_True"], model.predict_proba(frame))
        truth = pd.DataFrame(kept(frame, KEEP) | proba)
        nulls = spec["input"].get("csv", {}).get("nullValues")
        made = pd.DataFrame(written(output, nulls, of_csv="parquet" not in inputs))
        pd.testing.assert_frame_equal(made, truth, rtol=1e-12, atol=1e-12, check_dtype=False)
        assert verify(str(output)).totals.scored == len(frame)

    return compare


def text(frame: pd.DataFrame, **options: Any) -> str:
    return frame.to_csv(index=False, **options)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_newlines_of_all_kinds_are_read_with_and_without_a_final_one(check, tmp_path, newline, is_ended):
    data = text(trips(150), lineterminator=newline, quoting=csv.QUOTE_NONNUMERIC)
    path = tmp_path / "a.csv"
    path.write_bytes((data if is_ended else data.removesuffix(newline)).encode())
    check(str(path), read_csv(path))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_delimiters_and_quoting_styles_are_read(check, tmp_path, delimiter, quoting):
    path = tmp_path / "a.csv"
    path.write_text(text(trips(150), sep=delimiter, quoting=quoting))
    check(str(path), read_csv(path, sep=delimiter), input={"csv": {"delimiter": delimiter}})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252"])
def test_encodings_and_byte_order_marks_are_read(check, tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(text(trips(150)).encode(encoding))
    declared = "utf-8" if encoding.startswith("utf-8") else encoding
    check(str(path), read_csv(path, encoding=encoding), input={"csv": {"encoding": declared}})


def test_another_quote_character_is_read(check, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text(trips(150), quotechar="'", quoting=csv.QUOTE_ALL))
    check(str(path), read_csv(path, quotechar="'"), input={"csv": {"quote": "'"}})


def test_blank_lines_and_blank_fields_are_read_as_pandas_reads_them(check, tmp_path):
    path = tmp_path / "a.csv"
    frame = trips(150)
    frame["note"] = "x"
    path.write_text("\n\n" + text(frame).replace("\n", "\n\n") + "\n\n")
    check(str(path), read_csv(path))


def test_files_without_a_header_are_read(check, tmp_path):
    names, path = list(trips(1).columns), tmp_path / "a.csv"
    path.write_text(text(trips(150), header=False))
    check(
        str(path),
        read_csv(path, header=None, names=names),
        input={"csv": {"header": False, "columns": names}},
    )


def test_every_default_null_value_is_missing(check, tmp_path):
    path, random = tmp_path / "a.csv", np.random.default_rng(0)
    nulls = list(NULL_VALUES)
    rows = [
        [
            str(i),
            random.choice([*nulls, "2.5", " 3 ", "1e3"]),
            random.choice([*nulls, "cash", " NA", "nil"]),
            random.choice([*nulls, "x"]),
            random.choice([*nulls, "4"]),
        ]
        for i in range(200)
    ]
    path.write_text("id,distance,payment,note,passengers\n" + "".join(",".join(row) + "\n" for row in rows))
    check(str(path), read_csv(path))


def test_given_null_values_replace_the_defaults(check, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,distance,payment,note,passengers\n" + "1,-,NA,null,2\n2,1.5,cash,-,3\n3,,-,,1\n")
    frame = read_csv(path, na_values=["-", ""], keep_default_na=False)
    check(str(path), frame, input={"csv": {"nullValues": ["-", ""]}})


def test_numbers_are_read_to_the_last_bit(check, tmp_path):
    path, random = tmp_path / "a.csv", np.random.default_rng(0)
    numbers = [repr(value) for value in random.exponential(3, 100).tolist()] + [
        f"{value:.25f}" for value in random.exponential(3, 100)
    ]
    path.write_text(
        "id,distance,payment,note,passengers\n" + "".join(f"{i},{n},cash,x,2\n" for i, n in enumerate(numbers))
    )
    check(str(path), read_csv(path))


def test_columns_are_matched_by_name_in_any_order_and_surplus_ones_are_ignored(check, tmp_path):
    random, frames = np.random.default_rng(0), []
    for number in range(4):
        frame = trips(80, seed=number)
        frame[f"surplus {number}"] = 'a,"b"\n'
        frame = frame[list(random.permutation(frame.columns))]
        (tmp_path / f"{number}.csv").write_text(text(frame))
        frames.append(read_csv(tmp_path / f"{number}.csv"))
    check(str(tmp_path / "*.csv"), pd.concat(frames, ignore_index=True)[list(trips(1).columns)])


def test_uris_are_read_in_listed_order_each_sorted_without_duplicates(check, tmp_path):
    frames = {}
    for number, name in enumerate(["b/2.csv", "b/10.csv", "a/1.csv", "c.csv"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text(trips(60, seed=number)))
        frames[name] = read_csv(tmp_path / name)
    order = ["c.csv", "b/10.csv", "b/2.csv", "a/1.csv"]
    uris = [f"{tmp_path}/c.csv", f"{tmp_path}/b/*.csv", f"{tmp_path}/*/*.csv", f"{tmp_path}/a"]
    check(uris, pd.concat([frames[name] for name in order], ignore_index=True))


def test_empty_files_and_files_without_rows_between_others_add_no_rows(check, tmp_path):
    header = ",".join(trips(1).columns)
    for name, content in {
        "0.csv": "",
        "1.csv": text(trips(50)),
        "2.csv": "",
        "3.csv": header,
        "4.csv": header + "\n",
        "5.csv": "\n\n",
        "6.csv": text(trips(50, seed=1)),
        "7.csv": "",
    }.items():
        (tmp_path / name).write_text(content)
    frames = [read_csv(tmp_path / name) for name in ("1.csv", "6.csv")]
    check(str(tmp_path / "*.csv"), pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize("content", ["", "id,distance,payment,note,passengers", "\ufeff"])
def test_input_without_rows_gives_output_without_rows(bundle, tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    output = str(tmp_path / "out")
    score(make_job(bundle, str(tmp_path / "a.csv"), output, input={"allowEmpty": True}), cluster="in-process")
    assert verify(output).totals.rows == 0
    assert list(pd.read_parquet(output).columns) == ["proba_False", "proba_True"]


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "several.gz": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files_are_read(check, tmp_path, suffix):
    data = text(trips(150))
    (tmp_path / f"a.csv.{suffix}").write_bytes(PACKERS[suffix](data.encode()))
    check(str(tmp_path / "a.csv.*"), read_csv(io.StringIO(data)))


def test_compressed_and_plain_files_are_read_together(check, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text(trips(50)).encode()))
    (tmp_path / "b.csv").write_text(text(trips(50, seed=1)))
    frames = [read_csv(tmp_path / "a.csv.gz"), read_csv(tmp_path / "b.csv")]
    check(str(tmp_path / "[ab].*"), pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize("row_group", [20, 1000])
def test_parquet_with_several_row_groups_is_read(check, tmp_path, row_group):
    frame = trips(150)
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=row_group)
    frame.iloc[:0].to_parquet(tmp_path / "b.parquet")
    check(str(tmp_path / "*.parquet"), frame)


def test_parquet_with_categories_narrow_numbers_and_a_named_index_is_read(check, tmp_path):
    frame = trips(150).astype({"payment": "category", "note": "category", "distance": "float32", "passengers": "int8"})
    frame.index.name = "place"
    frame[["note", "passengers", "distance", "id", "payment"]].to_parquet(tmp_path / "a.parquet", row_group_size=40)
    check(str(tmp_path / "a.parquet"), frame.astype({"payment": "str", "note": "str", "distance": "float64"}))


def test_irregular_quotes_are_read_as_pandas_reads_them(check, tmp_path):
    frame = trips(150)
    frame["payment"] = "cash"
    frame["note"] = [f'{i}" disk' if i in {40, 41, 90} else "x" for i in range(150)]
    path = tmp_path / "a.csv"
    path.write_text(text(frame, quoting=csv.QUOTE_NONE, escapechar="\\", quotechar="\0").replace("\\", ""))
    truth = read_csv(path)
    assert truth["note"][40] == '40" disk'
    check(str(path), truth)


@pytest.mark.parametrize("note", ['5" disk', '"two\nlines"'])
def test_complete_run_over_irregular_quotes_is_not_repeated(bundle, tmp_path, note):
    lines = [f"{i},1.5,cash,{note if i == 70 else 'x'},2\n" for i in range(150)]
    (tmp_path / "a.csv").write_text("id,distance,payment,note,passengers\n" + "".join(lines))
    job = make_job(bundle, str(tmp_path / "a.csv"), str(tmp_path / "out"), input={"partitionBytes": "1KiB"})
    score(job, cluster="in-process")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if "lease" not in str(path)}
    score(job, cluster="in-process")
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if "lease" not in str(path)}
    assert {p: t for p, t in after.items() if p.is_file()} == {p: t for p, t in before.items() if p.is_file()}


def test_lines_before_the_header_are_skipped(check, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Report "of trips\n\nMarch, 2009\n' + text(trips(150)))
    check(str(path), read_csv(io.StringIO(text(trips(150)))), input={"csv": {"skipRows": 3}})


def test_lines_before_the_rows_of_a_file_without_a_header_are_skipped(check, tmp_path):
    names, path = list(trips(1).columns), tmp_path / "a.csv"
    path.write_text("Report\n" + text(trips(150), header=False))
    frame = read_csv(path, header=None, names=names, skiprows=1)
    check(str(path), frame, input={"csv": {"header": False, "columns": names, "skipRows": 1}})


def test_comment_lines_are_skipped_anywhere_in_a_file(check, tmp_path):
    path, frame = tmp_path / "a.csv", trips(150)
    frame["note"] = ["#1", "a # b", "x"] * 50
    lines = text(frame).splitlines(keepends=True)
    commented = [f'# "line" {i}\n{line}' if i % 10 == 0 else line for i, line in enumerate(lines)]
    path.write_text("".join(commented) + "#the end")
    check(str(path), read_csv(io.StringIO("".join(lines))), input={"csv": {"comment": "#"}})


def test_comment_character_inside_quotes_is_text(check, tmp_path):
    path, frame = tmp_path / "a.csv", trips(150)
    frame["note"] = "two\n#lines\n# of text"
    path.write_text(text(frame))
    check(str(path), read_csv(path), input={"csv": {"comment": "#"}})


@pytest.mark.parametrize("doublequote", [False, True])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_escaped_quotes_inside_quotes_are_read(check, tmp_path, doublequote, quoting):
    path, frame = tmp_path / "a.csv", trips(150)
    frame["note"] = frame["note"].mask(frame["id"] % 7 == 0, "a \\ b, \\\\, \\")
    how = {"escapechar": "\\", "doublequote": doublequote}
    path.write_text(text(frame, quoting=quoting, **how))
    check(str(path), read_csv(path, **how), input={"csv": {"escape": "\\"}})


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_escapes_inside_and_outside_quotes_are_read(check, tmp_path, quoting):
    path, frame = tmp_path / "a.csv", trips(150)
    frame["note"] = frame["note"].mask(frame["id"] % 7 == 0, "\\")
    how = {"escapechar": "\\", "doublequote": False}
    path.write_text(text(frame, quoting=quoting, **how))
    check(str(path), read_csv(path, **how), input={"csv": {"escape": "\\", "escapeUnquoted": True}})


UNQUOTED = {"delimiter": "\t", "quote": "", "nullValues": ["\\N"]}


def tab_separated(frame: pd.DataFrame, escape: str) -> str:
    """Return text as `SELECT … INTO OUTFILE` writes it: \\N for missing values, `escape` before special characters."""
    special = str.maketrans({mark: escape + mark for mark in "\\\t\n"} if escape else {})
    rows = [[field.translate(special) for field in row] for row in csv.reader(io.StringIO(text(frame, na_rep="\\N")))]
    return "".join("\t".join(row) + "\n" for row in rows).replace("\\\\N", "\\N")


def test_escaped_delimiters_newlines_and_nulls_without_quotes_are_read(check, tmp_path):
    path, frame = tmp_path / "a.tsv", trips(150)
    path.write_text(tab_separated(frame, "\\"))
    assert "two\\\nlines" in path.read_text() and "a, b; c\\\td|e" in path.read_text()
    truth = read_csv(io.StringIO(text(frame, na_rep="\\N")), na_values=["\\N"], keep_default_na=False)
    check(str(path), truth, input={"csv": {**UNQUOTED, "escape": "\\", "escapeUnquoted": True}})


def test_quotes_are_text_if_quoting_is_off(check, tmp_path):
    path, frame = tmp_path / "a.tsv", trips(150)
    frame["note"] = ['"quoted"', '"', '5" disk', '""', "x"] * 30
    path.write_text(tab_separated(frame, ""))
    truth = read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, na_values=["\\N"], keep_default_na=False)
    assert truth["note"][0] == '"quoted"'
    check(str(path), truth, input={"csv": UNQUOTED})


def test_blanks_after_delimiters_are_dropped(check, tmp_path):
    path, frame = tmp_path / "a.csv", trips(150)
    frame["note"] = ["x", "a, b", '"', "two\nlines", " "] * 30
    lines = csv.reader(io.StringIO(text(frame)))
    path.write_text("\n".join(",  ".join(_quoted(field) for field in line) for line in lines))
    truth = read_csv(path, skipinitialspace=True)
    assert list(truth["note"][:2]) == ["x", "a, b"]
    check(str(path), truth, input={"csv": {"skipInitialSpace": True}})


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if set(field) & set('," \n') else field


@pytest.mark.parametrize("tail", [",,", ',""', ",,\r"])
def test_empty_fields_after_the_last_column_are_dropped(check, tmp_path, tail):
    path = tmp_path / "a.csv"
    header, *lines = text(trips(150).replace("\n", " ", regex=True)).splitlines()
    path.write_bytes("\n".join([header, "", *(line + tail for line in lines)]).encode())
    truth = read_csv(io.StringIO("\n".join([header, *lines])))
    check(str(path), truth, input={"csv": {"surplusFields": "DropEmpty"}})
