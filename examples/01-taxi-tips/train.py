"""Train in RAM: read a part of the data with pandas, fit, print the AUC, save.

    python train.py trips/trips-2009-01.csv --rows 100000 --output model

writes model/model.joblib, and model/sample.parquet: rows with the column types that the model was fitted with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from pipeline import COLUMNS, build


def train(data: Path, output: Path, rows: int = 100_000) -> float:
    """Train on the first `rows` rows of `data`, write model and sample to `output`, and return the AUC on a quarter."""
    trips = pd.read_csv(data, nrows=rows, usecols=[*COLUMNS, "Tip_Amt"], parse_dates=["Trip_Pickup_DateTime"])
    tipped = trips.pop("Tip_Amt") > 0
    trips = trips[list(COLUMNS)]
    seen, unseen, tipped_seen, tipped_unseen = train_test_split(trips, tipped, random_state=0)
    model = build().fit(seen, tipped_seen)
    output.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, output / "model.joblib")
    trips.head(1000).to_parquet(output / "sample.parquet", index=False)
    return float(roc_auc_score(tipped_unseen, model.predict_proba(unseen)[:, 1]))


def main() -> None:
    """Train with the arguments of the command line, and print the AUC."""
    parser = argparse.ArgumentParser(description="Train the tip model.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--output", type=Path, default=Path("model"))
    arguments = parser.parse_args()
    auc = train(arguments.data, arguments.output, arguments.rows)
    print(f"AUC {auc:.3f} on held-out rows; the model is in {arguments.output}")


if __name__ == "__main__":
    main()
