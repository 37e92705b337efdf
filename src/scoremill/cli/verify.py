"""`scoremill verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scoremill.units import counted, format_bytes

from .flags.options import STORAGE, part_options, storage_from
from .views.display import echo
from .views.document import print_document

if TYPE_CHECKING:
    from scoremill.spec import Storage


@click.command("verify")
@click.argument("output")
@part_options(STORAGE)
@click.option("--against", metavar="OTHER", help="Another output to compare with; its rows must be the same.")
@click.option(
    "--tolerance",
    metavar="NUMBER",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Maximum difference of numbers in OUTPUT and OTHER; relative for numbers above 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify_command(output: str, against: str | None, tolerance: float, as_json: bool, **flags: Any) -> None:
    """Read every object of OUTPUT and verify row counts and checksums against its manifest.

    Exits with 7 if an object is missing, altered or surplus, or if the rows of OTHER are not the same. Scores made
    with other library versions or on another family of processors differ in their last bits: give a --tolerance.

    \b
    Examples:
      scoremill verify s3://b/scores/
      scoremill verify s3://b/scores/ --against s3://b/scores-new/ --tolerance 1e-9
    """
    from scoremill.execute import verify

    storage = storage_from(flags)
    proven = verify(output, storage)
    totals = proven.totals
    difference = _compare(output, against, storage, tolerance) if against else None
    if as_json:
        print_document(
            output=output,
            verified=True,
            totals=totals,
            method=proven.method,
            bundle=proven.bundle,
            **({} if difference is None else {"against": against, "difference": difference}),
        )
        return
    echo(
        f"{output}: complete and unaltered: {totals.rows:,} rows = {totals.scored:,} scored + {totals.rejected:,} "
        f"rejected, in {counted(totals.objects, 'object')} of {format_bytes(totals.bytes)}"
    )
    if difference is not None:
        echo(f"{against}: the same rows{f', numbers within {difference:.3g}' * bool(difference)}")


def _compare(output: str, against: str, storage: Storage, tolerance: float) -> float:
    from scoremill.outputs.compare import compare
    from scoremill.storage.filesystem import Store

    return compare(Store(output, storage), Store(against, storage), tolerance)
