"""`scoremill init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scoremill.errors import UsageError
from scoremill.units import counted

from .flags.options import STORAGE, job_from, part_options
from .flags.sections import Sectioned
from .views.display import echo

if TYPE_CHECKING:
    from scoremill.draft import Draft


@click.command("init", cls=Sectioned)
@part_options("spec.model.", "spec.input.", STORAGE, fields=("",))
@click.option("--output-uri", metavar="URI", default="predictions/", show_default=True, help="Output of the job.")
@click.option("--output", "file", metavar="FILE", default="job.yaml", show_default=True, help="Job file to write.")
@click.option("--force", is_flag=True, help="Overwrite the job file if it exists.")
def init_command(file: str, output_uri: str, force: bool, **flags: Any) -> None:
    """Write a commented job file for a model and its input.

    The CSV dialect and the size of partitions are detected. The job is planned before the file is written; if the
    plan has an error, no file is written, and the hint names options that this command takes too.

    \b
    Examples:
      scoremill init --model bundle/ --input 'trips/*.csv'
      scoremill init --model bundle/ --input 's3://b/2009/*.csv' --output-uri s3://b/scores/ --output trips.yaml
    """
    path = Path(file)
    if path.exists() and not force:
        raise UsageError(f"{file} exists already", "Name another file with --output, or give --force.", "FileExists")
    job = job_from(None, flags, under={"spec": {"output": {"uri": output_uri}}})
    from scoremill.draft import draft_job

    draft = draft_job(job)
    _write(path, draft.text)
    _print(draft, file)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"could not write {path}: {error.strerror}", "Name a file in a writable folder with --output."
        ) from None


def _print(draft: Draft, file: str) -> None:
    for problem in draft.plan.problems:
        echo(str(problem), err=True)
    if draft.dialect:
        echo(f"detected: {draft.dialect}", err=True)
    echo(f"{file}: {counted(len(draft.plan.sources), 'object')}, {counted(len(draft.plan), 'partition')}")
    echo("Next, preview predictions, then score:")
    for options in (" --limit 10", ""):
        echo(f"  scoremill score {shlex.quote(file)}{options}")
