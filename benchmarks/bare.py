"""(a) A bare loop: one process per core, each file as a whole, no retries, no verification, no resume. An upper bound."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Self

import joblib
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline import COLUMNS

_model: Any = None


class BareLoop:
    """Scores files with Arrow, scikit-learn and nothing else."""

    name = "(a) bare loop: Arrow, scikit-learn, Parquet"

    def __init__(self, model: Path, processes: int) -> None:
        self.model, self.processes = model, processes

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(self.processes, spawn, initializer=_load, initargs=(self.model,))
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def score(self, data: Path, output: Path) -> None:
        """Write one Parquet file below `output` for each CSV below `data`."""
        output.mkdir(parents=True)
        files = sorted(data.glob("*.csv"))
        list(self.pool.map(_score, files, [output / f"{file.stem}.parquet" for file in files]))


def _load(model: Path) -> None:
    global _model
    pa.set_cpu_count(1)
    _model = joblib.load(model)


def _score(source: Path, target: Path) -> None:
    table = pyarrow.csv.read_csv(
        source,
        pyarrow.csv.ReadOptions(use_threads=False),
        convert_options=pyarrow.csv.ConvertOptions(include_columns=COLUMNS),
    )
    no, yes = _model.predict_proba(table.to_pandas()).T
    pyarrow.parquet.write_table(pa.table({"proba_False": no, "proba_True": yes}), target)
