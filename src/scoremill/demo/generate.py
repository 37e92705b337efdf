"""Write training.csv, and three files of trips to score, one of which has an unreadable row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 20_000
"""Rows of a file."""


def trips(rows: int, seed: int) -> pd.DataFrame:
    """Return random trips; the same seed gives the same ones."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "trip_id": np.arange(rows) + seed * rows,
            "vendor": random.choice(["CMT", "DDS", "VTS"], rows),
            "distance": random.exponential(3, rows).round(2),
            "passengers": random.integers(1, 7, rows),
            "payment": random.choice(["cash", "credit"], rows, p=[0.6, 0.4]),
        }
    )


def tipped(frame: pd.DataFrame) -> pd.Series:
    """Return whether the passenger of each trip left a tip."""
    random = np.random.default_rng(0)
    logit = 2.5 * (frame["payment"] == "credit") + 0.3 * frame["distance"] - 2.5
    return pd.Series(random.random(len(frame)) < 1 / (1 + np.exp(-logit)), name="tipped")


def main() -> None:
    """Write the files below the current folder."""
    training = trips(5_000, seed=0)
    training.assign(tipped=tipped(training)).to_csv("training.csv", index=False)
    folder = Path("trips")
    folder.mkdir()
    for number in (1, 2, 3):
        trips(ROWS, seed=number).to_csv(folder / f"trips-{number}.csv", index=False)
    spoiled = folder / "trips-2.csv"
    lines = spoiled.read_text().splitlines()
    lines[1234] = f"{2 * ROWS + 1233},CMT,three miles,1,cash"
    spoiled.write_text("\n".join([*lines, ""]))
    print(f"training.csv, and {3 * ROWS:,} rows in trips/; line 1,235 of {spoiled} is unreadable")


if __name__ == "__main__":
    main()
