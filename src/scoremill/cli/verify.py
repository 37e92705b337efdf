"""`scoremill verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from scoremill.units import format_bytes

from .options import storage_from, storage_options


@click.command("verify")
@click.argument("output")
@storage_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify_command(output: str, as_json: bool, **flags: Any) -> None:
    """Read every object of OUTPUT again and prove counts and checksums against its manifest.

    Exits with 7 if an object is missing, altered or surplus.

    \b
    Example:
      scoremill verify s3://b/scores/
    """
    from scoremill.execute import verify

    proven = verify(output, storage_from(flags))
    totals = proven.totals
    if as_json:
        click.echo(json.dumps({"version": 1, "output": output, "verified": True, "totals": asdict(totals),
                               "method": proven.method, "bundle": proven.bundle}))  # fmt: skip
        return
    click.echo(
        f"{output}: complete and unaltered: {totals.rows:,} rows = {totals.scored:,} scored + {totals.rejected:,} "
        f"rejected, in {totals.objects:,} objects of {format_bytes(totals.bytes)}"
    )
