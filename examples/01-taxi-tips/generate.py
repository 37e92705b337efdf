"""Generate taxi trips in the format that New York published for 2009: 18 columns, about 119 bytes a row.

Synthetic, seeded and fast (a million rows in about two seconds): the same arguments give the same bytes.
They have the irregularities of the real files: spellings that differ by vendor (`CASH`, `Cash`, `CREDIT`, `Credit`),
columns that are mostly empty, and tips that are recorded for cards and hardly ever for cash.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

COLUMNS = (
    "vendor_name",
    "Trip_Pickup_DateTime",
    "Trip_Dropoff_DateTime",
    "Passenger_Count",
    "Trip_Distance",
    "Start_Lon",
    "Start_Lat",
    "Rate_Code",
    "store_and_forward",
    "End_Lon",
    "End_Lat",
    "Payment_Type",
    "Fare_Amt",
    "surcharge",
    "mta_tax",
    "Tip_Amt",
    "Tolls_Amt",
    "Total_Amt",
)

YEAR = np.datetime64("2009-01-01T00:00:00")
YEAR_SECONDS = 365 * 86_400
CHUNK = 250_000
"""Number of rows generated at a time, so that memory does not grow with the file."""

HOURS = np.array([39, 29, 22, 16, 12, 10, 21, 36, 45, 46, 45, 47, 50, 49, 51, 49, 42, 50, 60, 63, 59, 58, 57, 50])
"""Number of pickups by hour of the day, in thousands, on a day of 2009."""
VENDORS = ("VTS", "CMT", "DDS")
PAYMENTS = ("CASH", "Credit", "Cash", "Credit", "CASH", "CREDIT", "No Charge", "Dispute")
"""Spellings of cash and card by VTS, CMT and DDS, then two rare payment types."""

Numbers = np.ndarray[Any, np.dtype[Any]]


def generate(folder: Path, rows: int, files: int = 1, seed: int = 2009) -> list[Path]:
    """Write `files` CSVs with `rows` rows in total below `folder`, and return their paths in the order of names and times."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [rows // files + (number < rows % files) for number in range(files)]
    paths = [folder / f"trips-2009-{number + 1:02d}.csv" for number in range(files)]
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        span = YEAR_SECONDS // files
        write(path, trips(size, number * span, span, np.random.default_rng([seed, number])))
    return paths


