"""Speed and memory, measured side by side in one run; prints a Markdown table. `make bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples" / "01-taxi-tips"))
# One thread each, for everybody: set before NumPy is loaded here or in a process that is started from here.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ["DASK_LOGGING__DISTRIBUTED"] = "critical"


class Contender(Protocol):
    """Something that scores a folder of CSVs; its processes are up from enter to exit."""

    name: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def score(self, data: Path, output: Path) -> None:
        """Predictions for all rows below `data`, below `output`."""


def race(contenders: Sequence[Contender], data: Path, warm: Path, scratch: Path, rounds: int) -> list[list[float]]:
    """Seconds of each contender in each round, one after the other in turns; a first small run loads everything."""
    seconds: list[list[float]] = [[] for _ in contenders]
    with ExitStack() as stack:
        for contender in contenders:
            stack.enter_context(contender)
            contender.score(warm, scratch / "warm")
            shutil.rmtree(scratch / "warm")
        for _ in range(rounds):
            for number, contender in enumerate(contenders):
                began = time.perf_counter()
                contender.score(data, scratch / "scores")
                seconds[number].append(time.perf_counter() - began)
                shutil.rmtree(scratch / "scores")
    return seconds


def main() -> None:
    """Make the data, race, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    from bare import BareLoop
    from dataframe import AS_TUNED, AS_WRITTEN, DaskDataFrame
    from generate import generate
    from train import train

    with tempfile.TemporaryDirectory(prefix="scoremill-bench-") as folder:
        scratch = Path(folder)
        generate(scratch / "data", arguments.rows, arguments.files)
        warm = generate(scratch / "warm-data", 20_000)
        train(warm[0], scratch / "model")
        model = scratch / "model" / "model.joblib"
        contenders = [
            BareLoop(model, arguments.processes),
            DaskDataFrame("as written", AS_WRITTEN, model, arguments.processes),
            DaskDataFrame("tuned", AS_TUNED, model, arguments.processes),
        ]
        seconds = race(contenders, scratch / "data", scratch / "warm-data", scratch, arguments.rounds)
        for contender, times in zip(contenders, seconds, strict=True):
            print(contender.name, [f"{t:.2f}" for t in times], f"{arguments.rows / statistics.median(times):,.0f}/s")


if __name__ == "__main__":
    main()
