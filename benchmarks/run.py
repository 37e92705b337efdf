"""Measure speed and memory side by side in one run, and print Markdown: `make bench`.

Only the work is timed. Processes are started, libraries imported and the model loaded before.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "01-taxi-tips"))
# One thread per process for all contenders, set before this process or a child loads NumPy.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ["DASK_LOGGING__DISTRIBUTED"] = "critical"

MIB = 2**20
COLUMNS = "| | thousand rows/s | seconds | its seconds / those of (c) |\n|---|---:|---:|---:|"


class Contender(Protocol):
    """Scores a folder of CSVs; its processes run from enter to exit."""

    name: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def score(self, data: Path, output: Path) -> None:
        """Write predictions for all rows below `data` to files below `output`."""


def main() -> None:
    """Measure speed, memory, and the cost of partitions, quotes and kept columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8_000_000, help="number of rows of the race")
    parser.add_argument("--files", type=int, default=16, help="number of files of the race")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds of the race")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--memory-rows", type=int, default=1_000_000, help="rows in one file, then eight times as many")
    parser.add_argument(
        "--partitions", type=int, default=50_000, help="number of tiny partitions, for the overhead of each"
    )
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="scoremill-bench-") as folder:
        scratch = Path(folder)
        speed(scratch, arguments.rows, arguments.files, arguments.rounds, arguments.processes)
        memory(scratch, arguments.memory_rows, arguments.processes)
        overhead(scratch, arguments.partitions)
        quotes(scratch, arguments.memory_rows)
        kept(scratch, arguments.memory_rows, arguments.rounds)


def speed(scratch: Path, rows: int, files: int, rounds: int, processes: int) -> None:
    """Print the speed of each contender, and its ratio to scoremill in the same rounds."""
    from bare import BareLoop
    from dataframe import AS_TUNED, AS_WRITTEN, DaskDataFrame
    from generate import generate
    from mill import Scoremill, pack
    from train import train

    warm = generate(scratch / "warm", 80_000, 4 * processes)  # enough files for every process
    train(warm[0], scratch / "model")
    model, bundle = scratch / "model" / "model.joblib", pack(scratch / "model", scratch / "bundle")
    contenders: list[Contender] = [
        Scoremill(bundle, processes),
        BareLoop(model, processes),
        DaskDataFrame("(b) dask.dataframe, as the tutorial reads", AS_WRITTEN, model, processes),
        DaskDataFrame("(b') dask.dataframe, with the columns given", AS_TUNED, model, processes),
    ]
    paths = generate(scratch / "data", rows, files)
    size = sum(path.stat().st_size for path in paths)
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB in {files} files, {processes} processes, {rounds} alternating rounds\n")
    print(COLUMNS)
    seconds = race(contenders, scratch / "data", scratch / "warm", scratch, rounds)
    for contender, times in zip(contenders, seconds, strict=True):
        ratio = statistics.median(other / mill for mill, other in zip(seconds[0], times, strict=True))
        median = statistics.median(times)
        print(f"| {contender.name} | {rows / median / 1e3:,.0f} | {median:.2f} | {ratio:.2f} |", flush=True)
    shutil.rmtree(scratch / "data")


def race(contenders: Sequence[Contender], data: Path, warm: Path, scratch: Path, rounds: int) -> list[list[float]]:
    """Return the seconds of each contender in each round. Contenders alternate, after a small first run of each."""
    seconds: list[list[float]] = [[] for _ in contenders]
    with ExitStack() as stack:
        for contender in contenders:
            timed(stack.enter_context(contender), warm, scratch / "scores")
        for _ in range(rounds):
            for contender, times in zip(contenders, seconds, strict=True):
                times.append(timed(contender, data, scratch / "scores"))
    return seconds


def timed(contender: Contender, data: Path, output: Path) -> float:
    """Return the seconds of a run of `contender`; its output is removed afterwards."""
    began = time.perf_counter()
    contender.score(data, output)
    seconds = time.perf_counter() - began
    shutil.rmtree(output)
    return seconds


def memory(scratch: Path, rows: int, processes: int) -> None:
    """Print the growth of a worker for one file, and for a file that is eight times as large."""
    from generate import generate
    from mill import worker_growth

    print("\n| rows in one file | a worker grows by |\n|---:|---:|")
    for count in (rows, 8 * rows):
        generate(scratch / "one", count)
        grown = worker_growth(scratch / "bundle", scratch / "one", scratch / "scores", processes)
        print(f"| {count:,} | {grown / MIB:,.0f} MiB |", flush=True)
        shutil.rmtree(scratch / "one")
        shutil.rmtree(scratch / "scores")


def overhead(scratch: Path, partitions: int) -> None:
    """Print the cost of a partition outside reading, predicting and writing, in one process."""
    from mill import overhead_seconds

    count, seconds = overhead_seconds(scratch / "tiny", partitions)
    print(f"\n{count:,} partitions of 1 KiB: {1e3 * seconds / count:.2f} ms each outside read, predict and write")


def quotes(scratch: Path, rows: int) -> None:
    """Print the fraction of a run that is spent on quotes if two columns are quoted."""
    import pandas as pd

    from generate import generate
    from mill import quotes_share

    (path,) = generate(scratch / "quoted", rows)
    trips = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in ("vendor_name", "Payment_Type"):
        trips[column] = '"' + trips[column] + '"'
    trips.to_csv(path, index=False, quoting=csv.QUOTE_NONE)
    share = quotes_share(scratch / "bundle", scratch / "quoted", scratch / "scores")
    print(f"\n{rows:,} rows, two columns quoted: {100 * share:.1f} % of a run is spent on finding boundaries")


def kept(scratch: Path, rows: int, rounds: int) -> None:
    """Print the cost of kept columns, as the text of the file and converted to a type."""
    from generate import generate
    from mill import KEPT, seconds_keeping

    generate(scratch / "kept", rows)
    ways: dict[str, dict[str, str] | None] = {"none": None, "as text": {}, "as float64": dict.fromkeys(KEPT, "float64")}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, dtypes in ways.items():
            seconds[way].append(seconds_keeping(scratch / "bundle", scratch / "kept", scratch / "carried", dtypes))
            shutil.rmtree(scratch / "carried")
    print(f"\n| {len(KEPT)} columns kept, {rows:,} rows | seconds relative to no kept columns |\n|---|---:|")
    for way, times in seconds.items():
        ratios = [mine / none for mine, none in zip(times[1:], seconds["none"][1:], strict=True)]
        print(f"| {way} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


if __name__ == "__main__":
    main()
