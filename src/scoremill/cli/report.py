"""`scoremill report`."""

from __future__ import annotations

from typing import Any

import click

from scoremill.document import plain

from .flags.options import STORAGE, part_options, storage_from
from .views.display import echo
from .views.document import print_document


@click.command("report")
@click.argument("output")
@part_options(STORAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def report_command(output: str, as_json: bool, **flags: Any) -> None:
    """Show the rows, rejected rows, timings, and memory of the run that wrote OUTPUT.

    \b
    Example:
      scoremill report s3://b/scores/
    """
    from scoremill.report import as_text, read_report

    report = read_report(output, storage_from(flags))
    if as_json:
        print_document(**plain(report))
    else:
        echo(as_text(report))
