"""`scoremill retry-rejected`, `compact` and `clean`: operations on the output of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from scoremill.units import format_bytes

from .flags.clusters import check_address, place_options, places_of
from .flags.options import STORAGE, part_from, part_options, storage_from
from .flags.sections import Sectioned
from .views.display import echo
from .views.document import print_document
from .views.logs import verbose_option
from .views.progress import ProgressView

if TYPE_CHECKING:
    from scoremill.outputs.clean import LeftOver

_MODEL = "spec.model."


@click.command("retry-rejected", cls=Sectioned)
@click.argument("output")
@part_options(_MODEL, STORAGE, but=["--method"])
@click.option(
    "--files", is_flag=True, help="Score repaired input objects that were rejected, instead of rejected rows."
)
@click.option("--to", metavar="URI", help="Path or URI to write to. Defaults to OUTPUT/_retries/N.")
@click.option("--cluster", default="auto", metavar="WHERE", show_default=True, help="Where to run, as for `score`.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
def retry_command(output: str, files: bool, to: str | None, cluster: str, as_json: bool, **flags: Any) -> None:
    """Re-score the rows that OUTPUT rejected, into an output with its own manifest.

    With --files, score the input objects that spec.errors.onFileError: Reject set aside, where they are.

    Without --model, the bundle that OUTPUT names is used, if you trust it with --digest or --trust: an output is data,
    and a model is code. Run the same command again after any interruption.

    \b
    Example:
      scoremill retry-rejected s3://b/scores/ --model s3://models/tips/2
    """
    from scoremill.outputs.api import retry_rejected

    check_address(cluster)
    model, storage = part_from(flags, _MODEL)[0].get("spec", {}).get("model", {}), storage_from(flags)
    with ProgressView() as progress:
        manifest = retry_rejected(
            output,
            model=model,
            files=files,
            to=to,
            cluster=cluster,
            storage=storage,
            watchers=[progress],
            **places_of(flags),
        )
    if as_json:
        print_document(output=manifest.store.uri, totals=manifest.totals)
        return
    totals = manifest.totals
    echo(f"{totals.scored:,} rows scored, {totals.rejected:,} rejected again, in {manifest.store.uri}")


@click.command("compact")
@click.argument("output")
@click.option(
    "--rows-per-file", metavar="N", type=click.IntRange(min=1), required=True, help="Number of rows per file."
)
@click.option("--to", metavar="URI", help="Path or URI to write to. Defaults to OUTPUT-compact.")
@part_options(STORAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def compact_command(output: str, rows_per_file: int, to: str | None, as_json: bool, **flags: Any) -> None:
    """Rewrite OUTPUT with more or fewer rows per file, and verify that the rows are the same.

    OUTPUT is left as it is: readers must never see old and new parts side by side.

    \b
    Example:
      scoremill compact s3://b/scores/ --rows-per-file 5000000
    """
    from scoremill.outputs.api import compact

    manifest = compact(output, rows_per_file, to=to, storage=storage_from(flags))
    totals = manifest.totals
    if as_json:
        print_document(output=manifest.store.uri, totals=totals)
        return
    echo(f"{totals.scored:,} rows in {totals.objects:,} objects, {format_bytes(totals.bytes)}, in {manifest.store.uri}")


@click.command("clean")
@click.argument("output", required=False)
@click.option("--cache", is_flag=True, help="Also list bundles cached on this machine.")
@click.option("--yes", is_flag=True, help="Remove what is listed.")
@part_options(STORAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def clean_command(output: str | None, cache: bool, yes: bool, as_json: bool, **flags: Any) -> None:
    """List leftovers of earlier runs in OUTPUT, and remove them with --yes.

    These are unfinished uploads, parts that the manifest does not name, old retries, and cached bundles.

    \b
    Example:
      scoremill clean s3://b/scores/ --yes
    """
    from scoremill.outputs.api import clean

    if output is None and not cache:
        raise click.UsageError("name an output, or give --cache")
    found = clean(output, cache=cache, remove=yes, storage=storage_from(flags))
    if as_json:
        print_document(removed=yes, found=found)
        return
    for each in found:
        echo(f"{'removed' if yes else 'found'}  {each.kind:<16} {each.name}  {format_bytes(each.size)}")
    echo(_total(found, is_removed=yes))


def _total(found: Sequence[LeftOver], *, is_removed: bool) -> str:
    if not found:
        return "nothing to remove"
    total = f"{len(found):,} object{'s' if len(found) > 1 else ''}, {format_bytes(sum(each.size for each in found))}"
    return f"removed {total}" if is_removed else f"{total} can be removed: run the same command with --yes"
