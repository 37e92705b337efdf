"""`scoremill score`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from scoremill import datasets
from scoremill.units import counted, format_bytes

from .flags.clusters import check_address, place_options, places_of
from .flags.options import job_from, job_options
from .flags.sections import Sectioned
from .views.display import echo, say
from .views.document import print_document
from .views.logs import verbose_option
from .views.progress import ProgressView

if TYPE_CHECKING:
    from scoremill.execute.datasets.dataset import Dataset
    from scoremill.ledger import Manifest


@click.command("score", cls=Sectioned)
@job_options
@click.option(
    "--cluster",
    default="auto",
    metavar="WHERE",
    show_default=True,
    help="Where to run: auto, local, in-process, scheduler address, or cluster on Kubernetes.",
)
@click.option("--dataset", metavar="NAME", help="Score a dataset loaded into --cluster by `scoremill dataset load`.")
@place_options
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), help="Print this many predictions to stdout and write nothing."
)
@click.option("--wait", is_flag=True, help="Wait if another run is writing to the output.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Do not show progress.")
@verbose_option
def score_command(
    job: str | None,
    cluster: str,
    dataset: str | None,
    limit: int | None,
    wait: bool,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Score the rows of INPUT with MODEL and write the predictions to OUTPUT.

    JOB is a YAML or JSON file; flags override it. Run the same command again after any interruption:
    only what is missing is scored.

    \b
    Examples:
      scoremill score --model bundle/ --input 'trips/*.csv' --output scores/ --limit 10
      scoremill score --model bundle/ --input 's3://b/2009/*.csv' --output s3://b/scores/ --keep vendor_name
      scoremill score job.yaml --workers 4 --memory 4GiB
      scoremill score job.yaml --cluster trips
      scoremill score --dataset trips --cluster tcp://host:8786 --model bundle/ --output s3://b/scores/
    """
    if dataset is not None and limit is not None:
        raise click.UsageError("--limit prints the first rows of --input; it does not look into a dataset")
    if limit is None:
        check_address(cluster)
    held = datasets.find(dataset, cluster=cluster, say=say, **places_of(flags)) if dataset else None
    parsed = job_from(job, flags, writes=limit is None, under=_read_by(held))
    if limit is not None:
        if flags["output"] is not None and not quiet:
            echo(f"note: --limit only prints rows; nothing is written to {flags['output']}", err=True)
        _print_rows(parsed, limit, as_json)
        return
    for name in ("persist", "suspend"):
        if getattr(parsed.spec, name):
            echo(f"note: spec.{name} is for ScoringJobs on Kubernetes and means nothing here", err=True)
    from scoremill.execute import score

    with ProgressView(quiet=quiet) as progress:
        manifest = score(parsed, cluster=cluster, dataset=held, watchers=[progress], wait=wait, **places_of(flags))
    _tell(manifest, as_json)


def _read_by(dataset: Dataset | None) -> dict[str, Any] | None:
    """Return what a job that names no input reads."""
    if dataset is None:
        return None
    return {"spec": {"input": dataset.input.model_dump(mode="json", by_alias=True, exclude_none=True)}}


def _tell(manifest: Manifest, as_json: bool) -> None:
    from scoremill.report import warnings_of

    totals, fields = manifest.totals, manifest.fields
    warnings = list(warnings_of(totals))
    for warning in warnings:
        echo(f"warning: {warning}", err=True)
    if as_json:
        run = {"bundle": fields["bundle"], "method": fields["method"]}
        print_document(output=manifest.store.uri, totals=totals, **run, warnings=warnings, parity=fields.get("parity"))
        return
    echo(
        f"{totals.scored:,} rows scored, {totals.rejected:,} rejected, {counted(totals.partitions, 'partition')}, "
        f"{format_bytes(totals.bytes)} in {manifest.store.uri}"
    )
    if compared := fields.get("parity", {}).get("rows"):
        echo(f"{compared:,} rows scored by the original model as well, with equal results")
    if totals.rejected:
        echo(f"rejected rows: {manifest.store.uri}/_errors/")
    if totals.rejected_files:
        echo(
            f"after a repair of the input: scoremill retry-rejected {manifest.store.uri} --files --digest {fields['bundle']}"
        )


def _print_rows(job: Any, limit: int, as_json: bool) -> None:
    from scoremill.execute import preview
    from scoremill.tabular.writers import open_writer

    writer = None
    for scored in preview(job, limit):
        if writer is None:
            writer = open_writer(
                "jsonl" if as_json else "csv", sys.stdout.buffer, scored.table.schema, job.spec.output.csv_formulas
            )
        writer.write(scored.table)
        for row in scored.rejected:
            echo(f"rejected: {row}", err=True)
    if writer is not None:
        writer.close()
    sys.stdout.buffer.flush()
