"""A row group that decodes to more than there is memory for is refused, and not read until the process is killed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoremill.naming import WORKER_ENVIRONMENT
from scoremill.tabular import memory
from scoremill.tabular.damage import damage_reported
from scoremill.tabular.memory import OutOfMemoryError, bounded, limit_memory, spare_memory
from scoremill.units import MIB
from tests.support.bombs import BOMBS, write_bomb
from tests.support.jobs import ROOT

SPARE = 48 * MIB
READ = f"""
import sys
from pathlib import Path
import pandas
from scoremill.worker.peak import peak_memory
from scoremill.errors import ClusterError
from scoremill.tabular.memory import limit_memory
from scoremill.tabular.parquet_reader import read_row_group

before = peak_memory()
limit_memory(int((before + {SPARE}) / 0.95))
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        columns = ["id", "note"] if "zeros" not in path else ["a"]
        try:
            index = 0 if "zeros" in path else 1
            rows = sum(len(batch) for batch in read_row_group(file, "x.parquet", index, columns, 131072))
        except ClusterError:
            rows = "refused"
    print(Path(path).stem, rows, peak_memory() - before <= {SPARE})
"""


def test_a_row_group_that_does_not_fit_is_refused_before_it_is_decoded(tmp_path):
    for kind in BOMBS:
        write_bomb(tmp_path / f"{kind}.parquet", kind)
    # Many rows are no reason to refuse: they are read batch by batch.
    pq.write_table(pa.table({"a": np.zeros(8_000_000)}), tmp_path / "zeros.parquet", row_group_size=8_000_000)
    paths = [str(tmp_path / f"{name}.parquet") for name in (*BOMBS, "zeros")]
    assert all(Path(path).stat().st_size < 2 * MIB for path in paths)
    environment = {**os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": f"{ROOT}/src"}
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        *(f"{kind} refused True" for kind in BOMBS),
        "zeros 8000000 True",
    ]


@pytest.fixture
def limited():
    """Limits of this process, which end with the test."""
    yield
    limit_memory(None)


@pytest.mark.usefixtures("limited")
def test_the_limit_holds_only_while_something_is_read():
    before, pool = resource.getrlimit(resource.RLIMIT_DATA), pa.default_memory_pool().backend_name
    inside: list[int] = []

    def items():
        inside.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        yield 1

    for _ in bounded(items()):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert inside != [before[0]]
    assert pa.default_memory_pool().backend_name == pool


def test_other_failures_are_reported_unchanged():
    def items():
        yield 1
        raise OSError("no such thing")

    with pytest.raises(OSError, match="no such thing"):
        list(bounded(items()))

    def more():
        raise MemoryError
        yield

    with pytest.raises(OutOfMemoryError):
        list(bounded(more()))


@pytest.mark.usefixtures("limited")
def test_spare_memory_is_that_of_the_worker_or_else_of_the_machine():
    of_machine = spare_memory()
    assert of_machine is not None and of_machine > 0
    limit_memory(1)
    assert spare_memory() == 0


@pytest.mark.parametrize(
    "error",
    [pa.ArrowMemoryError("malloc"), pa.ArrowException("Unknown error: Failed to launch worker thread"), MemoryError()],
)
def test_a_lack_of_memory_is_not_taken_for_damage(error: Exception) -> None:
    with pytest.raises(type(error)), damage_reported("s3://b/good.parquet"):
        raise error

    def rows():
        raise error
        yield

    with pytest.raises(OutOfMemoryError):
        next(bounded(rows()))


def test_what_is_free_can_be_used_however_much_the_process_holds(monkeypatch) -> None:
    monkeypatch.setattr(memory, "_available", lambda: 10 * MIB)
    monkeypatch.setattr(memory, "_of_groups", lambda: iter(()))
    assert spare_memory() == int(9.5 * MIB)
