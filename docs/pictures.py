"""Draw the pictures of the README: `python docs/pictures.py` runs real commands and rewrites docs/images.

run.svg shows what the commands print on a terminal, with one frame of each progress bar. speed.svg is the first table of
docs/benchmarks.md.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parent
TAXI = DOCS.parent / "examples" / "01-taxi-tips"
WIDTH = 112
COMMANDS = (
    "scoremill plan --model bundle --input 'trips/*.csv' --output tips/",
    "scoremill score --model bundle --input 'trips/*.csv' --output tips/ --workers 2 --max-errors 10",
    "scoremill verify tips/",
    "scoremill report tips/",
)
_ERASED = re.compile(r"\r?\x1b\[(?:1A\x1b\[)?2K")
_CONTROL = re.compile(r"\x1b\[\?25[lh]|\r")


def main() -> None:
    """Draw both pictures."""
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    (images / "speed.svg").write_text(bars(table((DOCS / "benchmarks.md").read_text())))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(screen(run(command, Path(folder)))), soft_wrap=False)
        console.save_svg(str(images / "run.svg"), title="scoremill", unique_id="run")


def prepare(folder: Path) -> None:
    """Make two million rows, one of them unreadable, and a bundle."""
    python = [sys.executable, str(TAXI / "generate.py"), "trips", "--rows", "2000000", "--files", "4"]
    subprocess.run(python, cwd=folder, check=True)
    train = [sys.executable, str(TAXI / "train.py"), "trips/trips-2009-01.csv", "--rows", "40000"]
    subprocess.run(train, cwd=folder, check=True)
    with (folder / "trips" / "trips-2009-04.csv").open("a") as file:
        file.write(
            "VTS,2009-12-31 23:59:59,2010-01-01 00:07:31,one,1.37,-73.97,40.75,,,-73.98,40.73,CASH,6.5,0.5,0.5,0,0,7.5\n"
        )
    pack = f"scoremill model pack model/model.joblib --output bundle --sample model/sample.parquet --code {TAXI}/pipeline.py"
    subprocess.run([*as_module(pack), "--method", "predict_proba"], cwd=folder, check=True, capture_output=True)


def as_module(command: str) -> list[str]:
    """Return the words of a command, with the scoremill of this environment."""
    return [sys.executable, "-m", *shlex.split(command)]


def run(command: str, folder: Path) -> str:
    """Return the bytes that a command writes to a terminal of WIDTH columns."""
    words = as_module(command) if command.startswith("scoremill") else ["sh", "-c", command]
    written = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 65_536)
        written.extend(data)
        return data

    os.chdir(folder)
    os.environ |= {"COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    if status := pty.spawn(words, read):
        sys.exit(f"{command} ended with status {status}")
    return written.decode().replace(f"{folder}/", "")


def screen(output: str) -> str:
    """Return the lines of `output`, with one frame of a progress bar: the first after half of the partitions."""
    lines: list[str] = []
    for line in output.replace("\r\n", "\n").split("\n"):
        frames = [_CONTROL.sub("", frame) for frame in _ERASED.split(line)]
        progress = [frame for frame in frames if " partitions, " in frame and "left" in frame]
        lines += [progress[len(progress) // 2]] if progress else [frames[-1]] if frames[-1] else []
    return "\n".join(lines)


def table(page: str) -> list[tuple[str, float]]:
    """Return names and rates of the first table of `page`."""
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \|", page, re.MULTILINE)
    return [(name, float(rate.replace(",", ""))) for name, rate in rows[:4]]


def bars(rates: list[tuple[str, float]]) -> str:
    """Return a bar chart of `rates` as SVG."""
    most = max(rate for _, rate in rates)
    rows = []
    for number, (name, rate) in enumerate(rates):
        top, color = 46 + 34 * number, "#2f6f4f" if name.startswith("scoremill") else "#9aa5b1"
        width = 380 * rate / most
        rows += [
            f'<text x="270" y="{top + 16}" text-anchor="end">{name}</text>',
            f'<rect x="280" y="{top}" width="{width:.0f}" height="22" rx="2" fill="{color}"/>',
            f'<text x="{288 + width:.0f}" y="{top + 16}">{rate:,.0f}</text>',
        ]
    height = 56 + 34 * len(rates)
    style = "font-family: system-ui, sans-serif; font-size: 14px; fill: #1f2933"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height}" role="img" style="{style}">'
        f'<rect width="740" height="{height}" fill="#ffffff"/>'
        '<text x="16" y="26" font-weight="bold">Thousand rows per second, two processes on one machine</text>'
        f"{''.join(rows)}</svg>\n"
    )


if __name__ == "__main__":
    main()
