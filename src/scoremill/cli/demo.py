"""`scoremill demo`."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import click

from scoremill.errors import UsageError

from .views.display import echo

_STEPS = (
    ("Make a few files of taxi trips. One row is unreadable.", "python generate.py"),
    ("Train a scikit-learn pipeline in memory.", "python train.py"),
    (
        "Pack it with a sample of its input. Packing proves that files score as the training data did.",
        "scoremill model pack model.joblib --output bundle --sample sample.csv --method predict_proba",
    ),
    (
        "Score all files with two local processes. The unreadable row is rejected; the others are scored.",
        "scoremill score --model bundle --input 'trips/*.csv' --output predictions --keep trip_id "
        "--set spec.input.partitionBytes=256KiB --workers 2",
    ),
    ("Verify that no row is missing, and that no byte was changed.", "scoremill verify predictions"),
    ("Show rows, timings, and memory of the run.", "scoremill report predictions"),
)
"""What each step does, and its command in the folder of the demo."""
_NEXT = (
    ("Write a job file with comments:", "scoremill init --model bundle --input 'trips/*.csv'"),
    ("Read the predictions:", "python -c \"import pandas; print(pandas.read_parquet('predictions'))\""),
    ("See the rejected row:", "python -c \"import scoremill; print(scoremill.rejected('predictions').T)\""),
    ("Score again; nothing is left to do:", _STEPS[3][1]),
)


@click.command("demo")
@click.option(
    "--folder",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Folder to write to; it must be new or empty. Defaults to a new temporary folder.",
)
def demo_command(folder: Path | None) -> int:
    """Train, pack, score, and verify in a folder of its own, in about half a minute.

    Each command is printed before it runs, so that you can copy it. The folder is kept.

    \b
    Examples:
      scoremill demo
      scoremill demo --folder demo/
    """
    place = _prepared(folder)
    echo(f"$ cd {shlex.quote(str(place))}")
    for text, command in _STEPS:
        echo(f"\n# {text}\n$ {command}")
        if code := subprocess.run(_arguments(command), cwd=place, check=False).returncode:
            echo(f"the demo stopped; its files are in {place}", err=True)
            return code
    _print_next(place)
    return 0


def _prepared(folder: Path | None) -> Path:
    """Return the folder with the scripts of the demo in it."""
    place = Path(tempfile.mkdtemp(prefix="scoremill-demo-")) if folder is None else folder
    hint = "Name a new folder with --folder."
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise UsageError(f"{place} is not empty", hint, "FileExists")
        for name in ("generate.py", "train.py"):
            (place / name).write_text(files("scoremill.demo").joinpath(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"could not write to {place}: {error.strerror}", hint) from None
    return place


def _arguments(command: str) -> list[str]:
    """Return a command that runs with this Python, whatever the search path has."""
    program, *others = shlex.split(command)
    return [sys.executable, *(["-m", "scoremill"] if program == "scoremill" else []), *others]


def _print_next(place: Path) -> None:
    echo(f"\nThe files are kept in {place}. Try next:\n\n  cd {shlex.quote(str(place))}")
    for text, command in _NEXT:
        echo(f"\n  # {text}\n  {command}")
