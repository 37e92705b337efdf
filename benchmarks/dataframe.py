"""(b) dask.dataframe as in tutorials: read_csv, map_partitions and to_parquet on a LocalCluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import dask.dataframe
import joblib
import pandas as pd
from distributed import Client, LocalCluster

from pipeline import COLUMNS

AS_WRITTEN = {
    "dtype": {"vendor_name": "category", "Payment_Type": "category"},
    "parse_dates": ["Trip_Pickup_DateTime", "Trip_Dropoff_DateTime"],
    "assume_missing": True,  # without it, it fails, because Tolls_Amt has only integers in the first block
}
"""Options of "Scalable Machine Learning (Part 1)" of 2017, which reads all columns."""
AS_TUNED = {"usecols": COLUMNS, "parse_dates": ["Trip_Pickup_DateTime"]}
"""Tuned options: only the columns that the model needs."""


class DaskDataFrame:
    """Scores files with dask.dataframe; each task holds the model and one block of a file."""

    def __init__(self, name: str, reading: dict[str, Any], model: Path, processes: int) -> None:
        self.name, self.reading, self.model, self.processes = name, reading, model, processes

    def __enter__(self) -> Self:
        self.cluster = LocalCluster(n_workers=self.processes, threads_per_worker=1, dashboard_address="127.0.0.1:0")
        self.client = Client(self.cluster)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.cluster.close()

    def score(self, data: Path, output: Path) -> None:
        """Write one Parquet file per partition to the folder `output`."""
        model = joblib.load(self.model)
        trips = dask.dataframe.read_csv(data / "*.csv", **self.reading)
        scores = trips.map_partitions(lambda part: pd.Series(model.predict_proba(part)[:, 1]), meta=("yhat", "f8"))
        scores.to_frame().to_parquet(output)
