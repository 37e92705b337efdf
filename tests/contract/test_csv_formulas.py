"""CSV output with `csvFormulas: Escape` has no text that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scoremill import score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import UsageError
from scoremill.outputs.compact import compact
from scoremill.outputs.retry import retry_rejected
from scoremill.spec import CsvFormulas
from scoremill.storage.filesystem import Store
from scoremill.tabular.writers import open_writer
from tests.support.jobs import make_job, objects, run, strict_and_mild

FORMULAS = ["=1+1", "+1", "-1", "@sum(a1)", "\tx", "\rx", "\nx", "\uff1d1", '=cmd|"/c calc"!a1']
TEXTS = [*FORMULAS, "plain", "a=b", "'=1", "", " =1"]
ESCAPED = [*(f"'{text}" for text in FORMULAS), "plain", "a=b", "'=1", "", " =1"]


def written(table: pa.Table, formulas: CsvFormulas) -> list[list[str]]:
    sink = io.BytesIO()
    writer = open_writer("csv", sink, table.schema, formulas)
    writer.write(table)
    writer.close()
    return list(csv.reader(io.StringIO(sink.getvalue().decode(), newline="")))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
@pytest.mark.parametrize("others", [{}, {"n": pa.array(range(len(TEXTS)))}], ids=["alone", "of two"])
def test_texts_that_could_be_formulas_are_prefixed_with_a_quote(kind, others):
    table = pa.table({"t": pa.array(TEXTS).cast(kind), **others})
    assert [row[0] for row in written(table, "Escape")] == ["t", *ESCAPED]
    assert [row[0] for row in written(table, "Keep")] == ["t", *TEXTS]


@pytest.mark.parametrize(
    "values",
    [[-1, 2], [-1.5, float("nan")], pa.array([-1, 2]).cast(pa.decimal128(30, 2)), pa.array([-1, 2], pa.int8())],
    ids=["int64", "float64", "decimal", "int8"],
)
def test_numbers_are_not_escaped(values):
    for table in (pa.table({"n": values}), pa.table({"n": values, "t": ["a", "b"]})):
        assert written(table, "Escape") == written(table, "Keep")


def test_column_names_are_escaped_and_missing_values_stay_empty():
    table = pa.table({"=a": ["=1", None], "b": [None, "x"]})
    assert written(table, "Escape") == [["'=a", "b"], ["'=1", ""], ["", "x"]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of a model that rejects infinite numbers and of one that accepts them."""
    return strict_and_mild(tmp_path_factory.mktemp("models"))


ROWS = 40


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A CSV whose first row is rejected by the strict model."""
    ids = [f"={number}" for number in range(ROWS)]
    pd.DataFrame({"=id": ids, "x": [np.inf, *range(ROWS - 1)]}).to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


def made(models: Path, source: Path, **output: Any) -> str:
    output = {"keep": ["=id"], "format": "csv", "csvFormulas": "Escape", **output}
    to = str(source.parent / "out")
    job = make_job(str(models / "strict"), str(source), to, output=output, errors={"maxFraction": None})
    score(job, cluster="in-process")
    return to


def ids(output: str) -> list[str]:
    """Return the names and values of the first column of all parts."""
    parts = [data.decode() for name, data in sorted(objects(output).items()) if name.endswith(".csv")]
    return [row[0] for part in parts for row in csv.reader(io.StringIO(part, newline=""))]


def test_output_with_escaped_formulas_can_be_verified_retried_and_compacted(models, source, tmp_path):
    output = made(models, source)
    wanted = ["'=id", *(f"'={number}" for number in range(1, ROWS))]
    assert ids(output) == wanted
    verify(output)
    compact(Store(output), Store(str(tmp_path / "small")), 1000)
    verify(str(tmp_path / "small"))
    assert ids(str(tmp_path / "small")) == wanted
    retry_rejected(Store(output), lambda _: InProcess(), {"spec": {"model": {"uri": str(models / "mild")}}})
    # The retry reads the unescaped row of the input.
    assert ids(f"{output}/_retries/1") == ["'=id", "'=0"]


def test_output_is_not_resumed_with_another_csv_formulas_setting(models, source):
    made(models, source)
    with pytest.raises(UsageError, match=r"`spec.output.csvFormulas`: Escape → Keep"):
        made(models, source, csvFormulas="Keep")


def test_escaped_formulas_are_refused_for_other_formats_and_the_hint_works(models, source, tmp_path):
    command = ["score", "--model", str(models / "mild"), "--input", str(source), "--keep", "=id", "--limit", "2"]
    code, _, err = run(*command, "--set", "spec.output.csvFormulas=Escape")
    assert code == 2
    assert "--set spec.output.csvFormulas=Escape is for CSV output: add --format csv" in err
    code, rows, _ = run(*command, "--set", "spec.output.csvFormulas=Escape", "--format", "csv")
    assert code == 0
    assert rows.splitlines()[1].startswith('"\'=0"')