def write(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write `tables` as one CSV with a header to `path`."""
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write(",".join(COLUMNS).encode() + b"\n")
        for table in tables:
            pyarrow.csv.write_csv(table, file, options)


def trips(rows: int, start: int, span: int, rng: np.random.Generator) -> Iterator[pa.Table]:
    """Yield `rows` trips of the `span` seconds from second `start` of 2009, in tables of at most CHUNK rows."""
    for done in range(0, rows, CHUNK):
        yield some_trips(min(CHUNK, rows - done), start, span, rng)


def some_trips(rows: int, start: int, span: int, rng: np.random.Generator) -> pa.Table:
    """Return a table of `rows` trips with the columns COLUMNS."""
    pickup, hour = pickups(rows, start, span, rng)
    distance = np.round(rng.lognormal(0.5, 0.85, rows).clip(0.1, 40), 2)
    seconds = (240 + distance * rng.normal(230, 60, rows).clip(90)).astype(np.int64)
    fare = np.round(2.5 + 2 * distance + seconds / 400, 1)
    vendor, kind, payment = payments(rows, hour, distance, rng)
    night = np.where((hour >= 20) | (hour < 6), 0.5, 0.0)
    surcharge = np.where((hour >= 16) & (hour < 20) & (pickup // 86_400 % 7 != 2), 1.0, night)
    tolls = np.where(rng.random(rows) < 0.04 * (1 + (distance > 8) * 5), 4.15, 0.0)
    tip = tips(kind, hour, distance, fare, rng)
    taxed = pickup > 304 * 86_400  # the tax was introduced on November 1
    total = np.round(fare + surcharge + tip + tolls + taxed * 0.5, 2)
    flag = rng.random(rows) < 0.45
    columns = [
        pa.array(np.array(VENDORS, object)[vendor]),
        pa.array(YEAR + pickup.astype("timedelta64[s]")),
        pa.array(YEAR + (pickup + seconds).astype("timedelta64[s]")),
        pa.array(rng.choice(np.arange(7), rows, p=(0.0005, 0.68, 0.16, 0.05, 0.02, 0.08, 0.0095))),
        pa.array(distance),
        *(pa.array(degrees) for degrees in place(rows, rng)),
        pa.nulls(rows, pa.string()),
        pa.array((rng.random(rows) < 0.02).astype(np.int64), mask=~flag),
        *(pa.array(degrees) for degrees in place(rows, rng)),
        pa.array(np.array(PAYMENTS, object)[payment]),
        pa.array(fare),
        pa.array(surcharge),
        pa.array(np.full(rows, 0.5), mask=~taxed),
        pa.array(tip),
        pa.array(tolls),
        pa.array(total),
    ]
    return pa.table(columns, names=list(COLUMNS))


def pickups(rows: int, start: int, span: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Return sorted seconds since the start of the year, and the hour of the day of each."""
    day = (start + rng.integers(0, span, rows)) // 86_400
    hour = rng.choice(24, rows, p=HOURS / HOURS.sum())
    pickup = np.sort(day * 86_400 + hour * 3600 + rng.integers(0, 3600, rows))
    return pickup, pickup // 3600 % 24


def payments(rows: int, hour: Numbers, distance: Numbers, rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
    """Return vendor, kind (0 cash, 1 card, 2 no charge, 3 dispute) and spelling as indices of VENDORS and PAYMENTS."""
    vendor = rng.choice(3, rows, p=(0.47, 0.45, 0.08))
    by_card = 0.16 + 0.07 * ((hour >= 18) | (hour < 3)) + 0.11 * (distance > 3) + 0.1 * (distance > 8)
    kind = (rng.random(rows) < by_card).astype(np.int64)
    rare = rng.random(rows)
    kind[rare < 0.004] = 2
    kind[rare < 0.001] = 3
    return vendor, kind, np.where(kind < 2, 2 * vendor + kind, kind + 4)


def tips(kind: Numbers, hour: Numbers, distance: Numbers, fare: Numbers, rng: np.random.Generator) -> Numbers:
    """Return tips in dollars: most card payers tip, fewer by day and for short trips; cash tips are hardly recorded."""
    logit = np.array([-2.9, 1.0, -5.0, -4.0])[kind] + 0.7 * ((hour >= 17) | (hour < 4)) + 0.35 * np.log(distance)
    tipped = rng.random(len(kind)) < 1 / (1 + np.exp(-logit))
    share = rng.choice((0.1, 0.15, 0.2, 0.25), len(kind), p=(0.15, 0.3, 0.4, 0.15))
    return np.where(tipped, np.round(fare * share, 2), 0.0)


def place(rows: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Return longitude and latitude around Manhattan in degrees; a few receivers have no fix."""
    found = rng.random(rows) > 0.015
    longitude = np.where(found, rng.normal(-73.977, 0.025, rows), 0.0)
    latitude = np.where(found, rng.normal(40.752, 0.022, rows), 0.0)
    return np.round(longitude, 6), np.round(latitude, 6)


def main() -> None:
    """Write the files that the command line asks for."""
    parser = argparse.ArgumentParser(description="Synthetic New York taxi trips, schema of 2009.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--seed", type=int, default=2009)
    arguments = parser.parse_args()
    paths = generate(arguments.folder, arguments.rows, arguments.files, arguments.seed)
    size = sum(path.stat().st_size for path in paths)
    print(f"{arguments.rows:,} rows, {size / 1e6:,.0f} MB in {len(paths)} files below {arguments.folder}")


if __name__ == "__main__":
    main()
