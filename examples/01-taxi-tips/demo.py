"""Score a million taxi rows in an S3 bucket on one machine, and verify the result: `make demo`.

The S3 server is moto and runs in this process. All files are written below ./demo.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import s3fs
from moto.server import ThreadedMotoServer

HERE = Path(os.path.relpath(Path(__file__).resolve().parent))
INPUT, OUTPUT = "s3://taxi/trips/*.csv", "s3://taxi/tips/"


def main() -> int:
    """Return 0, or the exit code of the command that failed."""
    parser = argparse.ArgumentParser(description="Score taxi trips in a bucket of a local S3 server.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    arguments = parser.parse_args()
    began = time.monotonic()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        use(server)
        demo(arguments.folder, arguments.rows, arguments.workers)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    finally:
        server.stop()
    print(f"\n{time.monotonic() - began:.0f} s in total.")
    return 0


def use(server: ThreadedMotoServer) -> None:
    """Make `server` the S3 of this process and its children, and remove other settings of S3."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    say(f"An S3 server of our own answers at {os.environ['AWS_ENDPOINT_URL']}")


def demo(folder: Path, rows: int, workers: int) -> None:
    """Generate, upload, train, pack, score, verify, and print predictions."""
    shutil.rmtree(folder, ignore_errors=True)
    trips, model, bundle = folder / "trips", folder / "model", folder / "bundle"
    python("generate.py", trips, "--rows", rows, "--files", 4)
    upload(trips)
    say("Train a model in RAM on a part of the data, and pack it with its code")
    python("train.py", trips / "trips-2009-01.csv", "--rows", 100_000, "--output", model)
    scoremill(
        "model",
        "pack",
        model / "model.joblib",
        "--output",
        bundle,
        "--sample",
        model / "sample.parquet",
        "--code",
        HERE / "pipeline.py",
        "--method",
        "predict_proba",
    )
    say("Score all rows, from the bucket to the bucket")
    scoremill(
        "score",
        "--model",
        bundle,
        "--input",
        INPUT,
        "--output",
        OUTPUT,
        "--keep",
        "vendor_name,Trip_Pickup_DateTime",
        "--columns",
        "True=tip",
        "--set",
        "spec.input.partitionBytes=16MiB",
        "--workers",
        workers,
    )
    say("Verify the output from its objects")
    scoremill("verify", OUTPUT)
    look(folder / "tips")


def upload(trips: Path) -> None:
    """Upload the CSVs below `trips` to the bucket."""
    store = s3fs.S3FileSystem()
    store.mkdir("taxi")
    store.put(str(trips) + "/", "s3://taxi/trips/", recursive=True)
    say(f"{len(store.ls('s3://taxi/trips'))} CSVs are in s3://taxi/trips/")


def look(copy: Path) -> None:
    """Print the first predictions and where they are, and save a copy of them."""
    s3fs.S3FileSystem().get(OUTPUT, str(copy) + "/", recursive=True)
    table = pyarrow.parquet.read_table(copy, use_threads=False)
    say(f"The predictions are in {OUTPUT}: {table.num_rows:,} rows, columns {', '.join(table.column_names)}")
    print(table.slice(0, 5).to_pandas().to_string())
    print(f"\nThe bucket ends with this demo; a copy of the output is in {copy}")


def python(script: str, *arguments: object) -> None:
    """Run a script of this folder."""
    run([sys.executable, str(HERE / script)], f"python {HERE / script}", arguments)


def scoremill(*arguments: object) -> None:
    """Run a command as a user would."""
    run([sys.executable, "-m", "scoremill"], "scoremill", arguments)


def run(command: list[str], shown: str, arguments: tuple[object, ...]) -> None:
    """Show the command, then run it."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ {shown} {shlex.join(words)}", flush=True)
    subprocess.run([*command, *words], check=True)


def say(text: str) -> None:
    """Print a comment."""
    print(f"\n# {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
