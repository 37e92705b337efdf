"""Both engines score the rows that Python's csv module reads, for any table, dialect and partition boundary.

CSV_EXAMPLES=1000 tries more than CI does.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from scoremill import pack, score, verify
from scoremill.spec import ScoringJob
from tests.support.jobs import make_job, stored

EXAMPLES = int(os.environ.get("CSV_EXAMPLES", "150"))
"""Number of examples for the in-process engine. The LocalCluster runs a third of them."""
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["", '"', '""', "\n", "\r\n", "a,b", '5" disk', "'", ";", "\t", "|", "ä", "  ", "\r", '\n"\n', "NA"]
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that accepts any text."""
    sample = pd.DataFrame({"c0": ["a", "b"] * 10})
    folder = tmp_path_factory.mktemp("any") / "bundle"
    pack(DummyClassifier(strategy="prior").fit(sample, np.arange(20) % 2), str(folder), sample=sample, method="predict")
    return str(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[str]], str, str, int]:
    """Draw rows, the name of a dialect, a delimiter, and the size of a partition."""
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(TEXT, min_size=width, max_size=width), max_size=12))
    return (
        rows,
        draw(st.sampled_from(["excel", "excel-tab", "unix"])),
        draw(st.sampled_from(",;\t|")),
        draw(st.integers(1, 90)),
    )


def cut_job(
    bundle: str, folder: Path, case: tuple[list[list[str]], str, str, int]
) -> tuple[ScoringJob, list[list[str]]]:
    """Return a job with smaller partitions than a job file allows, and the rows that it must score."""
    rows, dialect, delimiter, partition_bytes = case
    names = [f"c{i}" for i in range(len(rows[0]) if rows else 1)]
    text = io.StringIO()
    csv.writer(text, dialect=dialect, delimiter=delimiter).writerows([names, *rows])
    folder.mkdir()
    (folder / "in.csv").write_bytes(text.getvalue().encode())
    spec = {
        "input": {"csv": {"delimiter": delimiter}},
        "output": {"keep": names},
    }
    job = make_job(bundle, str(folder / "in.csv"), str(folder / "out"), **spec)
    finer = job.spec.input.model_copy(update={"partition_bytes": partition_bytes})
    expected = list(csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter))[1:]
    return job.model_copy(update={"spec": job.spec.model_copy(update={"input": finer})}), [
        row for row in expected if row
    ]


def assert_rows_are_those_of_the_csv_module(bundle, folder, case, where):
    job, expected = cut_job(bundle, folder / secrets.token_hex(6), case)
    totals = score(job, cluster=where).totals
    made = stored(job.spec.output.uri).drop(columns="prediction").fillna("")
    assert made.to_numpy(dtype=object).tolist() == expected
    assert (totals.scored, totals.rejected) == (len(expected), 0)
    verify(job.spec.output.uri)


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(case=cases())
def test_any_table_is_scored_in_process(bundle, tmp_path_factory, case):
    assert_rows_are_those_of_the_csv_module(bundle, tmp_path_factory.getbasetemp(), case, "in-process")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=SLOW)
@given(case=cases())
def test_any_table_is_scored_on_a_cluster(bundle, cluster, tmp_path_factory, case):
    assert_rows_are_those_of_the_csv_module(bundle, tmp_path_factory.getbasetemp(), case, cluster)
